#!/usr/bin/env python3
"""Writes fixtures of one small model in every container that people have weights in (test/parity/fixtures/containers):

    folder/           as diffusers writes it
    official/         the authors' names: dit.safetensors with the authors' config.json, vae.safetensors, vae22.safetensors,
                      t5.safetensors, and the first of them as .pth
    comfy/            ComfyUI's: prefix, eight-bit floats, with scales, tokenizer packed in
    gguf/             llama.cpp's and its relatives': f16, q8_0; text encoder under short names
    lora/             low-rank additions in three namings
    doubles/          numbers of 64 bits in three containers
    blocks.safetensors  random blocks of each GGUF type and what the Python package `gguf` makes of them
    cases.safetensors   inputs, and what torch makes of them

    venv/bin/pip install torch==2.13.0 diffusers==0.42.1 transformers==5.23.0 safetensors gguf==0.19.0
    venv/bin/python test/parity/make_container_fixtures.py

Weights are small multiples of 1/16, which every type holds exactly, so that results are the same bit for bit.
"""
import argparse
import copy
import json
import math
import os
import shutil

import gguf
import numpy as np
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers, convert_wan_vae_to_diffusers
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel

torch.set_num_threads(1)
G = torch.Generator().manual_seed(4)


def simple(model):
    """Every parameter becomes a few sixteenths: exact in f8_e4m3, f16, bf16 and f32."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            k = torch.randint(-4, 5, p.shape, generator=G).float() / 16
            p.copy_(1 + 2 * k if name.endswith("gamma") or ("norm" in name and name.endswith("weight")) else k)
    return model.float().eval()


def doubles(folder):
    os.makedirs(folder, exist_ok=True)
    values = torch.tensor([[1 / 3, -1e300], [1e-42, 16777217.0], [-0.0, 0.1]], dtype=torch.float64)
    save_file({"a.weight": values}, os.path.join(folder, "f64.safetensors"))
    torch.save({"a.weight": values}, os.path.join(folder, "f64.pth"))
    w = gguf.GGUFWriter(os.path.join(folder, "f64.gguf"), "wan")
    w.add_tensor("a.weight", values.numpy())
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


# --- names -----------------------------------------------------------------------------------------------------------------
def swap(name, pairs):
    for new, old in pairs:
        name = name.replace(new, old)
    return name


def official_dit(state):
    pairs = [
        ("condition_embedder.image_embedder.norm1", "img_emb.proj.0"), ("condition_embedder.image_embedder.ff.net.0.proj", "img_emb.proj.1"),
        ("condition_embedder.image_embedder.ff.net.2", "img_emb.proj.3"), ("condition_embedder.image_embedder.norm2", "img_emb.proj.4"),
        ("condition_embedder.image_embedder.pos_embed", "img_emb.emb_pos"), ("attn2.add_k_proj", "cross_attn.k_img"),
        ("attn2.add_v_proj", "cross_attn.v_img"), ("attn2.norm_added_k", "cross_attn.norm_k_img"),
        ("condition_embedder.time_embedder.linear_1", "time_embedding.0"), ("condition_embedder.time_embedder.linear_2", "time_embedding.2"),
        ("condition_embedder.text_embedder.linear_1", "text_embedding.0"), ("condition_embedder.text_embedder.linear_2", "text_embedding.2"),
        ("condition_embedder.time_proj", "time_projection.1"), ("proj_out", "head.head"),
        ("attn1.", "self_attn."), ("attn2.", "cross_attn."), (".to_q.", ".q."), (".to_k.", ".k."), (".to_v.", ".v."), (".to_out.0.", ".o."),
        (".norm2.", ".norm3."), ("ffn.net.0.proj", "ffn.0"), ("ffn.net.2", "ffn.2"),
    ]
    out = {}
    for name, t in state.items():
        new = name
        if name.startswith("vace_blocks."):
            new = swap(name, [(".proj_in.", ".before_proj."), (".proj_out.", ".after_proj.")])
        new = "head.modulation" if name == "scale_shift_table" else swap(new, pairs).replace("scale_shift_table", "modulation")
        out[new] = t
    back = convert_wan_transformer_to_diffusers(dict(out))
    if "img_emb.emb_pos" in back:  # which diffusers' converter leaves as the authors call it
        back["condition_embedder.image_embedder.pos_embed"] = back.pop("img_emb.emb_pos")
    assert back.keys() == state.keys() and all(torch.equal(back[k], state[k]) for k in state)
    return out


RES = [(".norm1.", ".residual.0."), (".conv1.", ".residual.2."), (".norm2.", ".residual.3."), (".conv2.", ".residual.6."),
       (".conv_shortcut.", ".shortcut.")]
TOP = [("post_quant_conv.", "conv2."), ("quant_conv.", "conv1."), ("coder.conv_in.", "coder.conv1."), ("coder.norm_out.", "coder.head.0."),
       ("coder.conv_out.", "coder.head.2."), ("mid_block.resnets.0.", "middle.0."), ("mid_block.attentions.0.", "middle.1."),
       ("mid_block.resnets.1.", "middle.2.")]


def vae_top(name):
    for new, old in TOP:
        if new in name:
            name = name.replace(new, old)
            return swap(name, RES) if "middle" in name else name
    return None


def official_vae(state, blocks):
    """Levels become one flat list; each ends with what enlarges."""
    out = {}
    for name, t in state.items():
        new = vae_top(name)
        if not new and name.startswith("encoder.down_blocks."):
            new = swap(name.replace("down_blocks", "downsamples"), RES)
        elif not new:
            _, _, level, what, index, rest = name.split(".", 5)
            at = int(level) * (blocks + 2) + (blocks + 1 if what == "upsamplers" else int(index))
            new = swap(f"decoder.upsamples.{at}.{rest}", RES)
        out[new] = t
    back = convert_wan_vae_to_diffusers(dict(out))
    assert back.keys() == state.keys() and all(torch.equal(back[k], state[k]) for k in state)
    return out


def official_vae22(state, blocks):
    """Levels stay; what resamples is the last of a level's list."""
    out = {}
    for name, t in state.items():
        new = vae_top(name)
        if not new:
            half, _, level, what, rest = name.split(".", 4)
            inner = "downsamples" if half == "encoder" else "upsamples"
            if what == "resnets":
                index, rest = rest.split(".", 1)
            else:
                index = blocks if half == "encoder" else blocks + 1
            new = swap(f"{half}.{inner}.{level}.{inner}.{index}.{rest}", RES)
        out[new] = t
    assert len(out) == len(state)
    return out


