#!/usr/bin/env python3
"""What a linear code of the drawn world reaches: the floor that an autoencoder of the same size has to beat.

Renders images or clips with `sora world`, takes the principal components of 8x8 patches (of --group frames each with --frames above 1, as a
causal autoencoder sees them) on two thirds of them, and prints the PSNR of the rest for several numbers of channels.

usage: linear_code.py BUILD/sora [--size 128x128] [--frames 1] [--count 150] [--group 4]       needs numpy and Pillow
"""
import argparse
import glob
import subprocess
import tempfile

import numpy as np
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sora")
    parser.add_argument("--size", default="128x128")
    parser.add_argument("--frames", type=int, default=1)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--group", type=int, default=4, help="frames that share a latent, in clips")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.sora, "world", "--seed", "5000", "--count", str(args.count), "--size", args.size, "--frames", str(args.frames),
                        "--height", "0.45:0.85", "--quiet", "-o", folder + "/w"], check=True, stdout=subprocess.DEVNULL)
        clips = np.stack([np.stack([np.asarray(Image.open(f), np.float32) for f in sorted(glob.glob(clip + "/frame-*.png"))])
                          for clip in sorted(glob.glob(folder + "/w/clip-*"))]) / 127.5 - 1
    group = args.group if args.frames > 1 else 1
    clips = clips[:, 1:] if group > 1 else clips  # the first frame stands alone
    n, f, h, w, _ = clips.shape
    patches = clips.reshape(n, f // group, group, h // 8, 8, w // 8, 8, 3).transpose(0, 1, 3, 5, 2, 4, 6, 7).reshape(n, -1, group * 192)
    train, rest = patches[: 2 * n // 3].reshape(-1, group * 192), patches[2 * n // 3:]
    mean = train.mean(0)
    _, basis = np.linalg.eigh((train - mean).T @ (train - mean))
    for channels in (8, 16, 24, 32, 48, 64, 96):
        kept = basis[:, -channels:]
        error = (((rest - mean) - (rest - mean) @ kept @ kept.T) ** 2).mean((1, 2))
        print(f"{args.size}, {args.frames} frames, {channels:3d} channels: {(10 * np.log10(4 / error)).mean():.1f} dB")


if __name__ == "__main__":
    main()
