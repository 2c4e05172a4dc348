"""What is known of a video, and where: every way of prompting with pictures is a condition. Shots, and a preview first.

python examples/python/03_conditions.py [MODEL]
"""

import sys

import numpy as np

import sora

pipeline = sora.Pipeline(sys.argv[1] if len(sys.argv) > 1 else "models/nano.sora", steps=4, width=64, height=64, seed=3)
clip = pipeline.generate("a tiger runs through the snow", frames=5)
cat = "a cat runs through the snow"

animated = pipeline.generate(cat, frames=9, conditions=sora.Condition(clip[0]))
assert np.array_equal(animated[0], clip[0])  # what is given stays as it was
longer = pipeline.generate(cat, frames=13, conditions=sora.Condition(clip, at_frame=4))  # before and after it
assert np.array_equal(longer[4:9], clip)
loop = pipeline.generate(cat, frames=13, conditions=[sora.Condition(clip), sora.Condition(clip[:1], at_frame=12)])
free = sora.Condition(clip, strength=0.15)  # may change; with follow only where the text asks for something else
edited = pipeline.generate(cat, frames=5, follow=1, conditions=free)
left = np.zeros((64, 64), np.uint8)
left[:, :32] = 255
inpainted = pipeline.generate(cat, frames=5, follow=1, conditions=[free, sora.Condition(clip, mask=left)])  # the right half alone
assert np.array_equal(inpainted[:, :, :32], clip[:, :, :32]) and not np.array_equal(inpainted, clip)
print("animated, longer, loop, edited, inpainted:", *(len(v) for v in (animated, longer, loop, edited, inpainted)), "frames")

shots = [(0, "a red robot dances on the beach"), (5, "a red robot dances in the snow")]
preview = pipeline.generate(shots=shots, frames=9, width=32, height=32)
full = pipeline.generate(shots=shots, frames=9, conditions=sora.Condition(preview, fit="stretch", strength=0.6))
print("preview and full:", preview.shape, full.shape)
