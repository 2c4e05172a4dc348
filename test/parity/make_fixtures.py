#!/usr/bin/env python3
"""Writes the fixtures of the network parity check: small models with random weights, their inputs, and what the independent
implementations make of them (outputs and gradients of every parameter).

    python3 -m venv venv && venv/bin/pip install torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 safetensors
    venv/bin/python test/parity/make_fixtures.py            # rewrites test/parity/fixtures

Layout: fixtures/MODEL/ is a folder as diffusers writes it (transformer/, vae/, text_encoder/ with config.json and safetensors);
beside each part stands PART.cases.safetensors with tensors named CASE/NAME, gradients CASE/grad/PARAMETER. Every parameter is
perturbed, also those that start as zeros or ones, so that each path of a network shows in the numbers.
"""
import argparse
import json
import math
import os

import numpy
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel, WanVACETransformer3DModel
from diffusers.models.autoencoders import autoencoder_kl_wan
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify
from safetensors.torch import save_file
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModel, CLIPVisionModelWithProjection, UMT5Config, UMT5EncoderModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def perturb(model, seed, weight=1.0):
    """Every parameter becomes random with a scale that suits its kind; depends on seed and name order only."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            if name.endswith("gamma") or ("norm" in name and name.endswith("weight")):
                p.copy_(1 + 0.3 * noise)
            elif name.endswith("scale_shift_table"):
                p.copy_(0.5 * noise)
            elif name.endswith("pos_embed"):
                p.copy_(0.5 * noise)
            elif "shared" in name or "embed_tokens" in name:
                p.copy_(noise)
            elif "relative_attention_bias" in name:
                p.copy_(noise)
            elif name.endswith("bias"):
                p.copy_(0.2 * noise)
            else:
                fan_in = math.prod(p.shape[1:])
                p.copy_(weight * noise / math.sqrt(fan_in))


class Cases:
    def __init__(self, folder, part):
        self.path = os.path.join(folder, part + ".cases.safetensors")
        self.tensors = {}

    def put(self, case, **tensors):
        for name, t in tensors.items():
            t = t.detach()
            t = t.to(torch.int32) if t.dtype in (torch.int64, torch.int32) else t.float()
            self.tensors[case + "/" + name] = t.contiguous().clone()

    def grads(self, case, model, only=None):
        for name, p in model.named_parameters():
            if p.grad is not None and (only is None or only(name)):
                self.tensors[f"{case}/grad/{name}"] = p.grad.detach().contiguous().clone()

    def write(self):
        save_file(self.tensors, self.path)


def folder_of(root, name):
    path = os.path.join(root, name)
    os.makedirs(path, exist_ok=True)
    return path


def forget_paths(path):
    """Configs carry no note of where they were written."""
    file = os.path.join(path, "config.json")
    with open(file) as f:
        config = json.load(f)
    config.pop("_name_or_path", None)
    with open(file, "w") as f:
        json.dump(config, f, indent=2, sort_keys=True)
        f.write("\n")


# --- the transformer ---------------------------------------------------------------------------------------------------


def make_transformer(root, name, seed, cases, image=None, **config):
    folder = folder_of(root, name)
    torch.manual_seed(seed)
    kind = WanVACETransformer3DModel if "vace_layers" in config else WanTransformer3DModel
    model = kind(**config).float().eval()
    perturb(model, seed)
    path = os.path.join(folder, "transformer")
    model.save_pretrained(path)
    forget_paths(path)
    out = Cases(folder, "transformer")
    g = torch.Generator().manual_seed(seed + 1)
    pt, ph, pw = model.config.patch_size
    for case, c in cases.items():
        b, t, h, w, l = c["shape"]
        tokens = (t // pt) * (h // ph) * (w // pw)
        latent = torch.randn(b, model.config.in_channels, t, h, w, generator=g)
        text = torch.randn(b, l, model.config.text_dim, generator=g)
        if c.get("padded"):  # rows past the last token are zero, as the pipeline gives them
            text[:, l // 2 :] = 0
        kind = c.get("time", "sample")
        if kind == "sample":
            timestep = torch.rand(b, generator=g) * 1000
        elif kind == "token":
            timestep = torch.rand(b, tokens, generator=g) * 1000
        else:  # per frame, the first one a condition at 0
            timestep = torch.rand(b, t // pt, generator=g) * 1000
            timestep[:, 0] = 0
            timestep = timestep.repeat_interleave(tokens // (t // pt), dim=1)
        extra = {}
        if image is not None:
            n, dim = image
            embeds = torch.randn(b, n, dim, generator=g)
            extra["image_embeds"] = embeds
            # with position embeddings the reference joins pairs of images of half the length
            shaped = embeds.reshape(2 * b, n // 2, dim) if model.config.pos_embed_seq_len else embeds
        controls = {}
        if "control" in c:  # frames of the control latent, and how much of each block's result is added
            frames, scale = c["control"]
            control = torch.randn(b, model.config.vace_in_channels, frames, h, w, generator=g)
            controls["control_hidden_states"] = extra["control"] = control
            if scale is not None:
                controls["control_hidden_states_scale"] = extra["control_scale"] = torch.tensor(scale)
        model.zero_grad()
        y = model(latent, timestep, text, encoder_hidden_states_image=shaped if image is not None else None, **controls).sample
        out.put(case, latent=latent, timestep=timestep, text=text, velocity=y, **extra)
        if c.get("grad"):
            target = torch.randn(y.shape, generator=g)
            loss = torch.nn.functional.mse_loss(y, target)
            loss.backward()
            out.put(case, target=target, loss=loss.reshape(1))
            out.grads(case, model)
    out.write()


def transformers(root):
    make_transformer(
        root, "tiny21", 11,
        {
            "frame": {"shape": (1, 1, 4, 6, 5)},
            "batch": {"shape": (2, 3, 6, 4, 7), "grad": True, "padded": True},
            "frames": {"shape": (2, 3, 4, 4, 6), "time": "frame", "grad": True},
            "tokens": {"shape": (1, 2, 4, 6, 8), "time": "token", "grad": True},
            "odd": {"shape": (1, 5, 10, 14, 3)},
        },
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=24,
        freq_dim=32, ffn_dim=40, num_layers=2, cross_attn_norm=True, rope_max_seq_len=64,
    )
    make_transformer(
        root, "oddpatch", 12,
        {
            "plain": {"shape": (2, 4, 3, 6, 4), "grad": True},
            "tokens": {"shape": (1, 2, 2, 9, 4), "time": "token"},
        },
        patch_size=(2, 1, 3), num_attention_heads=3, attention_head_dim=10, in_channels=3, out_channels=5, text_dim=7,
        freq_dim=17, ffn_dim=31, num_layers=1, cross_attn_norm=False, eps=1e-5, rope_max_seq_len=64,
    )
    make_transformer(
        root, "wide", 13,
        {"plain": {"shape": (1, 3, 8, 12, 20)}},
        patch_size=(1, 2, 2), num_attention_heads=1, attention_head_dim=64, in_channels=16, out_channels=16, text_dim=32,
        freq_dim=64, ffn_dim=160, num_layers=1, cross_attn_norm=True, rope_max_seq_len=64,
    )
    make_transformer(
        root, "image", 14,
        {"plain": {"shape": (2, 2, 4, 4, 512), "grad": True}},
        image=(9, 14), patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=8, in_channels=6, out_channels=3, text_dim=5,
        freq_dim=16, ffn_dim=24, num_layers=1, cross_attn_norm=True, image_dim=14, added_kv_proj_dim=16, rope_max_seq_len=64,
    )
    make_transformer(
        root, "ends", 15,
        {"plain": {"shape": (1, 3, 4, 4, 512), "grad": True}},
        image=(10, 14), patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=8, in_channels=6, out_channels=3, text_dim=5,
        freq_dim=16, ffn_dim=24, num_layers=1, cross_attn_norm=True, image_dim=14, added_kv_proj_dim=16, pos_embed_seq_len=10,
        rope_max_seq_len=64,
    )


def controlled(root):
    make_transformer(
        root, "vace", 16,
        {
            "plain": {"shape": (1, 3, 4, 6, 5), "control": (3, None), "grad": True, "padded": True},
            "scaled": {"shape": (2, 2, 4, 4, 7), "control": (2, [0.25, 1.5])},
            "short": {"shape": (1, 3, 4, 4, 6), "control": (1, [1.0, 0.5]), "grad": True},
        },
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=10,
        freq_dim=16, ffn_dim=28, num_layers=4, cross_attn_norm=True, rope_max_seq_len=64, vace_layers=[0, 2], vace_in_channels=9,
    )
    make_transformer(
        root, "vaceodd", 17,
        {
            "plain": {"shape": (1, 4, 3, 6, 512), "control": (4, [0.5, 2.0, 1.0]), "grad": True},
            "short": {"shape": (2, 4, 3, 6, 512), "control": (2, None)},
        },
        image=(9, 14), patch_size=(2, 1, 3), num_attention_heads=3, attention_head_dim=6, in_channels=3, out_channels=5, text_dim=7,
        freq_dim=10, ffn_dim=20, num_layers=3, cross_attn_norm=False, eps=1e-5, rope_max_seq_len=64, image_dim=14,
        added_kv_proj_dim=18, vace_layers=[2, 0, 1], vace_in_channels=5,
    )


# --- the text encoder ----------------------------------------------------------------------------------------------------


def text_encoder(root, name, seed):
    folder = folder_of(root, name)
    torch.manual_seed(seed)
    config = UMT5Config(vocab_size=60, d_model=24, d_kv=10, d_ff=40, num_layers=2, num_heads=3, dropout_rate=0.0,
                        relative_attention_num_buckets=32, relative_attention_max_distance=128)
    model = UMT5EncoderModel(config).float().eval()
    perturb(model, seed, 0.7)
    path = os.path.join(folder, "text_encoder")
    model.save_pretrained(path)
    forget_paths(path)
    out = Cases(folder, "text_encoder")
    g = torch.Generator().manual_seed(seed + 1)
    for case, lengths, longest, grad in (
        ("one", [9], 9, False),
        ("single", [1], 1, False),
        ("batch", [12, 5, 1], 12, True),
        ("padded", [7], 16, False),
        ("long", [300, 150], 300, False),
    ):
        b = len(lengths)
        ids = torch.randint(1, config.vocab_size, (b, longest), generator=g)
        mask = torch.zeros(b, longest, dtype=torch.int64)
        for i, n in enumerate(lengths):
            ids[i, n:] = 0
            mask[i, :n] = 1
        model.zero_grad()
        y = model(input_ids=ids, attention_mask=mask).last_hidden_state
        out.put(case, input_ids=ids, lengths=torch.tensor(lengths), hidden=y)
        if grad:
            target = torch.randn(y.shape, generator=g)
            loss = torch.nn.functional.mse_loss(y, target)
            loss.backward()
            out.put(case, target=target, loss=loss.reshape(1))
            out.grads(case, model)
    out.write()


# --- the image encoder ---------------------------------------------------------------------------------------------------


def picture(g, width, height):
    """Blobs with noise, so that resizing and cutting show."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    waves = torch.stack([torch.sin(x / (3 + c) + c) * torch.cos(y / (5 - c)) for c in range(3)], -1)
    noise = torch.randn(height, width, 3, generator=g)
    return (127 + 90 * waves + 40 * noise).clamp(0, 255).to(torch.uint8)


