"""GGUF files for tests, written from their description: keys, tensors, and small models of each family."""
import math
import struct

TYPES = {"u8": 0, "i8": 1, "u16": 2, "i16": 3, "u32": 4, "i32": 5, "f32": 6, "bool": 7, "text": 8, "array": 9, "u64": 10, "i64": 11,
         "f64": 12}
FORMS = {"u8": "<B", "i8": "<b", "u16": "<H", "i16": "<h", "u32": "<I", "i32": "<i", "f32": "<f", "bool": "<?", "u64": "<Q", "i64": "<q",
         "f64": "<d"}
# number, elements of a block, bytes of a block
FORMATS = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q4_1": (3, 32, 20), "Q5_0": (6, 32, 22), "Q5_1": (7, 32, 24),
           "Q8_0": (8, 32, 34), "Q2_K": (10, 256, 84), "Q3_K": (11, 256, 110), "Q4_K": (12, 256, 144), "Q5_K": (13, 256, 176),
           "Q6_K": (14, 256, 210), "IQ4_NL": (20, 32, 18), "IQ4_XS": (23, 256, 136), "BF16": (30, 1, 2)}


def text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return struct.pack("<Q", len(s)) + s


def value(kind, v):
    """KIND: a name of TYPES, or [name] for an array; a bytes value stands as it is."""
    if isinstance(kind, list):
        head = struct.pack("<IIQ", TYPES["array"], TYPES[kind[0]], len(v))
        return head + b"".join(text(x) if kind[0] == "text" else struct.pack(FORMS[kind[0]], x) for x in v)
    return struct.pack("<I", TYPES[kind]) + (text(v) if kind == "text" else struct.pack(FORMS[kind], v))


def size(format, shape):
    n = 1
    for d in shape:
        n *= d
    _, block, bytes_ = FORMATS[format]
    return n // block * bytes_


def write(keys, tensors, version=3, alignment=32, magic=b"GGUF"):
    """KEYS: [(key, kind, value)]; TENSORS: [(name, format, shape as Hugging Face has it, bytes)]."""
    head = magic + struct.pack("<IQQ", version, len(tensors), len(keys))
    for key, kind, v in keys:
        head += text(key) + value(kind, v)
    at, data = 0, b""
    for name, format, shape, content in tensors:
        assert len(content) == size(format, shape), name
        head += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", d) for d in reversed(shape))
        head += struct.pack("<IQ", FORMATS[format][0], at)
        data += content + bytes(-len(content) % alignment)
        at = len(data)
    return head + bytes(-len(head) % alignment) + data


# ---- contents that are the same on every machine ----

