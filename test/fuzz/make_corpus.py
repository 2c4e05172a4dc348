#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets to test/fuzz/corpus/<target>/: small good files, and a few that are nearly good.
Only Python's own library. Tokenizers are cut from test/parity/fixtures/tokenizer."""
import json
import os
import struct
import zlib

here = os.path.dirname(os.path.abspath(__file__))
fixtures = os.path.join(here, "..", "parity", "fixtures", "tokenizer")


def put(target, name, data):
    folder = os.path.join(here, "corpus", target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())


# --- safetensors
def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def t(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


put("safetensors", "empty", safetensors({}))
put("safetensors", "two", safetensors({"__metadata__": {"format": "pt"}, "a": t("F32", [2], 0, 8), "b": t("BF16", [1, 2], 8, 12)}, bytes(12)))
put("safetensors", "types", safetensors({n: t(n, [1], 8 * i, 8 * i + s) if s == 8 else t(n, [8 // s], 8 * i, 8 * i + 8)
                                         for i, (n, s) in enumerate([("I64", 8), ("F64", 8), ("I32", 4), ("F16", 2), ("U8", 1), ("F8_E4M3", 1), ("BOOL", 1)])}, bytes(56)))
put("safetensors", "scalar", safetensors({"s": t("F32", [], 0, 4), "z": t("I8", [0, 5], 4, 4)}, bytes(4)))
put("safetensors", "hole", safetensors({"a": t("F32", [1], 0, 4), "b": t("F32", [1], 8, 12)}, bytes(12)))
put("safetensors", "huge", safetensors({"a": t("F32", [1 << 40, 1 << 40], 0, 8)}, bytes(8)))

# --- index of shards
put("json_index", "good", json.dumps({"metadata": {"total_size": 24}, "weight_map": {"ax": "a.safetensors", "bx": "b.safetensors"}}))
put("json_index", "one", json.dumps({"weight_map": {"ax": "a.safetensors"}}))
put("json_index", "missing", json.dumps({"weight_map": {"ax": "c.safetensors"}}))
put("json_index", "outside", json.dumps({"weight_map": {"ax": "../a.safetensors", "ax2": "index.json"}}))

# --- .sora
M = (1 << 64) - 1
P1, P2, P3, P4, P5 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def rot(x, r):
    return (x << r | x >> (64 - r)) & M


def mix(lane, x):
    return rot((lane + x * P2) & M, 31) * P1 & M


def xxh64(data):
    lanes, i = [(P1 + P2) & M, P2, 0, -P1 & M], 0
    while len(data) - i >= 32:
        lanes = [mix(l, x) for l, x in zip(lanes, struct.unpack_from("<4Q", data, i))]
        i += 32
    h = P5
    if len(data) >= 32:
        h = sum(rot(l, r) for l, r in zip(lanes, (1, 7, 12, 18))) & M
        for l in lanes:
            h = ((h ^ mix(0, l)) * P1 + P4) & M
    h = (h + len(data)) & M
    while len(data) - i >= 8:
        h, i = (rot(h ^ mix(0, struct.unpack_from("<Q", data, i)[0]), 27) * P1 + P4) & M, i + 8
    if len(data) - i >= 4:
        h, i = (rot(h ^ struct.unpack_from("<I", data, i)[0] * P1 & M, 23) * P2 + P3) & M, i + 4
    for c in data[i:]:
        h = rot(h ^ c * P5 & M, 11) * P1 & M
    h = (h ^ h >> 33) * P2 & M
    h = (h ^ h >> 29) * P3 & M
    return h ^ h >> 32


def zstd_raw(data):  # one frame, one block that is not packed
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)]) + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def sora(entries, blobs, parts):
    body = bytearray(64)

    def place(row, codec, data):
        body.extend(bytes(-len(body) % 64))
        row |= {"offset": len(body), "stored": len(data), "codec": codec, "checksum": "%016x" % xxh64(data)}
        body.extend(data)
        return row

    header = {"metadata": {"name": "seed", "card": "text"}, "parts": {p: {"config": {"dim": 8, "list": [1, 2]}} for p in parts},
              "tensors": [place({"name": n, "dtype": d, "shape": s}, c, b) for n, d, s, c, b in entries],
              "blobs": [place({"name": n, "size": z}, c, b) for n, z, c, b in blobs]}
    body.extend(bytes(-len(body) % 64))
    text = json.dumps(header, separators=(",", ":")).encode()
    head = b"\x89SORA\r\n\x1a" + struct.pack("<IIQQQQQ", 1, 0, len(body), len(text), xxh64(text), len(body) + len(text), 0)
    body[:64] = head + struct.pack("<Q", xxh64(head))
    return bytes(body) + text