def image_encoder(root, name, seed, kind, pictures, processor, **config):
    folder = folder_of(root, name)
    torch.manual_seed(seed)
    model = kind(CLIPVisionConfig(**config)).float().eval()
    perturb(model, seed, 0.7)
    path = os.path.join(folder, "image_encoder")
    model.save_pretrained(path)
    forget_paths(path)
    prepare = CLIPImageProcessorPil(**processor)
    prepare.save_pretrained(os.path.join(folder, "image_processor"))
    out = Cases(folder, "image_encoder")
    g = torch.Generator().manual_seed(seed + 1)
    for i, (width, height) in enumerate(pictures):
        rgb = picture(g, width, height)
        pixels = prepare(images=Image.fromarray(rgb.numpy()), return_tensors="pt")["pixel_values"].float()
        hidden = model(pixel_values=pixels, output_hidden_states=True).hidden_states[-2]
        case = f"{width}x{height}"
        out.put(case, picture=rgb.to(torch.int32), pixels=pixels, hidden=hidden)
        if i == 0:
            both = torch.cat([pixels, torch.randn(pixels.shape, generator=g)])
            hidden = model(pixel_values=both, output_hidden_states=True).hidden_states[-2]
            target = torch.randn(hidden.shape, generator=g)
            model.zero_grad()
            loss = torch.nn.functional.mse_loss(hidden, target)
            loss.backward()
            out.put("batch", pixels=both, hidden=hidden, target=target, loss=loss.reshape(1))
            out.grads("batch", model)
    out.write()


