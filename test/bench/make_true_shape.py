#!/usr/bin/env python3
"""A model folder of the true shapes of Wan 2.1 with random weights: what memory and speed are measured on, since the published weights
can't be shipped.

    python3 -m venv venv
    venv/bin/pip install torch==2.13.0 "diffusers==0.42.*" "transformers==5.*" numpy
    venv/bin/python test/bench/make_true_shape.py FOLDER

Transformer of the 1.3B model (--size 14B: of the 14B model), UMT5-XXL (11.4 GB on disk), the autoencoder, all bf16 but the autoencoder, which is
f32 as published; names and shapes are those of the classes of diffusers and transformers, which never get any memory for them. The tokenizer is
the tests' own: its ids are valid, no more. Weights are written shard by shard, so that little memory is enough.

usage: make_true_shape.py FOLDER [--parts transformer,text_encoder,vae] [--size 1.3B|14B]
"""
import argparse
import json
import os
import shutil
import sys

import numpy as np
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from random_weights import Noise, write_safetensors  # noqa: E402

SHARD = 4 << 30
SIZES = {"1.3B": dict(num_attention_heads=12, ffn_dim=8960, num_layers=30), "14B": dict(num_attention_heads=40, ffn_dim=13824, num_layers=40)}
UMT5 = dict(vocab_size=256384, d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=24, feed_forward_proj="gated-gelu")
INDEX = {
    "_class_name": "WanPipeline",
    "text_encoder": ["transformers", "UMT5EncoderModel"],
    "tokenizer": ["transformers", "T5TokenizerFast"],
    "transformer": ["diffusers", "WanTransformer3DModel"],
    "vae": ["diffusers", "AutoencoderKLWan"],
}


def write_part(folder, module, stem, bf16, noise):
    """The module lives on the meta device: names and shapes only. Tied weights are written once, as save_pretrained does."""
    tensors = [(n, tuple(t.shape)) for n, t in module.state_dict().items() if n != "encoder.embed_tokens.weight"]
    width, shards, size = 2 if bf16 else 4, [[]], 0
    for t in tensors:
        bytes_ = int(np.prod(t[1])) * width
        if shards[-1] and size + bytes_ > SHARD:
            shards, size = shards + [[]], 0
        shards[-1].append(t)
        size += bytes_
    names = [f"{stem}.safetensors" if len(shards) == 1 else f"{stem}-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    for name, shard in zip(names, shards):
        write_safetensors(os.path.join(folder, name), shard, bf16, noise)
    if len(shards) > 1:
        index = {"metadata": {}, "weight_map": {n: name for name, shard in zip(names, shards) for n, _ in shard}}
        with open(os.path.join(folder, f"{stem}.safetensors.index.json"), "w") as f:
            json.dump(index, f)
    print(f"{folder}: {sum(int(np.prod(s)) for _, s in tensors) / 1e6:.0f} M parameters in {len(shards)} files")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder")
    options.add_argument("--parts", default="transformer,text_encoder,vae")
    options.add_argument("--size", choices=SIZES, default="1.3B")
    o = options.parse_args()
    parts, noise = o.parts.split(","), Noise()
    for part in parts + ["tokenizer"]:
        os.makedirs(os.path.join(o.folder, part), exist_ok=True)
    here = os.path.dirname(os.path.abspath(__file__))
    shutil.copy(os.path.join(here, "../tiny/tokenizer.json"), os.path.join(o.folder, "tokenizer"))
    with open(os.path.join(o.folder, "model_index.json"), "w") as f:
        json.dump({k: v for k, v in INDEX.items() if k[0] == "_" or k in parts + ["tokenizer"]}, f, indent=2)
    with torch.device("meta"):
        if "transformer" in parts:
            module = WanTransformer3DModel(**SIZES[o.size])
            module.save_config(os.path.join(o.folder, "transformer"))
            write_part(os.path.join(o.folder, "transformer"), module, "diffusion_pytorch_model", True, noise)
        if "vae" in parts:
            module = AutoencoderKLWan()
            module.save_config(os.path.join(o.folder, "vae"))
            write_part(os.path.join(o.folder, "vae"), module, "diffusion_pytorch_model", False, noise)
        if "text_encoder" in parts:
            config = UMT5Config(**UMT5, architectures=["UMT5EncoderModel"])
            config.save_pretrained(os.path.join(o.folder, "text_encoder"))
            write_part(os.path.join(o.folder, "text_encoder"), UMT5EncoderModel(config), "model", True, noise)
    return 0


if __name__ == "__main__":
    sys.exit(main())