class Noise:
    def __init__(self, seed):
        self.state = seed * 2654435761 % 2**64 or 1

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 33

    def values(self, n, mean=0.0):
        return [mean + (self.next() % 2001 - 1000) / 8192 for _ in range(n)]

    def tensor(self, name, format, shape, mean=0.0):
        n = 1
        for d in shape:
            n *= d
        if format == "F32":
            content = struct.pack(f"<{n}f", *self.values(n, mean))
        elif format == "F16":
            content = struct.pack(f"<{n}e", *self.values(n, mean))
        elif format == "BF16":
            content = b"".join(struct.pack("<f", v)[2:] for v in self.values(n, mean))
        else:  # blocks: halves that are small numbers wherever they stand
            content = b"".join(struct.pack("<H", 0x2000 | self.next() & 0x83ff) for _ in range(size(format, shape) // 2))
        return name, format, shape, content


# ---- small models ----

def byte_chars():
    own = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    return [chr(b) if b in own else chr(256 + b - sum(o < b for o in own)) for b in range(256)]


def byte_level(vocab=270, pre="gpt-2", special=("<|endoftext|>",), **more):
    """The tokenizer's keys: SPECIAL tokens, the 256 bytes, merges of letters."""
    tokens, merges = list(special) + byte_chars(), []
    pool = "etaoinshr"
    for a in pool:
        for b in pool:
            if len(tokens) < vocab and a + b not in tokens:
                tokens.append(a + b)
                merges.append(f"{a} {b}")
    kinds = [3] * len(special) + [1] * (len(tokens) - len(special))
    return [("tokenizer.ggml.model", "text", "gpt2"), ("tokenizer.ggml.pre", "text", pre),
            ("tokenizer.ggml.tokens", ["text"], tokens), ("tokenizer.ggml.token_type", ["i32"], kinds),
            ("tokenizer.ggml.merges", ["text"], merges), ("tokenizer.ggml.bos_token_id", "u32", 0),
            ("tokenizer.ggml.eos_token_id", "u32", 0)] + [(k, *v) for k, v in more.items()]


def model(arch, format="F32", tied=False, vocab=270, dim=32, heads=4, kv=2, inner=64, layers=2, head=None, rot=None, seed=1, tokenizer=None,
          keys=(), biases=(), fused=False):
    """(keys, tensors) of a small model; KEYS replace or add "ARCH.x" and others."""
    head, noise = head or dim // heads, Noise(seed)
    norm = "attention.layer_norm_epsilon" if arch == "phi2" else "attention.layer_norm_rms_epsilon"
    all_keys = {"general.architecture": ("text", arch), "general.name": ("text", "test"), f"{arch}.context_length": ("u32", 128),
                f"{arch}.embedding_length": ("u32", dim), f"{arch}.block_count": ("u32", layers),
                f"{arch}.feed_forward_length": ("u32", inner), f"{arch}.attention.head_count": ("u32", heads),
                f"{arch}.attention.head_count_kv": ("u32", kv), f"{arch}.{norm}": ("f32", 1e-5), f"{arch}.rope.freq_base": ("f32", 10000.0)}
    if arch in ("llama", "phi2", "phi3"):
        all_keys[f"{arch}.rope.dimension_count"] = ("u32", rot or head)
    if arch == "qwen3":
        all_keys |= {f"{arch}.attention.key_length": ("u32", head), f"{arch}.attention.value_length": ("u32", head)}
    all_keys |= {k: (kind, v) for k, kind, v in (byte_level(vocab) if tokenizer is None else tokenizer)}
    for k, kind, v in keys:
        all_keys[k] = (kind, v)
    q, k = heads * head, kv * head
    parts = [("attn_qkv", q + 2 * k, dim)] if arch == "phi3" or fused else [("attn_q", q, dim), ("attn_k", k, dim), ("attn_v", k, dim)]
    parts += [("attn_output", dim, q)]
    parts += [("ffn_up", 2 * inner if arch == "phi3" else inner, dim), ("ffn_down", dim, inner)]
    parts += [("ffn_gate", inner, dim)] if arch in ("llama", "qwen2", "qwen3") else []
    with_bias = set(biases) | ({"attn_q", "attn_k", "attn_v"} if arch == "qwen2" else {p[0] for p in parts} if arch == "phi2" else set())
    tensors = [noise.tensor("token_embd.weight", format, (vocab, dim))]
    norms = ["attn_norm"] + ([] if arch == "phi2" else ["ffn_norm"])
    for i in range(layers):
        for name, rows, cols in parts:
            tensors.append(noise.tensor(f"blk.{i}.{name}.weight", format, (rows, cols)))
            if name in with_bias:
                tensors.append(noise.tensor(f"blk.{i}.{name}.bias", "F32", (rows,)))
        for name in norms:
            tensors.append(noise.tensor(f"blk.{i}.{name}.weight", "F32", (dim,), 1.0))
            if arch == "phi2":
                tensors.append(noise.tensor(f"blk.{i}.{name}.bias", "F32", (dim,)))
        if arch == "qwen3":
            tensors += [noise.tensor(f"blk.{i}.attn_{x}_norm.weight", "F32", (head,), 1.0) for x in "qk"]
    tensors.append(noise.tensor("output_norm.weight", "F32", (dim,), 1.0))
    if arch == "phi2":
        tensors.append(noise.tensor("output_norm.bias", "F32", (dim,)))
    if not tied:
        tensors.append(noise.tensor("output.weight", format, (vocab, dim)))
        if arch == "phi2":
            tensors.append(noise.tensor("output.bias", "F32", (vocab,)))
    return [(k, *v) for k, v in all_keys.items()], tensors


def llama3_factors(rot, base=10000.0, factor=8.0, original=64, low=1.0, high=4.0):
    """What the converter of llama.cpp writes for Llama 3's rope_scaling."""
    out = []
    for i in range(rot // 2):
        wave = 2 * math.pi * base ** (2 * i / rot)
        smooth = (original / wave - low) / (high - low)
        out.append(1.0 if wave < original / high else factor if wave > original / low else 1 / ((1 - smooth) / factor + smooth))
    return out


def cases():
    """name: (keys, tensors) of small models of every family, type and kind of rotary angles."""
    floats = lambda name, v: (name, "F32", (len(v),), struct.pack(f"<{len(v)}f", *v))  # noqa: E731
    everything = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    out = {f"llama-{t}": model("llama", t, seed=i + 2) for i, t in enumerate(("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "IQ4_NL"))}
    for i, t in enumerate(("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS")):
        out[f"llama-{t}"] = model("llama", t, dim=256, heads=8, kv=4, inner=256, layers=1, tied=True, seed=i + 20)
    out["llama-biases"] = model("llama", biases=everything, seed=30)
    out["llama-attention-biases"] = model("llama", "Q8_0", biases=everything[:4], seed=31)
    out["llama-head"] = model("llama", head=16, heads=4, kv=1, keys=[("llama.attention.key_length", "u32", 16), ("llama.attention.value_length", "u32", 16)],
                              seed=32)
    out["llama-linear"] = model("llama", keys=[("llama.rope.scaling.type", "text", "linear"), ("llama.rope.scaling.factor", "f32", 4.0)], seed=33)
    keys, tensors = model("llama", head=32, dim=64, heads=2, kv=1, seed=34)
    out["llama-llama3"] = keys, tensors + [floats("rope_freqs.weight", llama3_factors(32))]
    out["mistral"] = model("llama", keys=[("llama.attention.sliding_window", "u32", 16)], seed=35)
    out["qwen2"] = model("qwen2", "Q8_0", tied=True, seed=36)
    out["qwen3"] = model("qwen3", "F16", head=16, seed=37)
    out["phi3"] = model("phi3", "Q4_0", seed=38)
    out["phi3-window"] = model("phi3", rot=4, keys=[("phi3.attention.sliding_window", "u32", 16)], seed=39)
    keys, tensors = model("phi3", seed=40, keys=[("phi3.rope.scaling.original_context_length", "u32", 32), ("phi3.rope.scaling.attn_factor", "f32",
                                                                                                          math.sqrt(1 + math.log(4) / math.log(32)))])
    out["phi3-longrope"] = keys, tensors + [floats("rope_factors_short.weight", [1.0, 1.05, 1.1, 1.25]), floats("rope_factors_long.weight", [1.0, 1.5, 3.0, 9.5])]
    out["phi2"] = model("phi2", "F16", kv=4, rot=4, seed=41)
    out["phi2-fused"] = model("phi2", "Q5_1", kv=4, rot=4, fused=True, seed=42)
    return out
