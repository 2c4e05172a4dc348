"""Fixtures of whole sampling loops: small random models, run through the pipelines of diffusers 0.42.1.

    python make_pipeline_fixtures.py [--out fixtures] [NAME ...]     (torch, diffusers 0.42.1, transformers, Pillow, safetensors)

fixtures/loop_NAME is a model folder as diffusers has it; beside it loop_NAME.cases.safetensors with, per case: what goes in (noise, text,
negative, image, last_image, video, mask, reference0 ..., pictures as bytes), settings f32 [width, height, frames, steps, guidance,
guidance_2, control_scale], and what must come out (image_embeds, condition, control, latent, frames f32 [F, H, W, 3] in 0..1).
"""
import argparse
import json
import os

import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from make_fixtures import forget_paths, perturb, picture
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

torch.set_num_threads(1)
Z = 3


class Euler(FlowMatchEulerDiscreteScheduler):
    """With timesteps of a distilled model, which the pipelines have no argument for."""

    given = None

    def set_timesteps(self, num_inference_steps=None, device=None, **more):
        if self.given:
            super().set_timesteps(sigmas=[t / 1000 for t in self.given])
        else:
            super().set_timesteps(num_inference_steps, device, **more)


def scheduler(kind, shift):
    if kind == "euler":
        return Euler(shift=shift)
    return UniPCMultistepScheduler(flow_shift=shift, prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000)


def transformer(seed, kind=WanTransformer3DModel, **more):
    config = dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=Z, out_channels=Z, text_dim=6,
                  freq_dim=16, ffn_dim=20, num_layers=1, rope_max_seq_len=64)
    torch.manual_seed(seed)
    model = kind(**{**config, **more}).float().eval()
    perturb(model, seed)
    return model


def autoencoder(seed, **more):
    config = dict(base_dim=4, z_dim=Z, dim_mult=[1, 1, 2, 2], num_res_blocks=1, attn_scales=[], temperal_downsample=[False, True, True],
                  latents_mean=[0.1, -0.2, 0.3], latents_std=[1.5, 2.25, 0.75])
    torch.manual_seed(seed)
    model = AutoencoderKLWan(**{**config, **more}).float().eval()
    perturb(model, seed)
    return model


def encoder(seed):
    torch.manual_seed(seed)
    model = CLIPVisionModel(CLIPVisionConfig(hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, image_size=12,
                                             patch_size=4, hidden_act="gelu")).float().eval()
    perturb(model, seed, 0.7)
    return model, CLIPImageProcessorPil(size={"shortest_edge": 12}, crop_size=12)


def text(root):
    """A text encoder that fits the transformers of all loops, for runs of the program on them (test/tiny/make.sh)."""
    torch.manual_seed(80)
    model = UMT5EncoderModel(UMT5Config(vocab_size=60, d_model=6, d_kv=4, d_ff=8, num_layers=1, num_heads=2, dropout_rate=0.0)).float().eval()
    perturb(model, 80, 0.7)
    path = os.path.join(root, "loop_text", "text_encoder")
    model.save_pretrained(path)
    forget_paths(path)


def save(root, name, pipe, **index):
    folder = os.path.join(root, "loop_" + name)
    os.makedirs(folder, exist_ok=True)
    out = {"_class_name": type(pipe).__name__, "_diffusers_version": "0.42.1", **index}
    for part, module in pipe.components.items():
        if module is None:
            continue
        path = os.path.join(folder, part)
        module.save_pretrained(path)
        if part != "scheduler" and part != "image_processor":
            forget_paths(path)
        out[part] = ["transformers" if part.startswith("image") else "diffusers", type(module).__name__.removesuffix("Pil")]
    if out["scheduler"][1] == "Euler":
        out["scheduler"][1] = "FlowMatchEulerDiscreteScheduler"
        path = os.path.join(folder, "scheduler", "scheduler_config.json")
        with open(path) as f:
            config = json.load(f)
        config["_class_name"] = out["scheduler"][1]
        with open(path, "w") as f:
            json.dump(config, f, indent=2, sort_keys=True)
            f.write("\n")
    with open(os.path.join(folder, "model_index.json"), "w") as f:
        json.dump(out, f, indent=2)
        f.write("\n")


