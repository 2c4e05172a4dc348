#!/usr/bin/env python3
"""One optimiser step of the models that ship, here and in torch, on the same machine.

Our trainer (f32 and bf16 products) and torch 2.13.0 with the diffusers and transformers classes (f32 and bf16 autocast) take turns, one step
each; the best of all rounds counts, by the clock and by processor time (where other programs run, the clock tells little; with --threads 1 the
processor time is that of the work alone, with more it includes torch's waiting in loops). Both do the same: forward, backward, gradients clipped by their norm, AdamW, averages of the weights.
Torch's transformer gets one timestep per sample, which is less work than ours, one per frame. Data are random and made once.

    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 "diffusers==0.42.*" "transformers==5.*" numpy
    make bench-train PYTHON=venv/bin/python

usage: train_step.py BUILD/bench/train [--rounds N] [--only transformer|vae] [--threads N]
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

WORDS = 40  # ids of a caption, the end included
ROWS = 64   # of text that the transformer sees
SIZES = {"transformer": (6, 5, 16, 16), "vae": (6, 9, 64, 64)}  # 6 clips of 17 frames of 128x128 as latents; 6 clips of 9 frames


def recipe_of(name):
    recipe = json.load(open(f"models/recipes/{name}.json"))
    for field in ("tokenizer", "data", "init"):
        recipe.pop(field, None)
    recipe["optimizer"] = {"name": "adamw", "rate": 1e-4, "warmup": 0}
    recipe["steps"] = 1000
    return recipe


def processor_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Ours:
    def __init__(self, program, kind, recipe, products, threads):
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as f:
            json.dump(dict(recipe, products=products), f)
        self.file = f.name
        args = [program, f.name] + [str(n) for n in SIZES[kind]] + [str(WORDS - 1), str(threads)]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name = f"ours, {products} products"
        self.memory = 0

    def step(self):
        begin = processor_seconds(self.process.pid)
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().split()
        if len(line) != 3:
            sys.exit(f"{self.name}: stopped")
        self.memory = int(line[2])
        return float(line[0]), processor_seconds(self.process.pid) - begin

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        if self.file:
            os.remove(self.file)


class Torch:
    """Runs in a process of its own, so that its memory can be told."""

    def __init__(self, kind, recipe, autocast, threads):
        args = [sys.executable, __file__, "--worker", kind, "bf16" if autocast else "f32", str(threads)]
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.file = None
        self.name = "torch, bf16 autocast" if autocast else "torch, f32"
        self.memory = 0

    step = Ours.step
    close = Ours.close


def transformer(recipe):
    config = {k: v for k, v in recipe["transformer"].items() if not k.startswith("_") and k != "rope_trained_side"}
    text = dict(recipe["text_encoder"])
    text.pop("model_type", None)
    dit = WanTransformer3DModel(**config)
    t5 = UMT5EncoderModel(UMT5Config(feed_forward_proj="gated-gelu", dropout_rate=0.0, **text))
    n, frames, h, w = SIZES["transformer"]
    latent = torch.rand(n, config["in_channels"], frames, h, w) * 2 - 1
    ids = torch.randint(3, text["vocab_size"], (n, WORDS))

    def loss():
        noise = torch.randn_like(latent)
        sigma = torch.rand(n)
        s = sigma.view(n, 1, 1, 1, 1)
        hidden = t5(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        hidden = torch.nn.functional.pad(hidden, (0, 0, 0, ROWS - WORDS))
        made = dit((1 - s) * latent + s * noise, sigma * 1000, hidden, return_dict=False)[0]
        return torch.nn.functional.mse_loss(made.float(), noise - latent)

    return [dit, t5], loss


def vae(recipe):
    config = {k: v for k, v in recipe["vae"].items() if not k.startswith("_")}
    net = AutoencoderKLWan(latents_mean=[0.0] * config["z_dim"], latents_std=[1.0] * config["z_dim"], **config)
    n, frames, h, w = SIZES["vae"]
    video = torch.rand(n, 3, frames, h, w) * 2 - 1
    weights = recipe["loss"]

    def difference(a, b, axis):
        return (a.diff(dim=axis) - b.diff(dim=axis)).abs().mean()

    def loss():
        code = net.encode(video).latent_dist
        made = net.decode(code.sample()).sample.float()
        total = (made - video).abs().mean()
        total = total + weights["gradient"] * (difference(made, video, 3) + difference(made, video, 4))
        total = total + weights["temporal"] * difference(made, video, 2)
        mean, logvar = code.mean.float(), code.logvar.float()
        return total + weights["kl"] * 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()

    return [net], loss


def worker(kind, dtype, threads):
    if threads:
        torch.set_num_threads(threads)
    torch.manual_seed(1)
    before = resident()
    nets, loss = (transformer if kind == "transformer" else vae)(recipe_of("nano" if kind == "transformer" else "vae"))
    for net in nets:
        net.train()
    parameters = [p for net in nets for p in net.parameters() if p.requires_grad]
    averages = [p.detach().clone() for p in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4)
    print(f"{kind}: {sum(p.numel() for p in parameters)} parameters in torch", file=sys.stderr)
    for _ in sys.stdin:
        begin = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bf16"):
            value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(averages, parameters, 0.001)
        print(f"{time.perf_counter() - begin:.6f} {value.item():.6f} {resident('VmHWM') - before}", flush=True)


def resident(field="VmRSS"):
    for line in open("/proc/self/status"):
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def main():
    if len(sys.argv) == 5 and sys.argv[1] == "--worker":
        return worker(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--only", choices=["transformer", "vae"])
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    print(f"torch {torch.__version__}, {os.cpu_count()} cores; best of {args.rounds} steps each, in turns")
    for kind in [args.only] if args.only else ["transformer", "vae"]:
        recipe = recipe_of("nano" if kind == "transformer" else "vae")
        sides = [Ours(args.program, kind, recipe, "f32", args.threads), Ours(args.program, kind, recipe, "bf16", args.threads),
                 Torch(kind, recipe, False, args.threads), Torch(kind, recipe, True, args.threads)]
        best = [(float("inf"), float("inf"))] * len(sides)
        for side in sides:
            side.step()  # packs, plans and allocates
        for _ in range(args.rounds):
            for i, side in enumerate(sides):
                best[i] = tuple(map(min, best[i], side.step()))
        count = SIZES[kind][0]
        print(f"{kind}: {count} samples of {'x'.join(map(str, SIZES[kind][1:]))}")
        for side, (clock, processor) in zip(sides, best):
            print(f"  {side.name:22} {clock * 1000:7.0f} ms a step {count / clock:6.2f} samples/s {processor * 1000:7.0f} ms of processor time"
                  f" {side.memory / 2**20:6.0f} MiB")
            side.close()
        faster = [min(b[k] for b in best[2:]) / min(b[k] for b in best[:2]) for k in (0, 1)]
        print(f"  ours is {faster[0]:.2f} times as fast as torch by the clock, {faster[1]:.2f} by processor time", flush=True)


if __name__ == "__main__":
    main()