T5 = [("encoder.block.", "blocks."), ("shared.", "token_embedding."), ("encoder.final_layer_norm.", "norm."), ("layer.0.layer_norm", "norm1"),
      ("layer.1.layer_norm", "norm2"), ("layer.0.SelfAttention.relative_attention_bias", "pos_embedding.embedding"),
      ("layer.0.SelfAttention.", "attn."), ("layer.1.DenseReluDense.wi_0", "ffn.gate.0"), ("layer.1.DenseReluDense.wi_1", "ffn.fc1"),
      ("layer.1.DenseReluDense.wo", "ffn.fc2")]
T5_GGUF = [("encoder.block.", "enc.blk."), ("shared.", "token_embd."), ("encoder.final_layer_norm.", "enc.output_norm."),
           ("layer.0.layer_norm", "attn_norm"), ("layer.1.layer_norm", "ffn_norm"),
           ("layer.0.SelfAttention.relative_attention_bias", "attn_rel_b"), ("layer.0.SelfAttention.", "attn_"),
           ("layer.1.DenseReluDense.wi_0", "ffn_gate"), ("layer.1.DenseReluDense.wi_1", "ffn_up"), ("layer.1.DenseReluDense.wo", "ffn_down")]


def copies(state, dtype=None):
    return {k: (v if dtype is None else v.to(dtype)).detach().contiguous().clone() for k, v in state.items()}


