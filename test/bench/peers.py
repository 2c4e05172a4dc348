#!/usr/bin/env python3
"""The stages of published Wan shapes with random weights: here, and in torch with diffusers and transformers, on the same machine.

Both sides run through their public interfaces, each in a process of its own, and take turns; the best of all rounds counts. Beside every
timing stands what the machine could do at that moment: the tile, bf16 and f32 ceilings of all cores together, measured right before it
(virtual machines share cores with strangers). Torch is optional: without it ours is timed alone. The weights are made once, 4 GiB
in FOLDER; both sides hold them at the same time, 9 GiB in all.

    python3 -m venv venv
    venv/bin/pip install numpy torch==2.13.0 "diffusers==0.42.*" "transformers==5.*" accelerate
    make bench-peers PYTHON=venv/bin/python ARGS="--models /var/tmp/peers"

usage: peers.py BUILD [--models FOLDER] [--rounds N] [--only NAME,...] [--dtype bf16|f32|i8] [--alone] [--threads N]
"""
import argparse
import importlib.util
import os
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import peers_models as models  # noqa: E402

PROMPT = "a red robot dances on the beach at sunset while two dogs watch"
WORK = {  # name: (stage, size of the latent or number of tokens)
    "transformer-256": ("transformer", (5, 32, 32)),
    "transformer-480": ("transformer", (5, 34, 60)),
    "vae-128": ("vae", (5, 16, 16)),
    "vae-256": ("vae", (5, 32, 32)),
    "text-40": ("text", 40),
}


def work_of(name):
    stage, size = WORK[name]
    if stage == "transformer":
        return models.transformer_work(size[0] * size[1] * size[2] // 4)
    return models.vae_work(size) if stage == "vae" else models.text_work(size)


def describe(name):
    stage, size = WORK[name]
    if stage == "text":
        return f"UMT5-XXL, {models.TEXT['num_layers']} of 24 layers, {size} tokens"
    clip = f"{size[2] * 8}x{size[1] * 8}x{size[0] * 4 - 3}"
    if stage == "vae":
        return f"VAE decode {clip}"
    return f"Wan2.1-1.3B, one forward, {clip}, {size[0] * size[1] * size[2] // 4} tokens"


def inputs(stage, size):
    rng = np.random.default_rng(7)
    if stage == "text":
        return [rng.integers(300, 400, size)]
    latent = rng.standard_normal((16, *size), np.float32)
    return [latent, rng.standard_normal((models.TEXT_ROWS, 4096), np.float32)] if stage == "transformer" else [latent]


class Ours:
    def __init__(self, folder, stage, dtype, threads):
        import sora

        self.sora, self.folder, self.dtype = sora, folder, dtype
        self.pipeline = sora.Pipeline(sora.Model(folder, dtype=dtype, context=sora.Context(threads=threads)))

    def prepare(self, stage, size):
        if stage == "text":  # a prompt of as many ids
            words = PROMPT.split()
            text = " ".join(words[i % len(words)] for i in range(2 * size))
            while len(self.pipeline.model.tokenize(text)) > size:
                text = text[:-1]
            return lambda: self.pipeline.encode_text(text)
        given = inputs(stage, size)
        if stage == "vae":
            return lambda: self.pipeline.decode_video(given[0])
        return lambda: self.pipeline.denoise(given[0], 500.0, given[1])


class Torch:
    def __init__(self, folder, stage, dtype, threads):
        import torch

        self.torch = torch
        if threads:
            torch.set_num_threads(threads)
        kind = dict(torch_dtype=torch.float32 if dtype == "f32" else torch.bfloat16)
        if stage == "text":
            from transformers import UMT5EncoderModel

            self.net = UMT5EncoderModel.from_pretrained(folder + "/text_encoder", dtype=kind["torch_dtype"])
        elif stage == "vae":
            from diffusers import AutoencoderKLWan

            self.net = AutoencoderKLWan.from_pretrained(folder + "/vae", **kind)
        else:
            from diffusers import WanTransformer3DModel

            self.net = WanTransformer3DModel.from_pretrained(folder + "/transformer", **kind)
        self.net.eval()
        self.kind = kind["torch_dtype"]

    def prepare(self, stage, size):
        given = [self.torch.from_numpy(np.asarray(a))[None] for a in inputs(stage, size)]
        if stage == "text":
            return lambda: self.net(input_ids=given[0], attention_mask=self.torch.ones_like(given[0]))
        given = [a.to(self.kind) for a in given]
        if stage == "vae":
            return lambda: self.net.decode(given[0])
        return lambda: self.net(given[0], self.torch.tensor([500.0]), given[1])


def worker(side, folder, dtype, threads, stage):
    began = time.perf_counter()
    if side == "torch":
        import torch

        torch.set_grad_enabled(False)
    made = (Ours if side == "ours" else Torch)(folder, stage, dtype, threads)
    print(f"{time.perf_counter() - began:.6f}", flush=True)
    run = None
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "prepare":
            run = made.prepare(stage, WORK[rest[0]][1])
        began = time.perf_counter()
        if word == "run":
            run()
        print(f"{time.perf_counter() - began:.6f}", flush=True)


class Side:
    def __init__(self, name, args, stage):
        self.name = name
        env = dict(os.environ, SORA_LIBRARY=os.path.abspath(f"{args.build}/libsora.so"),
                   PYTHONPATH=os.path.join(HERE, "../../bindings/python"))
        command = [sys.executable, os.path.abspath(__file__), "--worker", name, args.models, args.dtype, str(args.threads), stage]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
                                        stderr=None if name == "ours" else subprocess.DEVNULL)
        self.opened = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name}: stopped")
        return float(line)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def ceilings(args):
    """GFLOP/s of all cores together: {"tiles": .., "bf16": .., "f32": ..}"""
    text = subprocess.run([f"{args.build}/bench/kernels", f"--ceilings={args.threads or os.cpu_count()}"], check=True, capture_output=True,
                          text=True).stdout
    return {name: float(value) for name, value in (word.split("=") for word in text.split())}


