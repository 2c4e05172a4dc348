#!/usr/bin/env python3
"""Compares the stages with diffusers and transformers on models that nobody has seen: random shapes, types and shards, random weights.

    venv/bin/pip install torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 safetensors gguf==0.19.0
    venv/bin/python test/parity/random_models.py [--seed 1] [--count 20] [--sora build/sora] [NAME ...]

One line a model: what was compared, the largest relative squared error, the limit. Ends with 1 when one is above it, and keeps that model.
"""

import argparse
import copy
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile

import gguf
import numpy
import torch
import transformers
from diffusers import (
    AutoencoderKLLTXVideo,
    AutoencoderKLWan,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    LTXVideoTransformer3DModel,
    UniPCMultistepScheduler,
    WanTransformer3DModel,
    WanVACETransformer3DModel,
)
from make_container_fixtures import copies, official_dit, write_gguf
from make_fixtures import perturb  # also mends attention in the installed autoencoder
from make_ltx_fixtures import pack, unpack
from safetensors.torch import load_file, save_file
from transformers import T5Config, T5EncoderModel, UMT5Config, UMT5EncoderModel

HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


class Case:
    """A folder with one random model, and the stages that are run on it."""

    def __init__(self, sora, folder, r):
        self.sora, self.folder, self.r = sora, folder, r
        self.model = [folder]
        self.error = 0.0
        self.said = []

    def save(self, model, part, gain=1.0):
        """In one type, in one file or several; the model goes on with what was stored."""
        perturb(model, self.r.randrange(1 << 30), gain)
        kind = self.r.choice(list(TYPES))
        stored = copy.deepcopy(model).to(TYPES[kind])
        shard = self.r.choice([None, max(2000, sum(p.numel() * p.element_size() for p in stored.parameters()) // 3)])
        stored.save_pretrained(os.path.join(self.folder, part), **({"max_shard_size": shard} if shard else {}))
        self.said.append(kind + (" in shards" if shard else ""))
        with torch.no_grad():  # parameters alone: tables of positions stay exact
            for p in model.parameters():
                p.copy_(p.to(TYPES[kind]))
        return model.float().eval()

    def stage(self, name, inputs=None, *options):
        out = os.path.join(self.folder, "out.safetensors")
        command = [self.sora, "stage", name, *self.model, "--out", out, "--threads", str(self.r.choice([1, 2])), *options]
        if inputs:
            path = os.path.join(self.folder, "in.safetensors")
            save_file({k: v.contiguous() for k, v in inputs.items()}, path)
            command += ["--in", path]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.returncode}: {done.stderr.strip()}")
        return load_file(out)

    def compare(self, made, wanted):
        if made.shape != wanted.shape:
            raise RuntimeError(f"shape {tuple(made.shape)} where {tuple(wanted.shape)} was wanted")
        d = (made.double() - wanted.double()).pow(2).sum() / wanted.double().pow(2).sum().clamp(min=1e-30)
        self.error = max(self.error, d.item())


def wan_config(r, **more):
    heads, dim = r.randint(1, 5), 2 * r.randint(3, 20)
    return dict(
        patch_size=(r.choice([1, 1, 2]), r.choice([1, 2, 2, 3]), r.choice([1, 2, 2, 3])),
        num_attention_heads=heads,
        attention_head_dim=dim,
        in_channels=r.randint(1, 20),
        out_channels=r.randint(1, 20),
        text_dim=r.randint(3, 40),
        freq_dim=r.randint(2, 33) * 2,
        ffn_dim=r.randint(5, 90),
        num_layers=r.randint(1, 3),
        cross_attn_norm=r.random() < 0.7,
        rope_max_seq_len=64,
        eps=r.choice([1e-6, 1e-5]),
        **more,
    )


def shape_of(r, patch):
    return [n * p for n, p in zip((r.randint(1, 4), r.randint(1, 5), r.randint(1, 5)), patch)]


def denoise(case, model, config, rows):
    """Random latents through the stage and through the model."""
    r, image, vace = case.r, "image_dim" in config, "vace_layers" in config
    for _ in range(2):
        t, h, w = shape_of(r, config["patch_size"])
        tokens = [n // p for n, p in zip((t, h, w), config["patch_size"])]
        latent = torch.randn(config["in_channels"], t, h, w)
        text = torch.randn(512 if image else r.randint(1, 40), config["text_dim"])
        times = torch.rand(tokens) * 1000 if r.random() < 0.5 and not vace else torch.rand(1) * 1000
        inputs, extra = dict(latent=latent, timestep=times, text=text), {}
        if image:
            embeds = torch.randn(2 * rows, config["image_dim"])
            inputs["image_embeds"] = embeds
            extra["encoder_hidden_states_image"] = embeds.reshape(2, rows, -1) if "pos_embed_seq_len" in config else embeds[None]
        if vace:
            inputs["control"] = torch.randn(config["vace_in_channels"], t, h, w)
            extra["control_hidden_states"] = inputs["control"][None]
            if r.random() < 0.5:
                inputs["control_scale"] = torch.rand(len(config["vace_layers"])) * 2
                extra["control_hidden_states_scale"] = inputs["control_scale"]
        with torch.no_grad():
            wanted = model(latent[None], times.reshape(1, -1) if times.dim() == 3 else times, text[None], **extra).sample[0]
        case.compare(case.stage("denoise", inputs)["velocity"], wanted)


def wan(case, image=False, vace=False):
    r = case.r
    more = {}
    if image:
        more = dict(image_dim=r.randint(4, 30), added_kv_proj_dim=r.randint(4, 40))
    if vace:
        layers = r.randint(2, 4)
        more.update(vace_layers=sorted([0] + r.sample(range(1, layers), r.randint(0, layers - 1))), vace_in_channels=r.randint(3, 30))
    config = wan_config(r, **more)
    if vace:
        config["num_layers"] = layers
    rows = r.randint(2, 30)
    if image:
        config["added_kv_proj_dim"] = config["num_attention_heads"] * config["attention_head_dim"]
        if r.random() < 0.5:
            config["pos_embed_seq_len"] = 2 * rows
    model = case.save((WanVACETransformer3DModel if vace else WanTransformer3DModel)(**config), "transformer")
    denoise(case, model, config, rows)
    return 1e-9


def single(case):
    """One file under the authors' names, in any type that ComfyUI's or llama.cpp's relatives store, without a config: what is told by shapes alone."""
    r = case.r
    heads, form, layers = r.randint(1, 3), r.choice(["text", "image", "ends", "vace"]), r.randint(1, 3)
    config = dict(
        patch_size=(1, 2, 2),
        num_attention_heads=heads,
        attention_head_dim=128,
        in_channels=16,
        out_channels=16,
        text_dim=32 * r.randint(1, 4),
        freq_dim=256,
        ffn_dim=32 * r.randint(1, 9),
        num_layers=layers,
        cross_attn_norm=True,
        rope_max_seq_len=1024,
    )
    if form in ("image", "ends"):
        config.update(in_channels=36, image_dim=32 * r.randint(1, 4), added_kv_proj_dim=128 * heads)
    if form == "ends":
        config["pos_embed_seq_len"] = 514
    if form == "vace":
        config.update(vace_layers=list(range(0, layers, layers if r.random() < 0.5 else 1)), vace_in_channels=96)  # spread evenly, as published
    model = (WanVACETransformer3DModel if form == "vace" else WanTransformer3DModel)(**config).float().eval()
    perturb(model, r.randrange(1 << 30))
    kind = r.choice(["f32", "bf16", "f16", "f8", "scaled f8", "F16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
    prefix = r.choice(["", "model.diffusion_model."])
    state = {name: t.clone() for name, t in model.state_dict().items()}
    stored, true = {}, {}
    if kind[0].isupper():
        path = os.path.join(case.folder, "dit.gguf")
        write_gguf(path, "wan", official_dit(state), gguf.GGMLQuantizationType[kind])
        for t in gguf.GGUFReader(path).tensors:
            values = gguf.quants.dequantize(t.data, t.tensor_type).astype(numpy.float32)
            true[t.name] = torch.from_numpy(values.copy()).reshape([int(n) for n in reversed(t.shape)])
    else:
        path = os.path.join(case.folder, "dit.safetensors")
        for name, t in official_dit(state).items():
            small = "f8" in kind and t.dim() == 2 and name.startswith("blocks.")
            by = t.abs().max() / 448 if small and kind[0] == "s" else torch.tensor(1.0)
            stored[prefix + name] = (t / by).to(torch.float8_e4m3fn if small else TYPES.get(kind, torch.float16))
            if small and kind[0] == "s":
                stored[prefix + name[:-6] + "scale_weight"] = by
            true[name] = stored[prefix + name].float() * by
        if kind[0] == "s":
            stored[prefix + "scaled_fp8"] = torch.zeros(2).to(torch.float8_e4m3fn)
        save_file(copies(stored), path)
    model.load_state_dict({name: true[new].reshape(t.shape) for (name, t), new in zip(state.items(), official_dit(state))})
    case.model, case.said = ["--dit", path], [f"{form}, {kind}" + (", prefix" if prefix and stored else "")]
    denoise(case, model, config, 257)
    return 1e-9


def ltx(case):
    r = case.r
    heads, dim, p, pt = r.randint(1, 5), 2 * r.randint(3, 20), r.choice([1, 1, 2]), r.choice([1, 1, 2])
    channels = r.randint(1, 12)
    config = dict(
        in_channels=channels * p * p * pt,
        out_channels=channels * p * p * pt,
        patch_size=p,
        patch_size_t=pt,
        num_attention_heads=heads,
        attention_head_dim=dim,
        cross_attention_dim=heads * dim,
        num_layers=r.randint(1, 3),
        caption_channels=r.randint(3, 40),
        attention_bias=r.random() < 0.7,
        attention_out_bias=r.random() < 0.7,
    )
    model = case.save(LTXVideoTransformer3DModel(**config), "transformer")
    t, h, w = shape_of(r, (pt, p, p))
    latent, text = torch.randn(channels, t, h, w), torch.randn(r.randint(1, 30), config["caption_channels"])
    times = torch.rand(1) * 1000
    with torch.no_grad():
        wanted = model(
            pack(latent[None], p, pt),
            text[None],
            times,
            None,
            num_frames=t // pt,
            height=h // p,
            width=w // p,
            rope_interpolation_scale=(8 / 25, 32, 32),
        ).sample  # the published autoencoder's, 25 frames a second
    case.compare(case.stage("denoise", dict(latent=latent, timestep=times, text=text))["velocity"], unpack(wanted, t, h, w, p, pt)[0])
    return 1e-9


def autoencoder(case):
    r = case.r
    levels = r.randint(2, 4)
    residual = r.random() < 0.5
    patch = r.choice([None, 2]) if not residual else 2
    times = [r.random() < 0.6 for _ in range(levels - 1)]
    z, base = r.randint(1, 16), 2 * r.randint(2, 6)
    # A residual shortcut wants channels that its factors divide.
    mult = {2: [1, 1], 3: [1, 2, 2], 4: [1, 2, 4, 4]}[levels] if residual else [1] + [r.randint(1, 4) for _ in range(levels - 1)]
    space = 2 ** (levels - 1) * (patch or 1)
    config = dict(
        base_dim=base * 2 if residual else base,
        z_dim=z,
        dim_mult=mult,
        num_res_blocks=r.randint(1, 3),
        attn_scales=[],
        temperal_downsample=times,
        is_residual=residual,
        latents_mean=[r.uniform(-1, 1) for _ in range(z)],
        latents_std=[r.uniform(0.5, 3) for _ in range(z)],
        scale_factor_spatial=space,
        scale_factor_temporal=2 ** sum(times),
    )
    if residual and r.random() < 0.5:
        config["decoder_base_dim"] = 4 * r.randint(1, 5)
    if patch:
        config.update(in_channels=3 * patch * patch, out_channels=3 * patch * patch, patch_size=patch)
    model = case.save(AutoencoderKLWan(**config), "vae")
    mean, std = (torch.tensor(config[k]).view(1, z, 1, 1, 1) for k in ("latents_mean", "latents_std"))
    for frames in {1, 1 + 4 * r.randint(0, 3)}:
        h, w = space * r.randint(1, 3), space * r.randint(1, 3)
        video = torch.rand(3, frames, h, w) * 2 - 1
        with torch.no_grad():
            moments = model.encode(video[None]).latent_dist.mean
            case.compare(case.stage("encode", dict(video=video))["latent"], ((moments - mean) / std)[0])
            latent = torch.randn(moments.shape[1:]) * 0.5
            wanted = model.decode(latent[None] * std + mean).sample[0]
        case.compare(case.stage("decode", dict(latent=latent))["video"], wanted)
    return 1e-9


def ltx_autoencoder(case):
    r = case.r
    levels = r.randint(2, 4)
    channels = [4 * r.randint(1, 3) for _ in range(levels)]
    scaled = [r.random() < 0.6 for _ in range(levels)]
    z, patch = r.randint(1, 12), r.choice([1, 2, 4])
    config = dict(
        latent_channels=z,
        block_out_channels=tuple(channels),
        decoder_block_out_channels=tuple(channels),
        layers_per_block=(1,) * (levels + 1),
        decoder_layers_per_block=(1,) * (levels + 1),
        spatio_temporal_scaling=tuple(scaled),
        decoder_spatio_temporal_scaling=tuple(scaled),
        down_block_types=("LTXVideoDownBlock3D",) * levels,
        downsample_type=("conv",) * levels,
        upsample_residual=(False,) * levels,
        upsample_factor=(1,) * levels,
        decoder_inject_noise=(False,) * (levels + 1),
        patch_size=patch,
        decoder_causal=r.random() < 0.5,
        scaling_factor=r.choice([1.0, 0.7]),
    )
    model = case.save(AutoencoderKLLTXVideo(**config), "vae")
    space, time = patch * 2 ** sum(scaled), 2 ** sum(scaled)
    mean, std = (v.float().view(1, z, 1, 1, 1) for v in (model.latents_mean, model.latents_std))
    for frames in {1, 1 + time * r.randint(1, 2)}:
        video = torch.rand(3, frames, space * r.randint(1, 3), space * r.randint(1, 3)) * 2 - 1
        with torch.no_grad():
            moments = model.encode(video[None]).latent_dist.mean
            latent = torch.randn(moments.shape[1:]) * 0.5
            wanted = model.decode(latent[None] * std / model.config.scaling_factor + mean).sample[0].clamp(-1, 1)
        case.compare(case.stage("encode", dict(video=video))["latent"], ((moments - mean) * model.config.scaling_factor / std)[0])
        case.compare(case.stage("decode", dict(latent=latent))["video"], wanted)
    return 1e-9


def text(case):
    r = case.r
    plain = r.random() < 0.3
    more = dict(relative_attention_num_buckets=2 * r.randint(2, 16), relative_attention_max_distance=r.choice([64, 128]), dropout_rate=0.0)
    config = dict(
        vocab_size=r.randint(600, 700),
        d_model=r.randint(4, 70),
        d_kv=r.randint(2, 20),
        d_ff=r.randint(5, 90),
        num_layers=r.randint(1, 3),
        num_heads=r.randint(1, 5),
        **more,
    )
    model = T5EncoderModel(T5Config(feed_forward_proj="gated-gelu", **config)) if plain else UMT5EncoderModel(UMT5Config(**config))
    model = case.save(model, "text_encoder", 0.7)
    os.mkdir(os.path.join(case.folder, "tokenizer"))
    shutil.copy(os.path.join(HERE, "fixtures", "tokenizer", "umt5.json"), os.path.join(case.folder, "tokenizer", "tokenizer.json"))
    words = "a red car drives along the river at night, snow falls over the old town".split()
    made = case.stage("text", None, "--prompt", " ".join(r.choice(words) for _ in range(r.randint(1, 60))))
    ids, mask = made["input_ids"].long()[None], made["attention_mask"].long()[None]
    with torch.no_grad():
        wanted = model(input_ids=ids, attention_mask=mask).last_hidden_state[0] * mask[0, :, None]
    case.compare(made["hidden"], wanted)
    return 1e-9


def sample(case):
    """The loop around a transformer: every solver, guidance, shift."""
    r = case.r
    config = wan_config(r)
    config["out_channels"] = config["in_channels"]
    model = case.save(WanTransformer3DModel(**config), "transformer")
    t, h, w = shape_of(r, config["patch_size"])
    noise, (words, negative) = torch.randn(1, config["in_channels"], t, h, w), torch.randn(2, r.randint(1, 20), config["text_dim"])
    name, steps, shift, guidance = r.choice(["euler", "unipc", "dpmpp"]), r.randint(1, 12), r.uniform(0.5, 8), r.choice([1.0, r.uniform(1.5, 6)])
    flow = dict(flow_shift=shift, prediction_type="flow_prediction", use_flow_sigmas=True)
    scheduler = {
        "euler": lambda: FlowMatchEulerDiscreteScheduler(shift=shift),
        "unipc": lambda: UniPCMultistepScheduler(**flow),
        "dpmpp": lambda: DPMSolverMultistepScheduler(algorithm_type="dpmsolver++", **flow),
    }[name]()
    scheduler.set_timesteps(steps)
    x = noise
    with torch.no_grad():
        for time in scheduler.timesteps:
            v = model(x, time[None].float(), words[None]).sample
            if guidance > 1:
                u = model(x, time[None].float(), negative[None]).sample
                v = u + guidance * (v - u)
            x = scheduler.step(v, time, x, return_dict=False)[0]
    case.said.append(f"{name} {steps} steps")
    made = case.stage(
        "sample",
        dict(noise=noise[0], text=words, negative=negative),
        "--steps",
        str(steps),
        "--guidance",
        repr(guidance),
        "--shift",
        repr(shift),
        "--sampler",
        name,
    )
    case.compare(made["latent"], x[0])
    return 1e-7


KINDS = {
    "wan": wan,
    "image": lambda c: wan(c, image=True),
    "vace": lambda c: wan(c, vace=True),
    "single": single,
    "vae": autoencoder,
    "text": text,
    "sample": sample,
    "ltx": ltx,
    "ltxvae": ltx_autoencoder,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=5, help="models of each kind")
    parser.add_argument("--sora", default="build/sora")
    parser.add_argument("kinds", nargs="*", help="of " + ", ".join(KINDS) + "; all when none is named")
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.logging.disable_progress_bar()
    bad = 0
    for kind in args.kinds or KINDS:
        for i in range(args.count):
            seed = args.seed * 1000 + i
            folder = tempfile.mkdtemp(prefix=f"{kind}-{seed}-")
            case = Case(args.sora, folder, random.Random(f"{kind} {seed}"))
            torch.manual_seed(seed)
            try:
                limit = KINDS[kind](case)
                failed = "" if case.error <= limit else "TOO LARGE"
            except RuntimeError as e:
                failed, limit = str(e), 0
            print(f"{kind:8} {seed:6}  {', '.join(case.said):32} {case.error:.1e}  (limit {limit:.0e})  {failed}".rstrip(), flush=True)
            if failed:
                bad += 1
                print(f"         kept: {folder}")
            else:
                shutil.rmtree(folder)
    print(f"{bad} of {args.count * len(args.kinds or KINDS)} differ")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
