"""Stage by stage: the same folder through diffusers and through libsora.

    python examples/python/compare_diffusers.py [FOLDER] [--prompt TEXT] [--size W H] [--frames F] [--steps N]

FOLDER is a text-to-video model of the Wan family in the diffusers layout; without one, a tiny model with random weights is made.
Needs torch, diffusers, transformers, tokenizers and ftfy beside sora. The cells (# %%) run one after the other in a notebook, too.
Every line of the table is a stage with its relative squared error and the limit that is asked of it; status 1 when one is above.
"""

# %% What to compare
import argparse
import html
import sys
import tempfile
from pathlib import Path

import diffusers
import ftfy
import numpy as np
import torch
import transformers

import sora

parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
parser.add_argument("folder", nargs="?", type=Path)
parser.add_argument("--prompt", default="A red robot dances on the beach &amp; smiles, at “sunset”")
parser.add_argument("--size", nargs=2, type=int, default=[48, 32], metavar=("W", "H"))
parser.add_argument("--frames", type=int, default=9)
parser.add_argument("--steps", type=int, default=4)
parser.add_argument("--guidance", type=float, default=4.0)
args, _ = parser.parse_known_args(sys.argv[1:] if not hasattr(sys, "ps1") else [])
torch.set_grad_enabled(False)
torch.manual_seed(0)
width, height = args.size


# %% A tiny model with random weights
def randomise(network: torch.nn.Module) -> torch.nn.Module:
    """Fresh networks hold zeros and ones where a mistake would not show."""
    for name, p in network.named_parameters():
        fan_in = p[0].numel() if p.ndim > 1 else 1
        small = torch.randn(p.shape) * (0.2 if p.ndim == 1 else fan_in**-0.5)
        p.copy_(small + 1 if ("norm" in name and name.endswith("weight")) or name.endswith("gamma") else small)
    return network.float().eval()


