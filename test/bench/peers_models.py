"""Model folders of true Wan shapes with random weights in bf16, and the work that one pass through them is. NumPy only."""
import json
import os

import numpy as np

from random_weights import Noise, write_safetensors

TRANSFORMER = dict(_class_name="WanTransformer3DModel", patch_size=[1, 2, 2], num_attention_heads=12, attention_head_dim=128, in_channels=16,
                   out_channels=16, text_dim=4096, freq_dim=256, ffn_dim=8960, num_layers=30, cross_attn_norm=True,
                   qk_norm="rms_norm_across_heads", eps=1e-6, rope_max_seq_len=1024, image_dim=None, added_kv_proj_dim=None)
VAE = dict(_class_name="AutoencoderKLWan", base_dim=96, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
           temperal_downsample=[False, True, True], dropout=0.0, latents_mean=[0.0] * 16, latents_std=[1.0] * 16)
# UMT5-XXL but for the number of layers (24 there), so that two sides fit into memory at once, and the vocabulary.
TEXT = dict(architectures=["UMT5EncoderModel"], model_type="umt5", d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=4,
            vocab_size=4096, relative_attention_num_buckets=32, relative_attention_max_distance=128, layer_norm_epsilon=1e-6,
            feed_forward_proj="gated-gelu", dropout_rate=0.0, tie_word_embeddings=False)
TEXT_ROWS = 512


def transformer_shapes(c=TRANSFORMER):
    dim, ff = c["num_attention_heads"] * c["attention_head_dim"], c["ffn_dim"]
    patch = int(np.prod(c["patch_size"]))
    shapes = {"patch_embedding.weight": [dim, c["in_channels"], *c["patch_size"]], "patch_embedding.bias": [dim],
              "scale_shift_table": [1, 2, dim]}

    def linear(name, out, inner):
        shapes[name + ".weight"], shapes[name + ".bias"] = [out, inner], [out]

    linear("condition_embedder.time_embedder.linear_1", dim, c["freq_dim"])
    linear("condition_embedder.time_embedder.linear_2", dim, dim)
    linear("condition_embedder.time_proj", 6 * dim, dim)
    linear("condition_embedder.text_embedder.linear_1", dim, c["text_dim"])
    linear("condition_embedder.text_embedder.linear_2", dim, dim)
    linear("proj_out", patch * c["out_channels"], dim)
    for i in range(c["num_layers"]):
        block = f"blocks.{i}."
        shapes[block + "scale_shift_table"] = [1, 6, dim]
        shapes[block + "norm2.weight"] = shapes[block + "norm2.bias"] = [dim]
        for attn in ("attn1.", "attn2."):
            for part in ("to_q", "to_k", "to_v", "to_out.0"):
                linear(block + attn + part, dim, dim)
            shapes[block + attn + "norm_q.weight"] = shapes[block + attn + "norm_k.weight"] = [dim]
        linear(block + "ffn.net.0.proj", ff, dim)
        linear(block + "ffn.net.2", dim, ff)
    return shapes


def transformer_work(tokens, rows=TEXT_ROWS, c=TRANSFORMER):
    """Operations of the matrix products of one pass, keys and values of the text included."""
    dim, ff = c["num_attention_heads"] * c["attention_head_dim"], c["ffn_dim"]
    layer = tokens * (6 * dim * dim + 2 * dim * ff) + rows * 2 * dim * dim + 2 * tokens * (tokens + rows) * dim
    text = rows * (c["text_dim"] + dim) * dim
    return 2 * (c["num_layers"] * layer + text + tokens * 2 * dim * int(np.prod(c["patch_size"])) * c["in_channels"])