def image_encoders(root):
    image_encoder(
        root, "clip", 41, CLIPVisionModel, [(40, 30), (17, 64), (8, 9), (16, 16)], {"size": {"shortest_edge": 16}, "crop_size": 16},
        hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=3, image_size=16, patch_size=4,
        hidden_act="gelu",
    )
    image_encoder(
        root, "clipquick", 42, CLIPVisionModelWithProjection, [(31, 47), (12, 9)],
        {"size": {"height": 13, "width": 20}, "crop_size": {"height": 15, "width": 15}, "resample": 2, "image_mean": [0.1, 0.5, 0.25],
         "image_std": [0.5, 0.25, 1.5]},
        hidden_size=20, intermediate_size=31, num_hidden_layers=2, num_attention_heads=2, image_size=15, patch_size=4,
        hidden_act="quick_gelu", projection_dim=12, layer_norm_eps=1e-4,
    )
    resized(root)


def resized(root):
    """Pictures through each filter of Pillow."""
    out = {}
    g = torch.Generator().manual_seed(43)
    for filter in range(6):
        for width, height, to_width, to_height in ((20, 14, 33, 29), (50, 41, 7, 9), (13, 40, 13, 11), (9, 30, 27, 30), (64, 3, 5, 40),
                                                  (31, 47, 20, 13), (28, 34, 25, 29), (60, 59, 50, 20)):
            rgb = picture(g, width, height)
            made = numpy.array(Image.fromarray(rgb.numpy()).resize((to_width, to_height), resample=filter))
            case = f"{filter}-{width}x{height}-{to_width}x{to_height}"
            out[case + "/picture"] = rgb
            out[case + "/resized"] = torch.from_numpy(made)
    save_file(out, os.path.join(root, "resize.cases.safetensors"))