def tokenizer(prompt: str) -> transformers.PreTrainedTokenizerFast:
    """Words of the prompt and single letters, with T5's special tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    pieces = sorted({"\u2581" + w for w in prompt.split()} | {chr(c) for c in range(33, 127)} | {"\u2581"})
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)] + [(p, -float(2 + i % 7)) for i, p in enumerate(pieces)]
    made = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def tiny(folder: Path) -> Path:
    """Writes a folder as diffusers has it."""
    words = tokenizer("a red robot dances on the beach at sunset")
    text = transformers.UMT5Config(
        vocab_size=len(words), d_model=24, d_kv=10, d_ff=40, num_layers=2, num_heads=3, dropout_rate=0.0, feed_forward_proj="gated-gelu"
    )
    vae = dict(base_dim=4, z_dim=4, dim_mult=[1, 2, 4, 4], num_res_blocks=1, attn_scales=[], temperal_downsample=[False, True, True])
    wan = dict(
        num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=24, freq_dim=32, ffn_dim=40, num_layers=2
    )
    diffusers.WanPipeline(
        tokenizer=words,
        text_encoder=randomise(transformers.UMT5EncoderModel(text)),
        vae=randomise(diffusers.AutoencoderKLWan(latents_mean=[0.1, -0.2, 0.3, 0.0], latents_std=[1.5, 2.0, 0.7, 1.0], **vae)),
        transformer=randomise(diffusers.WanTransformer3DModel(cross_attn_norm=True, **wan)),
        scheduler=diffusers.UniPCMultistepScheduler(flow_shift=3.0, prediction_type="flow_prediction", use_flow_sigmas=True),
    ).save_pretrained(folder)
    return folder


made = None if args.folder else tempfile.TemporaryDirectory()
folder = args.folder or tiny(Path(made.name) / "tiny")

# %% Both sides open the same files
theirs = diffusers.WanPipeline.from_pretrained(folder, torch_dtype=torch.float32)
theirs.set_progress_bar_config(disable=True)
model = sora.Model(folder, dtype="f32")  # exact products
ours = sora.Pipeline(model)
print(f"libsora {sora.library_version()} and diffusers {diffusers.__version__}, torch {torch.__version__}: {model!r}")

rows: list[tuple[str, list[int], float, float]] = []


def compare(stage: str, mine: object, reference: object, limit: float) -> None:
    """One line of the table: sum of squared differences over the sum of squares of the reference."""
    a, b = (np.asarray(x, np.float64) for x in (mine, reference))
    error = float(((a - b) ** 2).sum() / max((b**2).sum(), 1e-30)) if a.shape == b.shape else float("inf")
    rows.append((stage, list(a.shape), error, limit))
    print(f"{stage:22} {a.shape!s:20} {error:9.2e}  limit {limit:.0e}  {'ok' if error <= limit else 'ABOVE'}")


# %% Text: clean-up and ids, then the embedding
length = model.info.text_length
clean = " ".join(html.unescape(html.unescape(ftfy.fix_text(args.prompt))).split())
batch = theirs.tokenizer(clean, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
hidden, ids = ours.encode_text_with_ids(args.prompt)
compare("token ids", ids, torch.stack([batch.input_ids[0], batch.attention_mask[0]]), 0)
text, negative = theirs.encode_prompt(args.prompt, "blurred", max_sequence_length=length)
compare("text", hidden, text[0], 1e-9)
compare("negative text", ours.encode_text("blurred"), negative[0], 1e-9)

# %% One pass of the transformer. Tensors of libsora are arrays: torch.from_dlpack(hidden) is the same memory.
channels, factor, space = model.info.latent_channels, model.info.temporal_factor, model.info.spatial_factor
shape = (channels, 1 + (args.frames - 1) // factor, height // space, width // space)
noise = torch.randn(1, *shape)
for t in (999.0, 412.5):
    reference = theirs.transformer(noise, torch.tensor([t]), torch.from_dlpack(hidden)[None]).sample[0]
    compare(f"denoise at {t:g}", ours.denoise(noise[0], t, hidden), reference, 1e-9)

# %% The autoencoder, both ways; latents are normalised as the transformer sees them
config = theirs.vae.config
mean, deviation = (torch.tensor(x).view(1, -1, 1, 1, 1) for x in (config.latents_mean, config.latents_std))
video = torch.rand(1, 3, args.frames, height, width) * 2 - 1
reference = (theirs.vae.encode(video).latent_dist.mode() - mean) / deviation
compare("encode", ours.encode_video(video[0]), reference[0], 1e-9)
latent = torch.randn(1, *shape)
reference = theirs.vae.decode(latent * deviation + mean).sample.clamp(-1, 1)
compare("decode", ours.decode_video(latent[0]), reference[0], 1e-9)

# %% The sampling loop with each solver
flow = dict(prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000)
solvers = {
    "euler": diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    "unipc": diffusers.UniPCMultistepScheduler(flow_shift=3.0, **flow),
    "dpmpp": diffusers.DPMSolverMultistepScheduler(flow_shift=3.0, **flow),
}
call = dict(
    prompt_embeds=text, negative_prompt_embeds=negative, guidance_scale=args.guidance, num_inference_steps=args.steps,
    width=width, height=height, num_frames=args.frames,
)  # fmt: skip
own = theirs.scheduler
for name, solver in solvers.items():
    theirs.scheduler = solver
    reference = theirs(latents=noise.clone(), output_type="latent", **call).frames
    mine = ours.sample(noise[0], hidden, negative[0], sampler=name, steps=args.steps, guidance=args.guidance, shift=3.0)
    compare(f"sample, {name}", mine, reference[0], 1e-7)
theirs.scheduler = own

# %% And all of it: a prompt, the model's own solver, frames
reference = theirs(latents=noise.clone(), output_type="np", **call).frames[0]
whole = ours.generate(
    args.prompt, negative="blurred", noise=noise[0], width=width, height=height, frames=args.frames, steps=args.steps,
    guidance=args.guidance, progress=True,
)  # fmt: skip
compare("frames", whole / 255, reference, 1e-4)  # bytes: half a step of rounding

# %% The verdict
above = [stage for stage, _, error, limit in rows if not error <= limit]
print(f"{len(rows) - len(above)} of {len(rows)} stages agree" + (f"; not: {', '.join(above)}" if above else ""))
if made:
    made.cleanup()
if above and not hasattr(sys, "ps1"):
    sys.exit(1)