def make_models(args):
    models.make(args.models)
    path = f"{args.models}/tokenizer/spiece.model"
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.environ["SORA_LIBRARY"] = os.path.abspath(f"{args.build}/libsora.so")
        sys.path.insert(0, os.path.join(HERE, "../../bindings/python"))
        import sora

        sora.train_tokenizer(path, [PROMPT], 400)


def compare(args, stage, names, peers):
    sides = [Side("ours", args, stage)] + [Side(p, args, stage) for p in peers]
    for index, name in enumerate(names):
        first = {}
        for side in sides:
            side.ask(f"prepare {name}")
            first[side.name] = side.ask("run")  # packs, plans and allocates
        best, top = {side.name: float("inf") for side in sides}, {}
        for _ in range(args.rounds):
            for side in sides:
                for kind, value in ceilings(args).items():
                    top[kind] = max(top.get(kind, 0), value)
                best[side.name] = min(best[side.name], side.ask("run"))
        work = work_of(name)
        limit = max(top["tiles"], top["bf16"], top["f32"]) if args.dtype != "f32" else top["f32"]
        print(f"{describe(name)}: {work / 1e12:.2f} TFLOP, {args.dtype}; ceilings at best: " +
              ", ".join(f"{k} {v / 1000:.2f}" for k, v in top.items()) + " TFLOP/s")
        for side in sides:
            took = best[side.name]
            ratio = f", ours is {took / best['ours']:.2f} times as fast" if side.name != "ours" else ""
            opening = f"; opened and run once {side.opened + first[side.name]:.2f} s" if index == 0 else ""
            print(f"  {side.name:6} {took:7.3f} s {work / took * 1e-9:6.0f} GFLOP/s, {work / took * 1e-7 / limit:3.0f}% of the ceiling"
                  f"{ratio}{opening}", flush=True)
    for side in sides:
        side.close()


def main():
    if len(sys.argv) == 7 and sys.argv[1] == "--worker":
        return worker(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), sys.argv[6])
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--models", default="/var/tmp/sora-peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(WORK))
    parser.add_argument("--dtype", choices=["bf16", "f32", "i8"], default="bf16", help="of ours; torch multiplies i8 as bf16")
    parser.add_argument("--alone", action="store_true", help="no peers")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    peers = []
    if not args.alone:
        missing = [m for m in ("torch", "diffusers", "transformers") if not importlib.util.find_spec(m)]
        if missing:
            print(f"SKIP torch: not installed: {', '.join(missing)}")
        else:
            from importlib.metadata import version

            print(f"torch {version('torch')}, diffusers {version('diffusers')}, transformers {version('transformers')}")
            peers.append("torch")
    make_models(args)
    chosen = args.only.split(",")
    for stage in ("transformer", "vae", "text"):
        names = [n for n in WORK if WORK[n][0] == stage and any(n.startswith(c) for c in chosen)]
        if names:
            compare(args, stage, names, peers)


if __name__ == "__main__":
    main()
