"""Weights that nobody trained, for models of published shapes: normal numbers, written piece by piece so that little memory is enough. NumPy only."""
import json
import os

import numpy as np


class Noise:
    """Normal numbers of any deviation, as bytes, from one block that is read from changing places."""

    def __init__(self):
        self.block = np.random.default_rng(1).standard_normal((1 << 22) + 9973).astype(np.float32)
        self.made = {}

    def pieces(self, count, mean, deviation, bf16):
        key = (mean, deviation, bf16)
        if key not in self.made:
            values = self.block * np.float32(deviation) + np.float32(mean)
            if bf16:
                bits = values.view(np.uint32)
                values = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
            self.made = {key: values}
        values, start = self.made[key], count % 7919
        while count:
            n = min(count, len(values) - start)
            yield values[start : start + n].data
            count, start = count - n, (start + n) % 7919


def spread(name, shape):
    """(mean, deviation): sums keep their size from layer to layer."""
    if len(shape) < 2 or name.endswith(("gamma", "norm.weight")):
        return (0.0, 0.02) if name.endswith("bias") else (1.0, 0.1)
    if name == "shared.weight" or "relative_attention_bias" in name:
        return 0.0, 0.5
    fan_in = int(np.prod(shape[1:]))
    if ".SelfAttention.q." in name:  # this family does not scale its scores: by the 64 of UMT5's heads
        fan_in *= 64
    return 0.0, float(fan_in) ** -0.5


def write_safetensors(path, tensors, bf16, noise):
    """tensors: pairs of name and shape. The file is moved to its place when it is whole."""
    width, at, header = 2 if bf16 else 4, 0, {}
    for name, shape in tensors:
        size = int(np.prod(shape)) * width
        header[name] = {"dtype": "BF16" if bf16 else "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for name, shape in tensors:
            for piece in noise.pieces(int(np.prod(shape)), *spread(name, shape), bf16):
                f.write(piece)
    os.rename(path + ".part", path)