def vae_decoder(c=VAE):
    """(name, out, in, kt, kh, kw, level) of every convolution; level: how often space and time have been doubled before it."""
    dims, convs = [c["base_dim"] * m for m in reversed(c["dim_mult"])], []
    dim, space, time = dims[0], 0, 0

    def conv(name, out, inner, *k):
        convs.append((name, out, inner, k, space, time))

    def block(name, inner, out):
        conv(name + ".conv1", out, inner, 3, 3, 3)
        conv(name + ".conv2", out, out, 3, 3, 3)
        if inner != out:
            conv(name + ".conv_shortcut", out, inner, 1, 1, 1)

    conv("post_quant_conv", c["z_dim"], c["z_dim"], 1, 1, 1)
    conv("decoder.conv_in", dim, c["z_dim"], 3, 3, 3)
    for i in range(2):
        block(f"decoder.mid_block.resnets.{i}", dim, dim)
    conv("decoder.mid_block.attentions.0.to_qkv", 3 * dim, dim, 1, 1)
    conv("decoder.mid_block.attentions.0.proj", dim, dim, 1, 1)
    for i, out in enumerate(dims):
        for j in range(c["num_res_blocks"] + 1):
            block(f"decoder.up_blocks.{i}.resnets.{j}", dim, out)
            dim = out
        if i + 1 < len(dims):
            name = f"decoder.up_blocks.{i}.upsamplers.0."
            if c["temperal_downsample"][-1 - i]:
                conv(name + "time_conv", 2 * dim, dim, 3, 1, 1)
                time += 1
            space += 1
            conv(name + "resample.1", dim // 2, dim, 3, 3)
            dim //= 2
    conv("decoder.conv_out", 3, dim, 3, 3, 3)
    return convs


def vae_shapes(c=VAE):
    """The decoder's half."""
    shapes = {"decoder.norm_out.gamma": [c["base_dim"], 1, 1, 1],
              "decoder.mid_block.attentions.0.norm.gamma": [c["base_dim"] * c["dim_mult"][-1], 1, 1]}
    for name, out, inner, k, _, _ in vae_decoder(c):
        shapes[name + ".weight"], shapes[name + ".bias"] = [out, inner, *k], [out]
        if name.endswith((".conv1", ".conv2")):
            shapes[f"{name[:-6]}.norm{name[-1]}.gamma"] = [inner, 1, 1, 1]
    return shapes


def vae_work(latent, c=VAE):
    """Operations of the products that decoding a latent [T, h, w] takes. Frames of zeros before the clip count as done."""
    t, h, w = latent
    total = 2 * 2 * t * (h * w) ** 2 * c["base_dim"] * c["dim_mult"][-1]
    for name, out, inner, k, space, time in vae_decoder(c):
        frames = (t - 1) * 2**time + 1 - (2 ** time if name.endswith("time_conv") else 0)
        total += 2 * frames * h * w * 4**space * out * inner * int(np.prod(k))
    return total


def text_shapes(c=TEXT):
    d, inner = c["d_model"], c["num_heads"] * c["d_kv"]
    shapes = {"shared.weight": [c["vocab_size"], d], "encoder.final_layer_norm.weight": [d]}
    for i in range(c["num_layers"]):
        attention, dense = f"encoder.block.{i}.layer.0.", f"encoder.block.{i}.layer.1."
        shapes[attention + "layer_norm.weight"] = shapes[dense + "layer_norm.weight"] = [d]
        for part in "qkv":
            shapes[f"{attention}SelfAttention.{part}.weight"] = [inner, d]
        shapes[attention + "SelfAttention.o.weight"] = [d, inner]
        shapes[attention + "SelfAttention.relative_attention_bias.weight"] = [c["relative_attention_num_buckets"], c["num_heads"]]
        for part in ("wi_0", "wi_1"):
            shapes[f"{dense}DenseReluDense.{part}.weight"] = [c["d_ff"], d]
        shapes[dense + "DenseReluDense.wo.weight"] = [d, c["d_ff"]]
    return shapes


def text_work(tokens, c=TEXT):
    inner = c["num_heads"] * c["d_kv"]
    return 2 * c["num_layers"] * tokens * (4 * c["d_model"] * inner + 3 * c["d_model"] * c["d_ff"] + 2 * tokens * inner)


def write(folder, config, file, shapes):
    """config, and the weights as one file; what is there stays."""
    path = os.path.join(folder, file)
    if os.path.exists(path):
        return
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=1)
    write_safetensors(path, shapes.items(), True, Noise())


def make(folder):
    """Everything but the tokenizer; what is there stays."""
    write(f"{folder}/transformer", TRANSFORMER, "diffusion_pytorch_model.safetensors", transformer_shapes())
    write(f"{folder}/vae", VAE, "diffusion_pytorch_model.safetensors", vae_shapes())
    write(f"{folder}/text_encoder", TEXT, "model.safetensors", text_shapes())
    index = dict(_class_name="WanPipeline", _diffusers_version="0.42.1", transformer=["diffusers", "WanTransformer3DModel"],
                 vae=["diffusers", "AutoencoderKLWan"], text_encoder=["transformers", "UMT5EncoderModel"],
                 tokenizer=["transformers", "T5TokenizerFast"], scheduler=["diffusers", "UniPCMultistepScheduler"])
    os.makedirs(f"{folder}/scheduler", exist_ok=True)
    with open(f"{folder}/scheduler/scheduler_config.json", "w") as f:
        json.dump(dict(_class_name="UniPCMultistepScheduler", flow_shift=3.0, prediction_type="flow_prediction", use_flow_sigmas=True,
                       num_train_timesteps=1000), f)
    with open(f"{folder}/model_index.json", "w") as f:
        json.dump(index, f, indent=1)