# --- the autoencoder -----------------------------------------------------------------------------------------------------


# The encoder hands its caches to every layer of down_blocks, and attention layers there (attn_scales) do not take them, so such a
# model can't be run as installed. They work on single frames and need none.
attend = autoencoder_kl_wan.WanAttentionBlock.forward
autoencoder_kl_wan.WanAttentionBlock.forward = lambda self, x, feat_cache=None, feat_idx=None: attend(self, x)


def decode_raw(vae, z):
    """What _decode does, without the clamp at its end (training wants the gradient outside of -1..1)."""
    vae.clear_cache()
    x = vae.post_quant_conv(z)
    parts = []
    for i in range(z.shape[2]):
        vae._conv_idx = [0]
        parts.append(vae.decoder(x[:, :, i : i + 1], feat_cache=vae._feat_map, feat_idx=vae._conv_idx, first_chunk=i == 0))
    out = torch.cat(parts, 2)
    if vae.config.patch_size is not None:
        out = unpatchify(out, vae.config.patch_size)
    vae.clear_cache()
    return out


def autoencoder(root, name, seed, cases, **config):
    folder = folder_of(root, name)
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed + 1)
    z = config["z_dim"]
    config["latents_mean"] = [round(v, 4) for v in torch.randn(z, generator=g).tolist()]
    config["latents_std"] = [round(v, 4) for v in (1 + 2 * torch.rand(z, generator=g)).tolist()]
    model = AutoencoderKLWan(**config).float().eval()
    perturb(model, seed)
    path = os.path.join(folder, "vae")
    model.save_pretrained(path)
    forget_paths(path)
    mean = torch.tensor(config["latents_mean"]).view(1, z, 1, 1, 1)
    std = torch.tensor(config["latents_std"]).view(1, z, 1, 1, 1)
    out = Cases(folder, "vae")
    for case, c in cases.items():
        b, t, h, w = c["shape"]
        video = torch.rand(b, 3, t, h, w, generator=g) * 2 - 1
        # some structure, so that it is not white noise alone
        ramp = torch.linspace(-1, 1, w).view(1, 1, 1, 1, w) * torch.linspace(0.2, 1, t).view(1, 1, t, 1, 1)
        video = 0.5 * video + 0.5 * ramp
        model.zero_grad()
        moments = model._encode(video)
        m, logvar = moments.chunk(2, dim=1)
        posterior = model.encode(video).latent_dist
        assert torch.equal(posterior.mean, m)
        out.put(case, video=video, mean=m, logvar=posterior.logvar, latent=(m - mean) / std)
        if c.get("grad"):
            tm, tl = torch.randn(m.shape, generator=g), torch.randn(m.shape, generator=g)
            loss = torch.nn.functional.mse_loss(m, tm) + 0.5 * torch.nn.functional.mse_loss(logvar, tl)
            loss.backward()
            out.put(case, target_mean=tm, target_logvar=tl, encode_loss=loss.reshape(1))
            out.grads(case, model)
        latent = torch.randn(m.shape, generator=g)
        model.zero_grad()
        raw = decode_raw(model, latent * std + mean)
        assert torch.equal(raw.clamp(-1, 1), model.decode(latent * std + mean).sample)
        out.put(case, z=latent, raw=raw)
        if c.get("grad"):
            target = torch.randn(raw.shape, generator=g)
            loss = torch.nn.functional.mse_loss(raw, target)
            loss.backward()
            out.put(case, target=target, decode_loss=loss.reshape(1))
            out.grads(case, model)
    out.write()


