#!/usr/bin/env python3
"""What step caching costs and saves: videos of the same seeds and prompts with rising thresholds, against those that are computed in full: steps left out,
time, PSNR.

usage: PYTHONPATH=bindings/python SORA_LIBRARY=build/libsora.so step_cache.py MODEL [--steps N] [--clips N] [--thresholds X,Y,...] [--size N] [--frames N]
"""
import argparse
import time

import numpy as np
import sora

PROMPTS = ["a red robot dances on the beach at sunset", "a woman in a blue coat walks in the snow", "a cat jumps in the kitchen", "a boat in the bay at night"]


def run(pipeline, clip, o, threshold):
    """Frames, processor seconds, and steps that took less than a third of the longest."""
    stamps = []

    def seen(progress):
        if progress.phase == "denoise":
            stamps.append(time.process_time())

    began = time.process_time()
    frames = pipeline.generate(PROMPTS[clip % len(PROMPTS)], seed=clip, steps=o.steps, width=o.size, height=o.size, frames=o.frames, step_cache=threshold,
                               progress=seen)
    took = np.diff([began] + stamps)
    return np.asarray(frames, np.float64), time.process_time() - began, int(np.sum(took < took.max() / 3))


def main():
    o = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    o.add_argument("model")
    for name, value in (("steps", 20), ("clips", 4), ("size", 96), ("frames", 9)):
        o.add_argument(f"--{name}", type=int, default=value)
    o.add_argument("--thresholds", default="0.02,0.05,0.1,0.2,0.3,0.5")
    o = o.parse_args()
    pipeline = sora.Pipeline(sora.Model(o.model, context=sora.Context(threads=1)))
    whole = [run(pipeline, clip, o, 0.0) for clip in range(o.clips)]
    print(f"full: {o.steps} steps, {sum(w[1] for w in whole) / o.clips:.2f} s of processor time a clip")
    for threshold in map(float, o.thresholds.split(",")):
        cached = [run(pipeline, clip, o, threshold) for clip in range(o.clips)]
        errors = [np.mean((a[0] - b[0]) ** 2) for a, b in zip(whole, cached)]
        psnr = [10 * np.log10(255**2 / e) if e else np.inf for e in errors]
        print(f"{threshold:5.2f}: {np.mean([c[2] for c in cached]):5.1f} steps left out, {sum(c[1] for c in cached) / o.clips:.2f} s, "
              f"PSNR {np.mean(psnr):.1f} dB, worst {min(psnr):.1f}", flush=True)


if __name__ == "__main__":
    main()