assert xxh64(b"abc") == 0x44BC2CF5AD770999
sixteen = bytes(range(16))
put("sora", "empty", sora([], [], []))
put("sora", "plain", sora([("vae/a", "f32", [2, 2], "none", sixteen)], [("tokenizer/x", 3, "none", b"abc")], ["vae"]))
put("sora", "packed", sora([("vae/a", "bf16", [8], "zstd-split", zstd_raw(sixteen)), ("dit/b", "i8", [4, 4], "zstd", zstd_raw(sixteen))],
                           [("card", 5, "zstd", zstd_raw(b"hello"))], ["vae", "dit"]))
put("sora", "big", sora([("vae/a", "f32", [1 << 20], "zstd", zstd_raw(sixteen))], [], ["vae"]))

# --- PNG
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, kind, rows, extra=b"", interlace=0):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)) + extra
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


put("png", "rgb", png(3, 2, 8, 2, (b"\0" + bytes(9)) * 2))
put("png", "rgba16", png(2, 2, 16, 6, (b"\1" + bytes(range(16))) * 2))
put("png", "grey1", png(9, 3, 1, 0, b"\0\xaa\x80" * 3))
put("png", "palette", png(4, 2, 2, 3, b"\0\x1b" * 2, chunk(b"PLTE", bytes(range(12))) + chunk(b"tRNS", b"\0\x80")))
put("png", "laced", png(5, 5, 8, 0, b"\0\1" * 3 + b"\0\1\2" * 10, interlace=1))
put("png", "text", png(1, 1, 8, 4, b"\0\1\2", chunk(b"tEXt", b"Title\0x") + chunk(b"gAMA", struct.pack(">I", 45455))))

# --- text
for i, text in enumerate(["a cat &amp;amp; a dog", "\ufb01ne \u201cquotes\u201d\r\n\u2028&#x2019;&eacute;&notit;", "\x1b[31mred\x1b[0m \x00\ufeff\x85", "e\u0301\u0323 \uff26\uff35 \u3000 <b>&lt;</b>",
                          "\u1100\u1161\u11a8 &#128512; &EACUTE; &#0; &#xD800;"]):
    put("clean_text", "%d" % i, text)

# --- tokenizers: the fixtures with few pieces
for name in ("umt5", "first", "whole"):
    with open(os.path.join(fixtures, name + ".json")) as f:
        tok = json.load(f)
    vocab = tok["model"]["vocab"]
    tok["model"]["vocab"] = vocab[:5] + vocab[4 + 0x40:4 + 0x48] + vocab[260:290]
    put("tokenizer_json", name, json.dumps(tok, separators=(",", ":"), ensure_ascii=False))
with open(os.path.join(fixtures, "nmt.json")) as f:
    tok = json.load(f)
tok["model"]["vocab"] = tok["model"]["vocab"][:20]
tok["normalizer"]["precompiled_charsmap"] = "EAAAAAAAAABhAAAAAAQAAAAAAIBhYgA="
put("tokenizer_json", "map", json.dumps(tok, separators=(",", ":"), ensure_ascii=False))


def varint(x):
    out = b""
    while True:
        out += bytes([x & 127 | (128 if x > 127 else 0)])
        x >>= 7
        if not x:
            return out


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def number(field, value):
    return varint(field << 3) + varint(value & M)


def piece(text, score, kind=1):
    return message(1, message(1, text.encode()) + b"\x15" + struct.pack("<f", score) + number(3, kind))


