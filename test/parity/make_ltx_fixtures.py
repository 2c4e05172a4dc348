"""Fixtures of LTX-Video: small random models and what diffusers 0.42.1 and transformers 5.23 make of random inputs.

    python make_ltx_fixtures.py [--out fixtures]

The layout is that of make_fixtures.py: fixtures/ltx, fixtures/ltxodd with transformer, vae and text_encoder.
"""
import argparse
import os

import torch
from diffusers import (AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXConditionPipeline, LTXImageToVideoPipeline, LTXPipeline,
                       LTXVideoTransformer3DModel)
from diffusers.pipelines.ltx import pipeline_ltx_condition as condition
from diffusers.pipelines.ltx import pipeline_ltx_image2video as image2video
from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition
from PIL import Image
from make_fixtures import Cases, folder_of, forget_paths, index, perturb
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel

torch.set_num_threads(1)


def pack(latents, p, pt):
    """Tokens as the pipeline makes them."""
    b, c, t, h, w = latents.shape
    x = latents.reshape(b, c, t // pt, pt, h // p, p, w // p, p)
    return x.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4, 7).flatten(1, 3)


def unpack(tokens, t, h, w, p, pt):
    x = tokens.reshape(tokens.shape[0], t // pt, h // p, w // p, -1, pt, p, p)
    return x.permute(0, 4, 1, 5, 2, 6, 3, 7).flatten(6, 7).flatten(4, 5).flatten(2, 3)


def transformer(root, name, seed, cases, **config):
    folder = folder_of(root, name)
    torch.manual_seed(seed)
    model = LTXVideoTransformer3DModel(**config).float().eval()
    perturb(model, seed)
    path = os.path.join(folder, "transformer")
    model.save_pretrained(path)
    forget_paths(path)
    out = Cases(folder, "transformer")
    g = torch.Generator().manual_seed(seed + 1)
    p, pt = model.config.patch_size, model.config.patch_size_t
    for case, c in cases.items():
        b, t, h, w, rows = c["shape"]
        latent = torch.randn(b, model.config.in_channels // (p * p * pt), t, h, w, generator=g)
        text = torch.randn(b, rows, model.config.caption_channels, generator=g)
        tokens = (t // pt) * (h // p) * (w // p)
        timestep = torch.rand(*((b, tokens) if c.get("tokens") else (b,)), generator=g) * 1000
        extra, mask = {}, torch.ones(b, rows)
        if "lengths" in c:
            extra["lengths"] = torch.tensor(c["lengths"])
            for i, n in enumerate(c["lengths"]):
                mask[i, n:] = 0
        if "scale" in c:
            extra["scale"] = torch.tensor(c["scale"], dtype=torch.float64)
        model.zero_grad()
        y = model(pack(latent, p, pt), text, timestep, mask, num_frames=t // pt, height=h // p, width=w // p,
                  rope_interpolation_scale=tuple(c["scale"]) if "scale" in c else None).sample
        y = unpack(y, t, h, w, p, pt)
        out.put(case, latent=latent, timestep=timestep, text=text, velocity=y, **extra)
        if c.get("grad"):
            target = torch.randn(y.shape, generator=g)
            loss = torch.nn.functional.mse_loss(y, target)
            loss.backward()
            out.put(case, target=target, loss=loss.reshape(1))
            out.grads(case, model)
    out.write()


def autoencoder(root, name, seed, cases, **config):
    folder = folder_of(root, name)
    torch.manual_seed(seed)
    g = torch.Generator().manual_seed(seed + 1)
    model = AutoencoderKLLTXVideo(**config).float().eval()
    perturb(model, seed)
    z = config["latent_channels"]
    model.latents_mean.copy_(torch.randn(z, generator=g))
    model.latents_std.copy_(1 + 2 * torch.rand(z, generator=g))
    if config.get("timestep_conditioning"):
        model.decoder.timestep_scale_multiplier.data.fill_(900.0)
    path = os.path.join(folder, "vae")
    model.save_pretrained(path)
    forget_paths(path)
    mean, std = (v.view(1, z, 1, 1, 1) for v in (model.latents_mean, model.latents_std))
    scaling = model.config.scaling_factor
    out = Cases(folder, "vae")
    for case, c in cases.items():
        b, t, h, w = c["shape"]
        video = torch.rand(b, 3, t, h, w, generator=g) * 2 - 1
        model.zero_grad()
        posterior = model.encode(video).latent_dist
        m = posterior.mean
        out.put(case, video=video, mean=m, logvar=posterior.logvar[:, :1], latent_out=(m - mean) * scaling / std)
        if c.get("grad"):
            target = torch.randn(m.shape, generator=g)
            loss = torch.nn.functional.mse_loss(m, target)
            loss.backward()
            out.put(case, target_mean=target, encode_loss=loss.reshape(1))
            out.grads(case, model)
        latent = torch.randn(m.shape, generator=g)
        temb = None
        if model.config.timestep_conditioning:
            temb = torch.rand(b, generator=g) * 0.1
            out.put(case, decode_timestep=temb)
        model.zero_grad()
        raw = model.decode(latent * std / scaling + mean, temb).sample
        out.put(case, z=latent, raw=raw)
        if c.get("grad"):
            target = torch.randn(raw.shape, generator=g)
            loss = torch.nn.functional.mse_loss(raw, target)
            loss.backward()
            out.put(case, target=target, decode_loss=loss.reshape(1))
            out.grads(case, model)
    out.write()


def text_encoder(root, name, seed):
    folder = folder_of(root, name)
    torch.manual_seed(seed)
    config = T5Config(vocab_size=50, d_model=20, d_kv=6, d_ff=28, num_layers=3, num_heads=4, dropout_rate=0.0,
                      feed_forward_proj="gated-gelu", relative_attention_num_buckets=16, relative_attention_max_distance=64)
    model = T5EncoderModel(config).float().eval()
    perturb(model, seed, 0.7)
    path = os.path.join(folder, "text_encoder")
    model.save_pretrained(path)
    forget_paths(path)
    out = Cases(folder, "text_encoder")
    g = torch.Generator().manual_seed(seed + 1)
    for case, lengths, longest, grad in (("batch", [11, 4], 11, True), ("padded", [7], 16, False), ("long", [130], 130, False)):
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


def small(root, name, kind, **schedule):
    """A pipeline of small random parts, in a folder of its own."""
    folder = folder_of(root, name)
    torch.manual_seed(61)
    transformer = LTXVideoTransformer3DModel(in_channels=6, out_channels=6, num_attention_heads=2, attention_head_dim=12, cross_attention_dim=24,
                                             num_layers=2, caption_channels=8).float().eval()
    vae = AutoencoderKLLTXVideo(latent_channels=6, block_out_channels=(4, 8), decoder_block_out_channels=(4, 8), layers_per_block=(1, 1, 1),
                                decoder_layers_per_block=(1, 1, 1), spatio_temporal_scaling=(True, False),
                                decoder_spatio_temporal_scaling=(True, False), down_block_types=("LTXVideoDownBlock3D",) * 2,
                                downsample_type=("conv",) * 2, upsample_residual=(False,) * 2, upsample_factor=(1, 1),
                                decoder_inject_noise=(False,) * 3, patch_size=4).float().eval()
    perturb(transformer, 61)
    perturb(vae, 62)
    vae.latents_mean.copy_(torch.linspace(-1, 1, 6))
    vae.latents_std.copy_(torch.linspace(0.5, 2, 6))
    pipe = kind(FlowMatchEulerDiscreteScheduler(**schedule), vae, None, None, transformer)
    pipe.set_progress_bar_config(disable=True)
    for part in ("transformer", "vae", "scheduler"):
        getattr(pipe, part).save_pretrained(os.path.join(folder, part))
    for part in ("transformer", "vae"):
        forget_paths(os.path.join(folder, part))
    index(root, name, _class_name=kind.__name__, _diffusers_version="0.42.1", scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"],
          transformer=["diffusers", "LTXVideoTransformer3DModel"], vae=["diffusers", "AutoencoderKLLTXVideo"])
    return pipe


DYNAMIC = dict(use_dynamic_shifting=True, base_shift=0.95, max_shift=2.05, base_image_seq_len=1024, max_image_seq_len=4096, shift_terminal=0.1)


def texts(g):
    """Two, shorter than their rows, and their masks."""
    text, negative = torch.randn(2, 1, 128, 8, generator=g).unbind(0)
    masks = torch.ones(2, 1, 128)
    for i, (t, n) in enumerate(((text, 5), (negative, 2))):
        masks[i, :, n:] = 0
        t[:, n:] = 0
    return text, negative, masks


def loop(root):
    """The pipeline's sampling loop and its decoding, with a text that is shorter than its rows."""
    pipe = small(root, "loop_ltx", LTXPipeline, **DYNAMIC)
    g = torch.Generator().manual_seed(63)
    tensors = {}
    for case, steps, guidance, frames, height, width in (("guided", 5, 3.0, 5, 32, 64), ("plain", 3, 1.0, 3, 32, 32)):
        t, h, w = 1 + (frames - 1) // 2, height // 8, width // 8
        noise = torch.randn(1, 6, t, h, w, generator=g)
        text, negative, masks = texts(g)
        call = dict(height=height, width=width, num_frames=frames, frame_rate=25, num_inference_steps=steps, guidance_scale=guidance,
                    prompt_embeds=text, prompt_attention_mask=masks[0], negative_prompt_embeds=negative, negative_prompt_attention_mask=masks[1])
        latent = unpack(pipe(**call, latents=pack(noise, 1, 1), output_type="latent").frames, t, h, w, 1, 1)
        video = torch.from_numpy(pipe(**call, latents=pack(noise, 1, 1), output_type="np").frames[0])
        tensors.update({f"{case}/{name}": v.float().contiguous().clone() for name, v in dict(
            noise=noise[0], text=text[0], negative=negative[0], latent=latent[0], decoded=video.permute(3, 0, 1, 2) * 2 - 1, frames=video,
            settings=torch.tensor([width, height, frames, steps, guidance, -1, 1])).items()})
    save_file(tensors, os.path.join(root, "loop_ltx.cases.safetensors"))


def loop_image(root):
    """From a picture: its tokens stand at timestep 0. What the pipeline draws is given instead: the mean of the encoded picture, and the noise."""
    pipe = small(root, "loop_ltx_i2v", LTXImageToVideoPipeline, **DYNAMIC)
    g = torch.Generator().manual_seed(64)
    tensors = {}
    image2video.retrieve_latents = lambda output, generator: output.latent_dist.mode()
    for case, steps, guidance, frames, height, width in (("guided", 5, 3.0, 5, 32, 64), ("plain", 3, 1.0, 3, 32, 32), ("one", 3, 3.0, 1, 32, 32)):
        t, h, w = 1 + (frames - 1) // 2, height // 8, width // 8
        noise = torch.randn(1, 6, t, h, w, generator=g)
        image = torch.randint(0, 256, (height + 13, width - 5, 3), generator=g, dtype=torch.uint8)
        text, negative, masks = texts(g)
        image2video.randn_tensor = lambda *_, **__: noise
        call = dict(height=height, width=width, num_frames=frames, frame_rate=25, num_inference_steps=steps, guidance_scale=guidance,
                    prompt_embeds=text, prompt_attention_mask=masks[0], negative_prompt_embeds=negative, negative_prompt_attention_mask=masks[1],
                    image=Image.fromarray(image.numpy()))
        latent = unpack(pipe(**call, output_type="latent").frames, t, h, w, 1, 1)
        video = torch.from_numpy(pipe(**call, output_type="np").frames[0])
        tensors.update({f"{case}/{name}": v.float().contiguous().clone() for name, v in dict(
            noise=noise[0], text=text[0], negative=negative[0], condition=latent[0, :, :1], latent=latent[0], frames=video,
            settings=torch.tensor([width, height, frames, steps, guidance, -1, 1])).items()})
        tensors[f"{case}/image"] = image
    save_file(tensors, os.path.join(root, "loop_ltx_i2v.cases.safetensors"))


def loop_condition(root):
    """Pictures and clips anywhere: at the first frame in the video's own tokens, elsewhere as tokens in front of them. Drawn as in loop_image."""
    pipe = small(root, "loop_ltx_condition", LTXConditionPipeline)
    g = torch.Generator().manual_seed(65)
    tensors = {}
    condition.retrieve_latents = lambda output, generator: output.latent_dist.mode()
    for case, steps, guidance, frames, height, width, given in (
            ("none", 5, 3.0, 5, 32, 32, ()),
            ("one", 1, 1.0, 3, 32, 32, ()),
            ("first", 4, 3.0, 5, 32, 64, ((0, 1),)),
            ("key", 4, 3.0, 7, 32, 32, ((5, 1),)),
            ("clip", 3, 1.0, 13, 32, 32, ((4, 7),)),
            ("short", 3, 3.0, 9, 32, 32, ((2, 3), (7, 1))),
            ("all", 4, 3.0, 13, 32, 32, ((0, 3), (4, 6), (11, 1)))):
        t, h, w = 1 + (frames - 1) // 2, height // 8, width // 8
        noise = torch.randn(1, 6, t, h, w, generator=g)
        clips = [torch.randint(0, 256, (n, height, width, 3), generator=g, dtype=torch.uint8) for _, n in given]
        text, negative, masks = texts(g)
        condition.randn_tensor = lambda shape, **_: noise if tuple(shape) == tuple(noise.shape) else torch.zeros(shape)
        pictures = [[Image.fromarray(f.numpy()) for f in clip] for clip in clips]
        call = dict(height=height, width=width, num_frames=frames, frame_rate=25, num_inference_steps=steps, guidance_scale=guidance,
                    prompt_embeds=text, prompt_attention_mask=masks[0], negative_prompt_embeds=negative, negative_prompt_attention_mask=masks[1],
                    conditions=[LTXVideoCondition(image=p[0] if len(p) == 1 else None, video=p if len(p) > 1 else None, frame_index=at)
                                for p, (at, _) in zip(pictures, given)] or None, image_cond_noise_scale=0.0)
        latent = pipe(**call, output_type="latent").frames
        video = torch.from_numpy(pipe(**call, output_type="np").frames[0])
        tensors.update({f"{case}/{name}": v.float().contiguous().clone() for name, v in dict(
            noise=noise[0], text=text[0], negative=negative[0], latent=latent[0], frames=video,
            settings=torch.tensor([width, height, frames, steps, guidance, -1, 1])).items()})
        tensors.update({f"{case}/condition{at}": clip for clip, (at, _) in zip(clips, given)})
    save_file(tensors, os.path.join(root, "loop_ltx_condition.cases.safetensors"))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(here, "fixtures"))
    root = parser.parse_args().out
    transformer(
        root, "ltx", 51,
        {
            "plain": {"shape": (2, 2, 3, 4, 5), "grad": True, "lengths": [5, 3], "scale": (8 / 25, 32, 32)},
            "tokens": {"shape": (1, 3, 2, 4, 6), "tokens": True, "scale": (8 / 24, 32, 32), "grad": True},
            "bare": {"shape": (1, 2, 4, 3, 7)},
        },
        in_channels=7, out_channels=7, num_attention_heads=4, attention_head_dim=10, cross_attention_dim=40, num_layers=2,
        caption_channels=9,
    )
    transformer(
        root, "ltxodd", 52,
        {"plain": {"shape": (2, 4, 6, 4, 3), "grad": True, "lengths": [1, 3], "scale": (0.5, 8, 8)}},
        in_channels=24, out_channels=16, patch_size=2, patch_size_t=2, num_attention_heads=3, attention_head_dim=8, cross_attention_dim=24,
        num_layers=3, caption_channels=6, attention_bias=False, attention_out_bias=False, norm_elementwise_affine=True, norm_eps=1e-4,
    )
    autoencoder(
        root, "ltx", 53,
        {"nine": {"shape": (1, 9, 64, 96), "grad": True}, "one": {"shape": (2, 1, 64, 32)}, "seventeen": {"shape": (1, 17, 32, 32)}},
        latent_channels=7, block_out_channels=(6, 12, 12, 10), decoder_block_out_channels=(6, 12, 12, 10), layers_per_block=(1, 1, 2, 1, 1),
        decoder_layers_per_block=(2, 1, 1, 1, 1),
    )
    autoencoder(
        root, "ltxodd", 54,
        {"five": {"shape": (2, 5, 16, 8)}, "one": {"shape": (1, 1, 8, 8)}},
        latent_channels=5, block_out_channels=(6, 8), decoder_block_out_channels=(8, 16), layers_per_block=(1, 2, 0),
        decoder_layers_per_block=(1, 2, 1), spatio_temporal_scaling=(True, True), decoder_spatio_temporal_scaling=(True, True),
        down_block_types=("LTXVideoDownBlock3D",) * 2, downsample_type=("conv",) * 2, upsample_residual=(True, True), upsample_factor=(2, 2),
        decoder_inject_noise=(False,) * 3, timestep_conditioning=True, patch_size=2, decoder_causal=True, encoder_causal=False,
        scaling_factor=0.75, resnet_norm_eps=1e-4,
    )
    autoencoder(
        root, "ltx095", 56,
        {"nine": {"shape": (1, 9, 32, 64), "grad": True}, "one": {"shape": (2, 1, 32, 32)}},
        latent_channels=6, block_out_channels=(8, 16, 16, 32), decoder_block_out_channels=(8, 16, 16), layers_per_block=(1, 1, 2, 1),
        decoder_layers_per_block=(1, 1, 1, 2), spatio_temporal_scaling=(True,) * 3, decoder_spatio_temporal_scaling=(True, True, True),
        down_block_types=("LTXVideo095DownBlock3D",) * 3, downsample_type=("spatial", "temporal", "spatiotemporal"),
        upsample_residual=(True, True, True), upsample_factor=(1, 1, 1), decoder_inject_noise=(False,) * 4, patch_size=4,
        spatial_compression_ratio=16, temporal_compression_ratio=4,
    )
    text_encoder(root, "ltx", 55)
    loop(root)
    loop_image(root)
    loop_condition(root)


if __name__ == "__main__":
    main()
