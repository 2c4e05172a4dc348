"""A text becomes a video, frame by frame as PNG files.

    python examples/python/01_generate.py [MODEL] ["a prompt"]

MODEL is a .sora file or a folder in the diffusers layout; default: models/nano.sora.
"""

import sys

import sora

path = sys.argv[1] if len(sys.argv) > 1 else "models/nano.sora"
prompt = sys.argv[2] if len(sys.argv) > 2 else "a red robot dances on the beach at sunset"

pipeline = sora.Pipeline(path)
# What is not given keeps the model's own value; help(sora.Pipeline.generate) lists what there is.
video = pipeline.generate(prompt, seed=7, steps=8, frames=5, progress=True)

for i, frame in enumerate(video):  # uint8 [height, width, 3]
    sora.write_image(f"frame-{i:03d}.png", frame)
info = pipeline.video_info
print(f"{info.frames} frames of {info.width} x {info.height}: frame-000.png ... for {info.fps:g} frames per second")
