#!/usr/bin/env python3
"""Memory of a run: what the estimate says, what the library counts, and what the system sees (anonymous pages; those of mapped files are the
system's to take back).

usage: PYTHONPATH=bindings/python SORA_LIBRARY=build/libsora.so memory.py MODEL [--width W] [--height H] [--frames N] [--steps N] [--guidance G]
       [--limit MIB] [--dtype f32|bf16|i8] [--latent T]
--latent: decodes a random latent of T frames instead of a run (the latter needs no transformer)
"""
import argparse
import threading
import time

import numpy as np
import sora


def anonymous():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith("RssAnon"))


class Watch(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.before = self.peak = anonymous()
        self.done = False
        self.start()

    def run(self):
        while not self.done:
            self.peak = max(self.peak, anonymous())
            time.sleep(0.005)

    def end(self):
        self.done = True
        self.join()
        return self.peak - self.before


def main():
    o = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    o.add_argument("model")
    for name, value in (("width", 256), ("height", 256), ("frames", 17), ("steps", 2), ("limit", 0), ("latent", 0)):
        o.add_argument(f"--{name}", type=int, default=value)
    o.add_argument("--guidance", type=float, default=5.0)
    o.add_argument("--dtype", default="bf16")
    o = o.parse_args()
    watch, begin = Watch(), time.time()
    context = sora.Context(mem_limit=o.limit << 20)
    model = sora.Model(o.model, context=context, dtype=o.dtype)
    pipeline = sora.Pipeline(model)
    told = None
    if o.latent:
        shape = (model.info.latent_channels, o.latent, o.height // model.info.spatial_factor, o.width // model.info.spatial_factor)
        before = context.memory.used
        pipeline.decode_video(np.random.default_rng(1).standard_normal(shape).astype(np.float32))
    else:
        request = dict(width=o.width, height=o.height, frames=o.frames, steps=o.steps, guidance=o.guidance)
        told = pipeline.estimate("a cat walks on the grass in the sun and looks", **request).peak / 2**20
        before = context.memory.used
        pipeline.generate("a cat walks on the grass in the sun and looks", **request)
    counted, seen, seconds = (context.memory.peak - before) / 2**20, watch.end(), time.time() - begin
    print(f"{o.width}x{o.height} limit {o.limit}: estimate {told if told is None else round(told)} MiB, counted {counted:.0f} MiB, system {seen:.0f} MiB, {seconds:.0f} s")
    del pipeline, model
    time.sleep(0.1)
    print(f"after: {context.memory.used / 2**20:.0f} MiB counted")


if __name__ == "__main__":
    main()
