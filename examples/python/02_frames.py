"""Frames while the rest is still being decoded, what a run takes before it runs, and ways to stop it.

python examples/python/02_frames.py [MODEL]
"""

import sys
import threading

import sora

context = sora.Context(threads=2, mem_limit=4 << 30)
model = sora.Model(sys.argv[1] if len(sys.argv) > 1 else "models/nano.sora", context=context)
pipeline = sora.Pipeline(model, steps=4, frames=9)  # for all runs of this pipeline

print(f"needs {pipeline.estimate('a tiger runs through the snow').peak / 2**20:.1f} MiB")


def report(p: sora.Progress) -> None:
    """Called after every step, in this thread; an exception from here would end the run."""
    print(f"{p.phase:8} {p.step}/{p.steps}  {p.fraction:4.0%}")


for i, frame in enumerate(pipeline.frames("a tiger runs through the snow", progress=report)):
    print(f"frame {i}: {frame.shape[1]} x {frame.shape[0]}, mean {frame.mean():.1f}")

# Any other thread may cancel; so does Ctrl-C. The pipeline is usable afterwards.
timer = threading.Timer(0.2, pipeline.cancel)
timer.start()
try:
    pipeline.generate("the same, much longer", steps=1000, frames=81)
except sora.CancelledError as error:
    print(f"stopped: {error}")
timer.join()

# Or by hand, one bounded slice after the other, as a game does it between its own frames.
pipeline.begin("an image", frames=1)
slices = 1
while pipeline.step():
    slices += 1
print(f"{slices} slices: {pipeline.read_frames().shape}")
