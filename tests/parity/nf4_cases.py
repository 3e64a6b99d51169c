"""Weights that are hard to quantise, the same on every machine: sizes that are no whole blocks, blocks of zeros,
values on the thresholds and beside them, tiny scales. make-nf4 asks bitsandbytes about them, nf4.t our tool."""
import functools
import json
import random
import struct

BLOCKS = [32, 64, 128, 4096]
SHAPES = [(1, 1), (1, 63), (1, 64), (5, 13), (3, 50), (2, 64), (7, 96), (17, 241), (64, 80), (130, 1000)]
DTYPES = ["F32", "F16", "BF16"]
# thresholds between NF4 codes, as float32 (bitsandbytes)
THRESHOLDS = [-0.8480964004993439, -0.6106329262256622, -0.4599952697753906, -0.33967943489551544,
              -0.23460740596055984, -0.13791173323988914, -0.045525018125772476, 0.03979014977812767,
              0.1202552504837513, 0.2035212516784668, 0.2920137718319893, 0.3893125355243683, 0.5016634166240692,
              0.6427869200706482, 0.8614784181118011]


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def beside(x, step):
    """The float32 STEP places after x."""
    i = struct.unpack("<i", struct.pack("<f", x))[0]
    return struct.unpack("<f", struct.pack("<i", i + step))[0]


def edges():
    """Blocks whose largest value is 1, holding every threshold and its neighbours."""
    flat = [v for t in THRESHOLDS for v in (t, beside(t, 1), beside(t, -1))]
    return [*flat[:31], 1.0, *flat[31:], *[0.0] * 17, -1.0]


def values(name, n):
    r = random.Random(name)
    scale = [1.0, 0.02, 2.0 ** -14, 300.0][r.randrange(4)]
    out = [f32(r.randrange(-2 ** 20, 2 ** 20) / 2 ** 20 * scale) for _ in range(n)]
    for at in range(0, n, 64):
        kind = r.randrange(8)
        here = range(at, min(n, at + 64))
        if kind == 0:
            for i in here:
                out[i] = -0.0 if i % 3 else 0.0
        elif kind == 1:
            for i in here:
                out[i] = 0.0
            out[r.choice(here)] = f32(-scale)
        elif kind == 2:
            for i, v in zip(here, edges()):
                out[i] = v
        elif kind == 3:
            for i in here:
                out[i] = f32(out[i] * 2.0 ** -120)
    return out


def stored(v, dtype):
    """The bytes of V in a safetensors file."""
    if dtype == "F32":
        return struct.pack("<%df" % len(v), *v)
    if dtype == "F16":
        return struct.pack("<%de" % len(v), *v)
    return b"".join(struct.pack("<f", x)[2:] for x in v)    # cut, which is exact enough for a test


@functools.cache
def cases():
    """(name of the weight, dtype, shape, bytes) of each"""
    names = [(f"{d.lower()}.{rows}x{cols}.weight", d, (rows, cols)) for d in DTYPES for rows, cols in SHAPES]
    return [(name, d, shape, stored(values(name, shape[0] * shape[1]), d)) for name, d, shape in names]


def write_model(folder):
    order = {"F32": 0, "BF16": 1, "F16": 2}
    tensors = sorted(cases(), key=lambda c: (order[c[1]], c[0]))
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, dtype, shape, data in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    with open(folder + "/model.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(t[3] for t in tensors))
    with open(folder + "/config.json", "w") as f:
        json.dump({"model_type": "cases", "torch_dtype": "float32"}, f)