# --- containers ------------------------------------------------------------------------------------------------------------
def write_gguf(path, arch, state, kind, extra=()):
    w = gguf.GGUFWriter(path, arch)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for add in extra:
        add(w)
    for name, t in state.items():
        data = t.detach().float().numpy()
        plain = data.ndim != 2 or "embedding" in name or "head" in name or "rel_b" in name
        q = gguf.GGMLQuantizationType.F32 if plain else kind
        if q == gguf.GGMLQuantizationType.F16:
            w.add_tensor(name, data.astype(np.float16))
        elif q == gguf.GGMLQuantizationType.F32:
            w.add_tensor(name, data)
        else:
            w.add_tensor(name, gguf.quants.quantize(data, q), raw_dtype=q)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def dequantized(state, kind):
    out = {}
    for name, t in state.items():
        data = t.detach().float().numpy()
        if data.ndim == 2 and not ("embedding" in name or "head" in name):
            data = gguf.quants.dequantize(gguf.quants.quantize(data, kind), kind)
        out[name] = torch.from_numpy(np.ascontiguousarray(data)).reshape(t.shape)
    return out


def blocks(path):
    """Random bytes; scales are set to ordinary numbers, since most half floats are huge or none."""
    rng = np.random.default_rng(1)
    out = {}
    scales = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2],
              "Q5_K": [0, 2], "Q6_K": [208]}
    for name, places in scales.items():
        kind = gguf.GGMLQuantizationType[name]
        size, count = gguf.GGML_QUANT_SIZES[kind][1], 3
        raw = rng.integers(0, 256, (count, size), dtype=np.uint8)
        for at in places:
            raw[:, at : at + 2] = rng.normal(0, 0.1, count).astype(np.float16).view(np.uint8).reshape(count, 2)
        out[name.lower() + ".blocks"] = torch.from_numpy(raw)
        out[name.lower() + ".values"] = torch.from_numpy(gguf.quants.dequantize(raw, kind)).clone()
    every = torch.arange(256, dtype=torch.int32).to(torch.uint8)
    for name, dtype in (("f8_e4m3", torch.float8_e4m3fn), ("f8_e5m2", torch.float8_e5m2)):
        out[name + ".blocks"] = every.reshape(256, 1).clone()
        out[name + ".values"] = every.view(dtype).float()
    save_file(out, path)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(here, "fixtures", "containers"))
    root = parser.parse_args().out
    shutil.rmtree(root, ignore_errors=True)
    for name in ("folder", "official", "comfy", "gguf", "lora"):
        os.makedirs(os.path.join(root, name))
    at = lambda *p: os.path.join(root, *p)

    dit_config = dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=16, in_channels=4, out_channels=4, text_dim=32, freq_dim=32,
                      ffn_dim=64, num_layers=2, cross_attn_norm=True, rope_max_seq_len=64)
    dit = simple(WanTransformer3DModel(**dit_config))
    t5 = simple(UMT5EncoderModel(UMT5Config(vocab_size=60, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, dropout_rate=0.0)))
    vae = simple(AutoencoderKLWan(base_dim=2, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2))
    vae22 = simple(AutoencoderKLWan(base_dim=2, decoder_base_dim=4, z_dim=4, dim_mult=[1, 2, 2, 2], num_res_blocks=1, is_residual=True,
                                    in_channels=12, out_channels=12, patch_size=2, scale_factor_spatial=16,
                                    latents_mean=[0.0] * 4, latents_std=[1.0] * 4))
    for part, model in (("transformer", dit), ("text_encoder", t5), ("vae", vae), ("vae22", vae22)):
        copy.deepcopy(model).to(torch.bfloat16).save_pretrained(at("folder", part))
        file = at("folder", part, "config.json")
        with open(file) as f:
            config = json.load(f)
        for key in ("_name_or_path", "dtype", "torch_dtype"):
            config.pop(key, None)
        with open(file, "w") as f:
            json.dump(config, f, indent=2, sort_keys=True)
            f.write("\n")
    tokenizer = os.path.join(here, "..", "tiny", "tokenizer.json")

    names = official_dit(copies(dit.state_dict()))
    t5_state = {k: v for k, v in copies(t5.state_dict()).items() if k != "encoder.embed_tokens.weight"}
    t5_names = {swap(k, T5): v for k, v in t5_state.items()}
    vae_names = official_vae(copies(vae.state_dict()), 2)

    # the authors'
    save_file(names, at("official", "dit.safetensors"))
    with open(at("official", "config.json"), "w") as f:
        json.dump({"_class_name": "WanModel", "dim": 32, "eps": 1e-6, "ffn_dim": 64, "freq_dim": 32, "in_dim": 4, "model_type": "t2v",
                   "num_heads": 2, "num_layers": 2, "out_dim": 4, "text_len": 512}, f, indent=2)
        f.write("\n")
    save_file(copies(vae_names, torch.bfloat16), at("official", "vae.safetensors"))
    save_file(copies(official_vae22(copies(vae22.state_dict()), 1), torch.float16), at("official", "vae22.safetensors"))
    save_file(copies(t5_names, torch.bfloat16), at("official", "t5.safetensors"))
    torch.save({k: v.to(torch.bfloat16) for k, v in names.items()}, at("official", "dit.pth"))
    torch.save({k: v.to(torch.float16) for k, v in t5_names.items()}, at("official", "t5.pth"))

    # ComfyUI's: the configs of ComfyUI are in its code, so the head count is told by a config beside here too
    shutil.copy(at("official", "config.json"), at("comfy", "config.json"))
    prefix = "model.diffusion_model."
    f8 = {prefix + k: (v.to(torch.float8_e4m3fn) if v.dim() == 2 else v.to(torch.float16)) for k, v in names.items()}
    save_file(f8, at("comfy", "dit_f8.safetensors"))
    save_file({prefix + k: v.to(torch.float8_e5m2) for k, v in names.items() if v.dim() == 2 and "time_proj" not in k}
              | {prefix + k: v.to(torch.bfloat16) for k, v in names.items() if v.dim() != 2 or "time_proj" in k}, at("comfy", "dit_e5m2.safetensors"))
    scaled, true = {prefix + "scaled_fp8": torch.empty(2, dtype=torch.float8_e4m3fn)}, {}
    scaled[prefix + "scaled_fp8"].zero_()
    for i, (k, v) in enumerate(sorted(names.items())):
        scaled[prefix + k] = v.to(torch.float16)
        if k.startswith("blocks") and v.dim() == 2:
            s = torch.tensor(0.3 + 0.01 * i)
            scaled[prefix + k] = (v * 8).to(torch.float8_e4m3fn)
            scaled[prefix + k[:-6] + "scale_weight"] = s if i % 2 else s.reshape(1)
            scaled[prefix + k[:-6] + "scale_input"] = torch.tensor(3.0)
            true[k] = (v * 8) * s
    save_file(scaled, at("comfy", "dit_scaled.safetensors"))
    with open(tokenizer, "rb") as f:
        packed = torch.frombuffer(bytearray(f.read()), dtype=torch.uint8).clone()
    save_file({k: v.to(torch.float8_e4m3fn) for k, v in t5_state.items()} | {"spiece_model": packed}, at("comfy", "t5_f8.safetensors"))
    save_file({"first_stage_model." + k: v.to(torch.float16) for k, v in vae_names.items()}, at("comfy", "vae.safetensors"))

    # the image encoder: the authors join queries, keys and values
    clip = simple(CLIPVisionModel(CLIPVisionConfig(hidden_size=64, intermediate_size=32, num_hidden_layers=2, num_attention_heads=1, image_size=4,
                                                   patch_size=2, hidden_act="gelu")))
    state = {k if k.startswith("vision_model.") else "vision_model." + k: v for k, v in copies(clip.state_dict()).items()}
    state = {k: v for k, v in state.items() if "position_ids" not in k}
    os.makedirs(at("folder", "image_encoder"))
    save_file(copies(state, torch.bfloat16), at("folder", "image_encoder", "model.safetensors"))
    with open(at("folder", "image_encoder", "config.json"), "w") as f:
        json.dump({"architectures": ["CLIPVisionModel"], "hidden_act": "gelu", "hidden_size": 64, "image_size": 4, "intermediate_size": 32,
                   "layer_norm_eps": 1e-05, "model_type": "clip_vision_model", "num_attention_heads": 1, "num_channels": 3, "num_hidden_layers": 2,
                   "patch_size": 2}, f, indent=2)
        f.write("\n")
    save_file(copies(state, torch.float16) | {"visual_projection.weight": torch.zeros(2, 64)}, at("comfy", "clip.safetensors"))
    joined = {"visual.head": torch.zeros(64, 2), "log_scale": torch.zeros(1), "textual.x": torch.zeros(1)}
    for k, v in state.items():
        k = swap(k, [("vision_model.embeddings.class_embedding", "visual.cls_embedding"), ("vision_model.embeddings.patch_embedding", "visual.patch_embedding"),
                     ("vision_model.embeddings.position_embedding.weight", "visual.pos_embedding"), ("vision_model.pre_layrnorm", "visual.pre_norm"),
                     ("vision_model.post_layernorm", "visual.post_norm"), ("vision_model.encoder.layers", "visual.transformer"), ("layer_norm", "norm"),
                     ("self_attn.out_proj", "attn.proj"), ("mlp.fc1", "mlp.0"), ("mlp.fc2", "mlp.2")])
        if ".self_attn.q_proj." in k:
            v = torch.cat([state[k.replace("visual.transformer", "vision_model.encoder.layers").replace("q_proj", x + "_proj")] for x in "qkv"])
            k = k.replace("self_attn.q_proj", "attn.to_qkv")
        if ".self_attn." not in k:
            joined[k] = v.reshape((1, 1, 64) if k.endswith("cls_embedding") else (1, 5, 64) if k.endswith("pos_embedding") else v.shape)
    joined = {k: v.to(torch.float16) for k, v in joined.items()}
    k = "visual.transformer.0.mlp.0.weight"
    joined[k] = joined[k].t().contiguous().t()  # not contiguous in the file
    k = "visual.patch_embedding.weight"
    joined[k] = joined[k].contiguous(memory_format=torch.channels_last)
    torch.save(joined, at("official", "clip.pth"))

    # GGUF
    shutil.copy(at("official", "config.json"), at("gguf", "config.json"))
    Q = gguf.GGMLQuantizationType
    write_gguf(at("gguf", "dit_f16.gguf"), "wan", names, Q.F16)
    write_gguf(at("gguf", "dit_q8_0.gguf"), "wan", names, Q.Q8_0)
    write_gguf(at("gguf", "dit_q4_1.gguf"), "wan", names, Q.Q4_1)
    short = {swap(k, T5_GGUF): v for k, v in t5_state.items()}
    write_gguf(at("gguf", "t5_f16.gguf"), "t5encoder", short, Q.F16, [lambda w: w.add_context_length(512), lambda w: w.add_block_count(2)])
    with open(tokenizer) as f:
        vocab = json.load(f)["model"]["vocab"]

    def words(w):  # as llama.cpp's converter writes a sentencepiece model
        kinds = {"<pad>": gguf.TokenType.CONTROL, "</s>": gguf.TokenType.CONTROL, "<unk>": gguf.TokenType.UNKNOWN}
        w.add_tokenizer_model("t5")
        w.add_token_list([piece for piece, _ in vocab])
        w.add_token_scores([score for _, score in vocab])
        w.add_token_types([kinds.get(piece, gguf.TokenType.NORMAL) for piece, _ in vocab])
        w.add_add_space_prefix(True)
        w.add_eos_token_id(1)
        w.add_unk_token_id(2)

    write_gguf(at("gguf", "t5_q4_0.gguf"), "t5encoder", short, Q.Q4_0, [words])
    blocks(at("blocks.safetensors"))

    # what torch makes of them
    cases = {}
    x = torch.randn(1, 4, 3, 4, 6, generator=G)
    t = torch.tensor([437.5])
    text = torch.randn(1, 9, 32, generator=G)
    cases.update(latent=x[0], timestep=t, text=text[0])

    def velocity(state, what):
        model = WanTransformer3DModel(**dit_config).float().eval()
        model.load_state_dict(convert_wan_transformer_to_diffusers({k: v.float() for k, v in state.items()}))
        with torch.no_grad():
            cases[what] = model(x, t, text).sample[0].contiguous()

    velocity(names, "velocity")
    velocity(names | true, "velocity_scaled")
    for kind in ("q8_0", "q4_1"):
        velocity(dequantized(names, Q[kind.upper()]), "velocity_" + kind)

    # LoRAs: rank 4 on two kinds of layers, one of them with its own alpha
    rank, strength = 4, 0.75
    targets = {"blocks.0.self_attn.q": ("blocks.0.attn1.to_q", 8.0), "blocks.1.ffn.0": ("blocks.1.ffn.net.0.proj", 4.0),
               "blocks.1.cross_attn.o": ("blocks.1.attn2.to_out.0", 2.0)}
    peft, kohya, comfy, merged = {}, {}, {}, dict(names)
    for old, (new, alpha) in targets.items():
        w = names[old + ".weight"]
        down, up = torch.randn(rank, w.shape[1], generator=G) * 0.2, torch.randn(w.shape[0], rank, generator=G) * 0.2
        scale = math.sqrt(alpha / rank)
        peft[f"transformer.{new}.lora_A.weight"], peft[f"transformer.{new}.lora_B.weight"] = down * scale, up * scale
        for there, name in ((kohya, "lora_unet_" + old.replace(".", "_")), (comfy, "diffusion_model." + old)):
            there[name + ".lora_down.weight"], there[name + ".lora_up.weight"], there[name + ".alpha"] = down, up, torch.tensor(alpha)
        merged[old + ".weight"] = w + strength * (alpha / rank) * (up @ down)
    bias = torch.randn(32, generator=G) * 0.1
    comfy["diffusion_model.blocks.0.self_attn.k.diff_b"] = bias
    save_file(copies(peft), at("lora", "peft.safetensors"))
    save_file(copies(kohya), at("lora", "kohya.safetensors"))
    save_file(copies(comfy), at("lora", "comfy.safetensors"))
    velocity(merged, "velocity_lora")
    velocity(merged | {"blocks.0.self_attn.k.bias": names["blocks.0.self_attn.k.bias"] + strength * bias}, "velocity_lora_bias")

    video = torch.rand(1, 3, 5, 16, 24, generator=G) * 2 - 1
    video22 = torch.rand(1, 3, 5, 16, 32, generator=G) * 2 - 1
    with torch.no_grad():
        for what, model, v in (("vae", vae, video), ("vae22", vae22, video22)):
            mean = model.encode(v).latent_dist.mean
            m = torch.tensor(model.config.latents_mean).view(1, -1, 1, 1, 1)
            s = torch.tensor(model.config.latents_std).view(1, -1, 1, 1, 1)
            z = torch.randn(mean.shape, generator=G) * 0.1
            cases[what + "_video"], cases[what + "_latent"] = v[0].contiguous(), ((mean - m) / s)[0].contiguous()
            cases[what + "_z"], cases[what + "_decoded"] = z[0].contiguous(), model.decode(z * s + m).sample.clamp(-1, 1)[0].contiguous()
        assert float(cases["vae_decoded"].std()) > 1e-3 and float(cases["vae22_decoded"].std()) > 1e-3
    save_file(cases, at("cases.safetensors"))
    doubles(os.path.join(root, "doubles"))
    for folder, _, files in os.walk(root):
        for file in files:
            os.chmod(os.path.join(folder, file), 0o644)


if __name__ == "__main__":
    main()