def autoencoders(root):
    autoencoder(
        root, "tiny21", 21,
        {
            "frame": {"shape": (1, 1, 16, 24)},
            "five": {"shape": (2, 5, 16, 8), "grad": True},
            "nine": {"shape": (1, 9, 8, 16)},
            "seventeen": {"shape": (1, 17, 16, 16)},
        },
        base_dim=4, z_dim=4, dim_mult=[1, 2, 4, 4], num_res_blocks=1, attn_scales=[], temperal_downsample=[False, True, True],
    )
    autoencoder(
        root, "attention21", 22,
        {
            "frame": {"shape": (1, 1, 6, 10), "grad": True},
            "five": {"shape": (1, 5, 4, 6), "grad": True},
            "nine": {"shape": (2, 9, 6, 4)},
        },
        base_dim=6, decoder_base_dim=4, z_dim=3, dim_mult=[1, 2], num_res_blocks=2, attn_scales=[1.0, 0.5],
        temperal_downsample=[True],
    )
    autoencoder(
        root, "tiny22", 23,
        {
            "frame": {"shape": (1, 1, 32, 16)},
            "five": {"shape": (1, 5, 16, 32), "grad": True},
            "nine": {"shape": (2, 9, 16, 16)},
            "seventeen": {"shape": (1, 17, 16, 16)},
        },
        base_dim=4, decoder_base_dim=4, z_dim=4, dim_mult=[1, 2, 4, 4], num_res_blocks=1, attn_scales=[],
        temperal_downsample=[False, True, True], is_residual=True, in_channels=12, out_channels=12, patch_size=2,
        scale_factor_spatial=16,
    )
    autoencoder(
        root, "early22", 24,
        {"five": {"shape": (2, 5, 8, 16), "grad": True}, "nine": {"shape": (1, 9, 16, 8)}},
        base_dim=4, decoder_base_dim=6, z_dim=5, dim_mult=[1, 2, 2], num_res_blocks=1, attn_scales=[],
        temperal_downsample=[True, True], is_residual=True, in_channels=12, out_channels=12, patch_size=2,
        scale_factor_spatial=8,
    )


def odd_autoencoders(root):
    autoencoder(
        root, "odd22", 25,
        {"frame": {"shape": (1, 1, 16, 32), "grad": True}, "five": {"shape": (1, 5, 32, 16), "grad": True}, "thirteen": {"shape": (1, 13, 16, 16)}},
        base_dim=8, decoder_base_dim=6, z_dim=7, dim_mult=[1, 2, 1, 1], num_res_blocks=2, attn_scales=[],
        temperal_downsample=[True, False, True], is_residual=True, in_channels=12, out_channels=12, patch_size=2,
        scale_factor_spatial=16,
    )
    autoencoder(
        root, "odd21", 26,
        {"frame": {"shape": (2, 1, 12, 8), "grad": True}, "five": {"shape": (1, 5, 8, 12)}},
        base_dim=7, z_dim=2, dim_mult=[3, 1], num_res_blocks=3, attn_scales=[], temperal_downsample=[False],
        in_channels=12, out_channels=12, patch_size=2, scale_factor_spatial=4,
    )
    autoencoder(
        root, "late22", 27,
        {"nine": {"shape": (1, 9, 16, 32), "grad": True}, "one": {"shape": (1, 1, 16, 16)}},
        base_dim=4, decoder_base_dim=8, z_dim=3, dim_mult=[1, 2, 2], num_res_blocks=1, attn_scales=[], temperal_downsample=[True, False],
        is_residual=True, in_channels=48, out_channels=48, patch_size=4, scale_factor_spatial=16,
    )


def index(root, name, **config):
    with open(os.path.join(root, name, "model_index.json"), "w") as f:
        json.dump(config, f, indent=2)
        f.write("\n")


def tiny_index(root):
    index(root, "tiny21", _class_name="WanPipeline", _diffusers_version="0.42.1",
          text_encoder=["transformers", "UMT5EncoderModel"], transformer=["diffusers", "WanTransformer3DModel"],
          vae=["diffusers", "AutoencoderKLWan"])


PARTS = {
    "transformers": transformers,
    "controlled": controlled,
    "text": lambda root: text_encoder(root, "tiny21", 31),
    "image": image_encoders,
    "vae": autoencoders,
    "oddvae": odd_autoencoders,
    "index": tiny_index,
}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(here, "fixtures"))
    parser.add_argument("parts", nargs="*", help="of " + ", ".join(PARTS) + "; all when none is named")
    args = parser.parse_args()
    for part in args.parts or PARTS:
        PARTS[part](args.out)


if __name__ == "__main__":
    main()
