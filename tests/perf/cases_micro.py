"""One op, tokenizer or stream at a time, in the shapes of Phi-2, against what the machine can do."""
from contest import Case

FC1 = (10240, 2560)             # Phi-2's widest linear: rows, columns


def gemm(p, names, threads, storage, way, M, shape=FC1, label="fc1"):
    name = f"gemm/{storage}/{way}/{label}/M={M}" + ("/1 thread" if threads == 1 else "")
    ours = p["ops"].question(way, storage, M, *shape, threads)
    if M == 1:
        return Case(name, "GB/s", ours, limits={"memory read": p["limits"].question("read", threads)})
    return Case(name, "GFLOP/s", ours,
                {"OpenBLAS fp32": p["limits"].question("sgemm", way, M, *shape, threads),
                 "PyTorch fp32": p["torch"].question("matmul", "float32", way, M, *shape, threads)},
                {f"FMA peak {names['fp32']}": p["limits"].question("peak", names["fp32"], threads)})


def gemm_bf16(p, names, threads, storage, way, M):
    return Case(f"gemm/{storage}/bf16 compute/{way}/fc1/M={M}", "GFLOP/s",
                p["ops"].question(way, storage, M, *FC1, threads, "bf16"),
                {"PyTorch bf16": p["torch"].question("matmul", "bfloat16", way, M, *FC1, threads)},
                {f"bf16 peak {names['bf16']}": p["limits"].question("peak", names["bf16"], threads)})


def gemm_split(p, names, threads, storage, way, M):
    return Case(f"gemm/{storage}/bf16x3 compute/{way}/fc1/M={M}", "GFLOP/s",
                p["ops"].question(way, storage, M, *FC1, threads, "bf16x3"),
                {"PyTorch fp32": p["torch"].question("matmul", "float32", way, M, *FC1, threads)},
                {f"FMA peak {names['fp32']}": p["limits"].question("peak", names["fp32"], threads)})


def gemms(p, names, threads):
    for storage in ("nf4", "fp16", "fp32"):
        for M in (1, 128, 512, 2048):
            yield gemm(p, names, threads, storage, "forward", M)
        for M in (128, 512, 2048):
            yield gemm(p, names, threads, storage, "dx", M)
    for storage in ("q4_1", "q8_0"):
        for M in (1, 512):
            yield gemm(p, names, threads, storage, "forward", M)
        yield gemm(p, names, threads, storage, "dx", 512)
    yield gemm(p, names, threads, "nf4", "forward", 512, (2560, 2560), "dense")
    yield gemm(p, names, threads, "nf4", "forward", 512, (2560, 10240), "fc2")
    yield gemm(p, names, 1, "nf4", "forward", 512)
    if names["bf16"]:
        for way, M in (("forward", 128), ("forward", 512), ("dx", 512), ("forward", 2048)):
            yield gemm_bf16(p, names, threads, "nf4", way, M)
    for storage, way in (("nf4", "forward"), ("nf4", "dx"), ("fp16", "forward"), ("bf16", "forward")):
        yield gemm_split(p, names, threads, storage, way, 512)


def nf4(p, threads):
    read, write = p["limits"].question("read", threads), p["limits"].question("write", threads)
    yield Case("nf4/quantize fp16", "Gelem/s", p["ops"].question("quantize", "fp16", 8 * FC1[0], FC1[1], threads),
               {"bitsandbytes": p["torch"].question("quantize", "float16", *FC1, threads)},
               {"memory read": lambda: read() / 2})
    yield Case("nf4/expand", "Gelem/s", p["ops"].question("expand", 8 * FC1[0], FC1[1], threads),
               {"bitsandbytes": p["torch"].question("expand", *FC1, threads)},
               {"memory write": lambda: write() / 4})


def attention(p, names, threads):
    for tokens, sequences in ((512, 1), (95, 8)):
        for way in ("attention", "attention-backward"):
            yield Case(f"{way}/{sequences} x {tokens}", "GFLOP/s",
                       p["ops"].question(way, tokens, sequences, threads),
                       {"PyTorch fp32": p["torch"].question(way, tokens, sequences, threads)},
                       {f"FMA peak {names['fp32']}": p["limits"].question("peak", names["fp32"], threads)})


# SmolLM2's linears (rows, columns) under LoRA of rank 16 that drops 5 %, eight records of 70 tokens.
SMALL = {"qo": (576, 576), "up": (1536, 576), "down": (576, 1536)}


def small(p, names, threads):
    """What a small model's step is made of."""
    for label, shape in SMALL.items():
        for way in ("lora", "lora-backward"):
            yield Case(f"{way}/fp32/{label}/M=560", "GFLOP/s", p["ops"].question(way, "fp32", 560, *shape, 16, 5, threads),
                       {}, {f"FMA peak {names['fp32']}": p["limits"].question("peak", names["fp32"], threads)})
            if names["bf16"]:
                yield Case(f"{way}/bf16/bf16 compute/{label}/M=560", "GFLOP/s",
                           p["ops"].question(way, "bf16", 560, *shape, 16, 5, threads, "bf16"),
                           {}, {f"bf16 peak {names['bf16']}": p["limits"].question("peak", names["bf16"], threads)})
    read = p["limits"].question("read", 1)
    for way, width in (("gate", 1536), ("gate-backward", 1536), ("rms", 576), ("rms-backward", 576)):
        yield Case(f"{way}/560 x {width}/1 thread", "GB/s", p["ops"].question(way, 560, width, 1),
                   limits={"memory read": read})


def host(p, data):
    ids, text = data.tokenizer, data.texts
    yield Case("tokenizer/encode, 1 thread", "MB/s", p["host"].question("encode", ids, text),
               {name: p["encode"].question(name, ids, text) for name in ("tokenizers", "tiktoken")})
    for way in ("write", "read"):
        yield Case(f"stream/{way}, 1 thread", "M records/s", p["host"].question(way, data.output("stream.zst"), 100000),
                   limits={"zstd -3 alone": p["host"].question("zstd", "-", 100000)} if way == "write" else {})


def cases(programs, data, names, threads):
    yield from gemms(programs, names, threads)
    yield from nf4(programs, threads)
    yield from attention(programs, names, threads)
    yield from small(programs, names, threads)
    yield from host(programs, data)