specials = piece("<pad>", 0, 3) + piece("</s>", 0, 3) + piece("<unk>", 0, 2)
words = b"".join(piece(w, -i - 1.0) for i, w in enumerate(["\u2581", "\u2581a", "\u2581cat", "c", "a", "t", "walk", "s", "\u2581the"]))
trainer = message(2, number(3, 1) + number(40, 2) + number(41, -1) + number(42, 1) + number(43, 0))
put("spiece", "small", specials + words + trainer + message(3, message(1, b"identity") + number(3, 1)))
put("spiece", "bytes", specials + b"".join(piece("<0x%02X>" % c, 0, 6) for c in range(256)) + words
    + message(2, number(3, 1) + number(35, 1) + number(40, 2) + number(42, 1)))
trie = struct.pack("<4I", 0, 0x61 | 1 << 10, 0, 1 << 31)
put("spiece", "map", specials + words + trainer + message(3, message(2, struct.pack("<I", len(trie)) + trie + b"ab\0fi\0")))
put("spiece", "bpe", specials + message(2, number(3, 2)))
with open(os.path.join(fixtures, "nmt.model"), "rb") as f:  # the real map, cut short: its first units and the end of its texts
    model = f.read()
put("spiece", "head", model[:4000])


# --- GGUF
def text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def gguf(pairs, tensors, version=3, align=32):
    """pairs: (key, type, bytes of the value); tensors: (name, extents as stored, type, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    for key, kind, value in pairs:
        head += text(key) + struct.pack("<I", kind) + value
    at, data = 0, b""
    for name, extents, kind, raw in tensors:
        head += text(name) + struct.pack("<I", len(extents)) + struct.pack("<%dQ" % len(extents), *extents) + struct.pack("<IQ", kind, at)
        data += raw + bytes(-len(raw) % align)
        at = len(data)
    return head + bytes(-len(head) % align) + data


arch = [("general.architecture", 8, text("wan"))]
put("gguf", "empty", gguf([], []))
put("gguf", "scalars", gguf(arch + [("a", 0, b"\1"), ("b", 1, b"\xff"), ("c", 3, b"\1\2"), ("d", 5, bytes(4)), ("e", 6, bytes(4)), ("f", 7, b"\1"),
                                    ("g", 10, bytes(8)), ("h", 12, bytes(8)), ("i", 8, text(b"\xff"))], []))
put("gguf", "arrays", gguf(arch + [("a", 9, struct.pack("<IQ3i", 5, 3, 1, 2, 3)), ("b", 9, struct.pack("<IQ", 8, 2) + text("x") + text("yy")),
                                   ("c", 9, struct.pack("<IQ", 0, 100) + bytes(100))], [("x", [2, 3], 0, bytes(24))]))
put("gguf", "blocks", gguf(arch, [("q4_0", [32, 2], 2, bytes(36)), ("q4_1", [32], 3, bytes(20)), ("q5_0", [32], 6, bytes(22)),
                                  ("q5_1", [32], 7, bytes(24)), ("q8_0", [64], 8, bytes(68)), ("q2", [256], 10, bytes(84)),
                                  ("q3", [256], 11, bytes(110)), ("q4", [256], 12, bytes(144)), ("q5", [256], 13, bytes(176)),
                                  ("q6", [256], 14, bytes(210)), ("f16", [3], 1, bytes(6)), ("bf16", [1, 1, 3, 1, 2], 30, bytes(12)), ("other", [256], 20, bytes(8))]))
put("gguf", "shape", gguf(arch + [("comfy.gguf.orig_shape.x", 9, struct.pack("<IQ5i", 5, 5, 1, 2, 1, 4, 4))], [("x", [32], 2, bytes(18))]))
put("gguf", "many", gguf(arch, [], 3)[:8] + struct.pack("<QQ", 1 << 40, 1 << 40))
put("gguf", "long", gguf([("a", 8, struct.pack("<Q", 1 << 60))], []))
put("gguf", "aligned", gguf([("general.alignment", 4, struct.pack("<I", 64))], [("a", [4], 0, bytes(16)), ("b", [4], 0, bytes(16))], align=64))
put("gguf", "three", gguf([("general.alignment", 4, struct.pack("<I", 3))], [("a", [4], 0, bytes(16))]))


# --- a file of weights as a model
def tensors(entries):
    header, at, data = {}, 0, b""
    for name, kind, shape in entries:
        size = {"F32": 4, "F16": 2, "F8_E4M3": 1}[kind]
        for n in shape:
            size *= n
        header[name] = t(kind, shape, at, at + size)
        at += size
    return safetensors(header, bytes(at))


def dit(dim, before="", kind="F8_E4M3"):
    rows = [("patch_embedding.weight", [dim, 2, 1, 1, 1]), ("patch_embedding.bias", [dim]), ("time_embedding.0.weight", [dim, 2]),
            ("time_projection.1.weight", [6 * dim, 1]), ("text_embedding.0.weight", [dim, 1]), ("head.head.weight", [2, 1]), ("head.modulation", [1, 2, 1]),
            ("blocks.0.self_attn.q.weight", [1, dim]), ("blocks.0.ffn.0.weight", [2, 1]), ("blocks.0.norm3.weight", [1])]
    return [(before + n, kind, s) for n, s in rows]


put("model_file", "dit", tensors(dit(128)))
put("model_file", "comfy", tensors(dit(128, "model.diffusion_model.") + [("model.diffusion_model.scaled_fp8", "F8_E4M3", [2]),
                                                                         ("model.diffusion_model.blocks.0.self_attn.q.scale_weight", "F32", [])]))
put("model_file", "vace", tensors(dit(128) + [("vace_blocks.0.before_proj.weight", "F32", [1, 1]), ("vace_blocks.0.self_attn.q.weight", "F32", [1, 1]),
                                              ("vace_patch_embedding.weight", "F32", [1, 1, 1, 1, 1])]))
put("model_file", "narrow", tensors(dit(64)))
put("model_file", "unknown", tensors(dit(128) + [("strange.weight", "F32", [1])]))
half = lambda h: [("%s.conv1.weight" % h, [2, 3, 1, 1, 1]), ("%s.middle.0.residual.2.weight" % h, [2, 1, 1, 1, 1]), ("%s.head.2.weight" % h, [3, 1, 1, 1, 1])]
put("model_file", "vae", tensors([(n, "F16", s) for n, s in half("encoder") + half("decoder") + [
    ("conv2.weight", [2, 2, 1, 1, 1]), ("encoder.downsamples.0.residual.2.weight", [2, 2, 1, 1, 1]), ("encoder.downsamples.1.resample.1.weight", [2, 2, 1, 1]),
    ("encoder.downsamples.2.residual.2.weight", [4, 2, 1, 1, 1]), ("decoder.upsamples.0.residual.2.weight", [4, 2, 1, 1, 1]),
    ("decoder.upsamples.1.resample.1.weight", [1, 1, 1, 1]), ("decoder.upsamples.2.shortcut.weight", [1, 1, 1, 1, 1])]]))
put("model_file", "vae22", tensors([(n, "F16", s) for n, s in half("encoder") + half("decoder") + [
    ("conv2.weight", [2, 2, 1, 1, 1]), ("encoder.downsamples.0.downsamples.0.residual.2.weight", [2, 2, 1, 1, 1]),
    ("encoder.downsamples.0.downsamples.1.time_conv.weight", [2, 2, 1, 1, 1]), ("decoder.upsamples.0.upsamples.0.residual.2.weight", [2, 2, 1, 1, 1])]]))
five = [("token_embd.weight", [4, 8]), ("enc.blk.0.attn_q.weight", [4, 4]), ("enc.blk.0.attn_rel_b.weight", [2, 4]), ("enc.blk.0.ffn_gate.weight", [4, 8])]
put("model_file", "t5", gguf([("general.architecture", 8, text("t5encoder"))], [(n, s, 1, bytes(2 * s[0] * s[1])) for n, s in five]))
put("model_file", "t5_official", tensors([("token_embedding.weight", "F32", [8, 4]), ("blocks.0.attn.q.weight", "F32", [4, 4]),
                                          ("blocks.0.pos_embedding.embedding.weight", "F32", [4, 2]), ("blocks.0.ffn.gate.0.weight", "F32", [8, 4])]))


# --- PyTorch: a zip archive with a pickle, written by hand
def archive(files):
    body, directory = b"", b""
    for name, data in files:
        pad = -(len(body) + 30 + len(name) + 4) % 64
        extra = struct.pack("<HH", 0x4246, pad) + bytes(pad)
        directory += (b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", 0, 0, 0, 0, 0, 0, zlib.crc32(data), len(data), len(data), len(name), 0, 0, 0, 0, 0, len(body))
                      + name.encode())
        body += b"PK\3\4" + struct.pack("<HHHHHIIIHH", 0, 0, 0, 0, 0, zlib.crc32(data), len(data), len(data), len(name), len(extra)) + name.encode() + extra + data
    return body + directory + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(directory), len(body), 0)


def unicode(s):
    return b"X" + struct.pack("<I", len(s)) + s.encode()


def ints(values):
    return b"(" + b"".join(b"K" + bytes([v]) for v in values) + b"t"


def tensor(key, shape, strides, storage="FloatStorage", count=4, offset=0):
    return (b"ctorch._utils\n_rebuild_tensor_v2\n((" + unicode("storage") + b"ctorch\n" + storage.encode() + b"\n" + unicode(key) + unicode("cpu")
            + b"K" + bytes([count]) + b"tQK" + bytes([offset]) + ints(shape) + ints(strides) + b"\x89ccollections\nOrderedDict\n)RtR")


def state(entries, end=b"."):
    return b"\x80\2}q\0(" + b"".join(unicode(k) + v for k, v in entries) + b"u" + end


def pth(pickle, storages=((0, bytes(16)),)):
    return archive([("x/data.pkl", pickle), ("x/byteorder", b"little")] + [("x/data/%d" % k, v) for k, v in storages])


put("pytorch", "one", pth(state([("a.weight", tensor("0", [2, 2], [2, 1]))])))
put("pytorch", "types", pth(state([(k, tensor("0", [2], [1], k, 2)) for k in ("HalfStorage", "BFloat16Storage", "LongStorage", "ByteStorage", "BoolStorage", "DoubleStorage")])))
put("pytorch", "nested", pth(state([("model", state([("a", tensor("0", [4], [1])), ("n", b"N"), ("l", b"](K\1K\2e")], b"")[2:]), ("step", b"K\5")])))
put("pytorch", "shared", pth(b"\x80\2}(" + unicode("a") + tensor("0", [4], [1]) + b"q\1" + unicode("b") + b"h\1u."))
put("pytorch", "transposed", pth(state([("a", tensor("0", [2, 2], [1, 2]))])))
put("pytorch", "overlap", pth(state([("a", tensor("0", [9, 9, 9], [0, 0, 1]))])))
put("pytorch", "apart", pth(state([("a", tensor("0", [2, 1], [3, 7]))])))
put("pytorch", "past", pth(state([("a", tensor("0", [2, 2], [2, 1], offset=1))])))
put("pytorch", "calls", pth(b"\x80\2cos\nsystem\n" + unicode("true") + b"\x85R."))
put("pytorch", "meta", pth(b"\x80\2ccollections\nOrderedDict\n)R(" + unicode("a") + tensor("0", [4], [1]) + b"u}" + unicode("_metadata") + b"Nsb."))
put("pytorch", "old", b"\x80\2\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")
put("pytorch", "f8", pth(b"\x80\2}(" + unicode("a") + b"ctorch._utils\n_rebuild_tensor_v3\n((" + unicode("storage") + b"ctorch.storage\nUntypedStorage\n"
                         + unicode("0") + unicode("cpu") + b"K\x10tQK\0" + ints([16]) + ints([1]) + b"\x89}ctorch\nfloat8_e4m3fn\ntRu."))


# --- LoRAs for the transformer of fuzz_lora.c
q = lambda end, kind, shape: ("blocks.0." + end, kind, shape)
put("lora", "peft", tensors([("transformer.blocks.0.attn1.to_q.lora_A.weight", "F32", [2, 3]), ("transformer.blocks.0.attn1.to_q.lora_B.weight", "F16", [2, 2])]))
put("lora", "kohya", tensors([("lora_unet_blocks_0_self_attn_q.lora_down.weight", "F32", [1, 3]), ("lora_unet_blocks_0_self_attn_q.lora_up.weight", "F32", [2, 1]),
                              ("lora_unet_blocks_0_self_attn_q.alpha", "F32", [])]))
put("lora", "comfy", tensors([("diffusion_model.blocks.0.self_attn.q.diff", "F32", [2, 3]), ("diffusion_model.blocks.0.self_attn.q.diff_b", "F8_E4M3", [2]),
                              ("diffusion_model.blocks.0.diff_m", "F32", [1, 6, 1])]))
put("lora", "half", tensors([("blocks.0.ffn.0.lora_A.weight", "F32", [1, 1])]))
put("lora", "wide", tensors([("blocks.0.ffn.0.lora_A.weight", "F32", [2, 5]), ("blocks.0.ffn.0.lora_B.weight", "F32", [2, 2])]))
put("lora", "strange", tensors([("text_model.layers.0.lora_A.weight", "F32", [1])]))
put("lora", "noted", safetensors({"__metadata__": {"lora_adapter_metadata": json.dumps({"transformer.r": 2, "transformer.lora_alpha": 8,
                                                   "transformer.alpha_pattern": {"blocks.0.ffn.0": 3}})},
                                  "blocks.0.ffn.0.lora_A.weight": t("F32", [1, 1], 0, 4), "blocks.0.ffn.0.lora_B.weight": t("F32", [2, 1], 4, 12)}, bytes(12)))

# --- changes of a saved run and of a checkpoint (fuzz_edited of test/fuzz/edited.c): where it ends, then places and values
for target in "saved_run", "checkpoint":
    put(target, "whole", b"\xff\xff")
    put(target, "half", b"\0\x80")
    put(target, "header", b"\xff\xff" + b"\x20\0\x80x" + b"\x90\0\x80\x39")
    put(target, "values", b"\xff\xff" + b"\x40\1\0\xff" + b"\0\2\0\x7f")
    put(target, "odd", b"\xff\xff" + b"\xff\xff\x7f\1" + b"\0")

put("saved_run", "place", b"\xff\xff" + b"\x50\2\0\x63")  # step 99 of 3
put("saved_run", "name", b"\xff\xff" + b"\x09\1\x80y")  # its tensor x is called y

# --- recipes
put("recipe", "vae", json.dumps({"train": "vae", "seed": 3, "loss": {"kl": 1e-5}, "optimizer": {"name": "muon", "rate": 0.02, "ema": 0.9},
    "vae": {"base_dim": 8, "decoder_base_dim": 8, "z_dim": 4, "dim_mult": [1, 2, 2], "num_res_blocks": 1, "attn_scales": [], "temperal_downsample": [True, True],
            "is_residual": True, "in_channels": 12, "out_channels": 12, "patch_size": 2, "scale_factor_temporal": 4, "scale_factor_spatial": 8}}))
put("recipe", "transformer", json.dumps({"train": "transformer", "text_length": 16, "caption_drop": 0.2, "noise": {"shift": 2}, "masks": {"first": 0.2, "noisy": 0.25},
    "transformer": {"patch_size": [1, 2, 2], "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 4, "out_channels": 4, "text_dim": 24, "freq_dim": 32,
                    "ffn_dim": 40, "num_layers": 2, "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "eps": 1e-6},
    "text_encoder": {"model_type": "umt5", "vocab_size": 400, "d_model": 24, "d_kv": 10, "d_ff": 40, "num_layers": 1, "num_heads": 2,
                     "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "layer_norm_epsilon": 1e-6}}))
put("recipe", "probe", json.dumps({"train": "probe", "steps": 9, "parts": 2, "products": "f32", "freeze": ["stem"], "data": {"fps": 8}, "comment": "a probe",
    "probe": {"width": 8, "values": [3, 4]}}))
put("recipe", "large", json.dumps({"train": "probe", "probe": {"width": 1 << 20, "values": [1 << 30]}}))
put("recipe", "unknown", json.dumps({"train": "vae", "sead": 3}))