class Loops:
    def __init__(self, root, name, pipe, **index):
        self.root, self.name, self.pipe, self.tensors = root, name, pipe, {}
        self.g = torch.Generator().manual_seed(len(name))
        save(root, name, pipe, **index)
        pipe.set_progress_bar_config(disable=True)
        for method in ("prepare_latents", "encode_image", "prepare_video_latents", "prepare_masks"):
            self.watch(method)

    def watch(self, method):
        """Keeps what a method of the pipeline gave."""
        if not hasattr(self.pipe, method):
            return
        plain = getattr(self.pipe, method)

        def call(*args, **kwargs):
            self.seen[method] = plain(*args, **kwargs)
            return self.seen[method]

        setattr(self.pipe, method, call)

    def put(self, case, **tensors):
        for name, t in tensors.items():
            if t is not None:
                self.tensors[f"{case}/{name}"] = t.detach().contiguous().clone()

    def run(self, case, width=32, height=48, frames=5, steps=3, guidance=4.0, guidance_2=None, control_scale=1.0, given=None, references=(), rows=512,
            **extra):
        z, space = self.pipe.vae.config.z_dim, self.pipe.vae_scale_factor_spatial
        t = 1 + (frames - 1) // 4 + len(references)
        noise = torch.randn(1, z, t, height // space, width // space, generator=self.g)
        text, negative = torch.randn(2, 1, rows, 6, generator=self.g).unbind(0)
        text[:, rows // 2:] = 0
        negative[:, rows // 3:] = 0
        pictures = {k: v for k, v in extra.items() if k in ("image", "last_image")}
        arguments = {k: Image.fromarray(v.numpy()) for k, v in pictures.items()}
        self.put(case, **pictures)
        if "video" in extra:
            self.put(case, video=extra["video"])
            arguments["video"] = [Image.fromarray(f.numpy()) for f in extra["video"]]
        if "mask" in extra:  # bytes there; here bytes or numbers
            self.put(case, mask=extra["mask"] if extra.get("bytes") else extra["mask"].float() / 255)
            arguments["mask"] = [Image.fromarray(f.numpy(), mode="L") for f in extra["mask"]]
        for i, r in enumerate(references):
            self.put(case, **{f"reference{i}": r})
        if references:
            arguments["reference_images"] = [Image.fromarray(r.numpy()) for r in references]
        if control_scale != 1.0:
            arguments["conditioning_scale"] = control_scale
        self.put(case, noise=noise[0], text=text[0], negative=negative[0],
                 settings=torch.tensor([width, height, frames, steps, guidance, -1 if guidance_2 is None else guidance_2, control_scale],
                                       dtype=torch.float32))
        if given:
            self.put(case, given=torch.tensor(given, dtype=torch.float32))
        self.seen = {}
        self.pipe.scheduler.given = given
        call = dict(height=height, width=width, num_frames=frames, num_inference_steps=steps, guidance_scale=guidance,
                    prompt_embeds=text, negative_prompt_embeds=negative, **arguments)
        if guidance_2 is not None:
            call["guidance_scale_2"] = guidance_2
        latent = self.pipe(**call, latents=noise.clone(), output_type="latent").frames
        video = self.pipe(**call, latents=noise.clone(), output_type="np").frames
        self.put(case, latent=latent[0], frames=torch.from_numpy(video[0]))
        made = self.seen.get("prepare_latents")
        if isinstance(made, tuple):
            self.put(case, condition=made[1][0])
        if "encode_image" in self.seen:
            self.put(case, image_embeds=self.seen["encode_image"].flatten(0, 1))
        if "prepare_masks" in self.seen:
            self.put(case, control=torch.cat([self.seen["prepare_video_latents"], self.seen["prepare_masks"]], 1)[0])

    def write(self):
        save_file(self.tensors, os.path.join(self.root, f"loop_{self.name}.cases.safetensors"))


def t2v(root):
    pipe = WanPipeline(None, None, autoencoder(1), scheduler("unipc", 3.0), transformer(2))
    loops = Loops(root, "t2v", pipe)
    loops.run("guided", steps=4, guidance=5.0)
    loops.run("plain", frames=1, steps=2, guidance=1.0)
    loops.write()


def fast(root):
    """A distilled model: three given steps, no guidance."""
    pipe = WanPipeline(None, None, autoencoder(1), scheduler("euler", 1.0), transformer(3))
    loops = Loops(root, "fast", pipe, sora={"timesteps": [1000, 757, 522], "guidance": 1.0})
    loops.run("given", steps=3, guidance=1.0, given=[1000, 757, 522])
    loops.run("other", steps=4, guidance=1.0, given=[1000, 900.5, 600, 20.25])
    loops.write()


def a14b(root):
    pipe = WanPipeline(None, None, autoencoder(1), scheduler("unipc", 4.0), transformer(4, cross_attn_norm=True), transformer(5, num_layers=2),
                       boundary_ratio=0.875)
    loops = Loops(root, "a14b", pipe, boundary_ratio=0.875)
    loops.run("both", steps=6, guidance=4.0, guidance_2=2.5)
    loops.run("same", steps=3, guidance=3.0)
    loops.run("unguided", steps=4, guidance=1.0)
    loops.write()


def i2v(root):
    image, processor = encoder(7)
    pipe = WanImageToVideoPipeline(None, None, autoencoder(1), scheduler("unipc", 5.0), processor, image,
                                   transformer(8, in_channels=2 * Z + 4, image_dim=8, added_kv_proj_dim=24))
    loops = Loops(root, "i2v", pipe)
    loops.run("first", frames=9, image=picture(loops.g, 45, 37))
    loops.run("plain", guidance=1.0, image=picture(loops.g, 32, 48))
    loops.write()


def flf(root):
    image, processor = encoder(7)
    pipe = WanImageToVideoPipeline(None, None, autoencoder(1), scheduler("euler", 5.0), processor, image,
                                   transformer(9, in_channels=2 * Z + 4, image_dim=8, added_kv_proj_dim=24, pos_embed_seq_len=20))
    loops = Loops(root, "flf", pipe)
    loops.run("both", frames=9, steps=3, image=picture(loops.g, 60, 37), last_image=picture(loops.g, 20, 70))
    loops.write()


def i2v_a14b(root):
    pipe = WanImageToVideoPipeline(None, None, autoencoder(1), scheduler("unipc", 5.0), None, None, transformer(10, in_channels=2 * Z + 4),
                                   transformer(11, in_channels=2 * Z + 4), boundary_ratio=0.9)
    loops = Loops(root, "i2v_a14b", pipe, boundary_ratio=0.9)
    loops.run("both", steps=5, guidance=3.5, guidance_2=2.0, image=picture(loops.g, 33, 50))
    loops.write()


def ti2v(root):
    vae = autoencoder(12, base_dim=4, decoder_base_dim=4, is_residual=True, in_channels=12, out_channels=12, patch_size=2,
                      scale_factor_spatial=16)
    pipe = WanImageToVideoPipeline(None, None, vae, scheduler("unipc", 5.0), None, None, transformer(13), expand_timesteps=True)
    loops = Loops(root, "ti2v", pipe, expand_timesteps=True)
    loops.run("image", width=64, height=32, frames=9, image=picture(loops.g, 40, 30))
    text = WanPipeline(None, None, vae, pipe.scheduler, pipe.transformer, expand_timesteps=True)
    text.set_progress_bar_config(disable=True)
    loops.pipe = text
    loops.run("text", width=64, height=32, frames=9, steps=2)
    loops.write()


def vace(root):
    pipe = WanVACEPipeline(None, None, autoencoder(1), scheduler("unipc", 3.0),
                           transformer(14, WanVACETransformer3DModel, num_layers=2, vace_layers=[0, 1], vace_in_channels=2 * Z + 64))
    loops = Loops(root, "vace", pipe)

    def clip(frames):
        return torch.stack([picture(loops.g, 32, 48) for _ in range(frames)])

    mask = torch.zeros(9, 48, 32, dtype=torch.uint8)
    mask[:, 10:30, 7:20] = 255
    mask[4:6] = 180
    mask[7] = 90
    loops.run("video", frames=9, video=clip(9), mask=mask, control_scale=0.75)
    small = torch.zeros(5, 24, 40, dtype=torch.uint8)
    small[:, 5:15, 10:33] = 255
    small[3] = 140
    loops.run("bytes", video=clip(5), mask=small, bytes=True)
    pictures = [picture(loops.g, 50, 30), picture(loops.g, 17, 90)]
    loops.run("references", video=clip(5), references=pictures)
    loops.run("alone", references=pictures[1:])
    loops.run("nothing", steps=2, guidance=1.0)
    loops.write()


def vace_a14b(root):
    def expert(seed):
        return transformer(seed, WanVACETransformer3DModel, num_layers=2, vace_layers=[1, 0], vace_in_channels=2 * Z + 64)

    pipe = WanVACEPipeline(None, None, autoencoder(1), scheduler("euler", 5.0), expert(15), expert(16), boundary_ratio=0.875)
    loops = Loops(root, "vace_a14b", pipe, boundary_ratio=0.875)
    clip = torch.stack([picture(loops.g, 32, 48) for _ in range(5)])
    loops.run("both", steps=5, guidance=3.0, guidance_2=1.0, video=clip, references=[picture(loops.g, 40, 40)], control_scale=1.25)
    loops.write()


LOOPS = {"t2v": t2v, "fast": fast, "a14b": a14b, "i2v": i2v, "flf": flf, "i2v_a14b": i2v_a14b, "ti2v": ti2v, "vace": vace,
         "vace_a14b": vace_a14b, "text": text}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(here, "fixtures"))
    parser.add_argument("names", nargs="*", help="of " + ", ".join(LOOPS) + "; all when none is named")
    args = parser.parse_args()
    for name in args.names or LOOPS:
        LOOPS[name](args.out)


if __name__ == "__main__":
    main()
