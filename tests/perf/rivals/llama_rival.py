"""llama.cpp through llama-cpp-python: tokens a second, on a random model of Phi-2's shape with 4 layers (a kind
of weights, and the folder where it is kept) or on a GGUF file ("file" and its path)."""
import ctypes
import os
import time
from functools import lru_cache

from serve import serve

WIDTH, LAYERS, VOCAB = 2560, 4, 51200
TYPES = {"q4_0": 2, "q8_0": 7, "bf16": 32}      # enum llama_ftype


def write_f32(path):
    import gguf
    import numpy
    random = numpy.random.default_rng(1)
    w = gguf.GGUFWriter(path, "phi2")
    w.add_context_length(2048)
    w.add_embedding_length(WIDTH)
    w.add_feed_forward_length(4 * WIDTH)
    w.add_block_count(LAYERS)
    w.add_head_count(32)
    w.add_head_count_kv(32)
    w.add_layer_norm_eps(1e-5)
    w.add_rope_dimension_count(32)
    w.add_file_type(0)
    w.add_vocab_size(VOCAB)
    w.add_tokenizer_model("none")

    def linear(name, rows, cols=WIDTH, bias=True):
        w.add_tensor(name + ".weight", random.standard_normal((rows, cols), numpy.float32) * 0.02)
        if bias:
            w.add_tensor(name + ".bias", numpy.zeros(rows, numpy.float32))

    def norm(name):
        w.add_tensor(name + ".weight", numpy.ones(WIDTH, numpy.float32))
        w.add_tensor(name + ".bias", numpy.zeros(WIDTH, numpy.float32))

    linear("token_embd", VOCAB, bias=False)
    for i in range(LAYERS):
        norm(f"blk.{i}.attn_norm")
        linear(f"blk.{i}.attn_qkv", 3 * WIDTH)
        linear(f"blk.{i}.attn_output", WIDTH)
        linear(f"blk.{i}.ffn_up", 4 * WIDTH)
        linear(f"blk.{i}.ffn_down", WIDTH, 4 * WIDTH)
    norm("output_norm")
    linear("output", VOCAB)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def file_of(kind, folder):
    import llama_cpp as c
    os.makedirs(folder, exist_ok=True)
    whole, path = f"{folder}/f32.gguf", f"{folder}/{kind}.gguf"
    if not os.path.exists(whole):
        write_f32(whole)
    if not os.path.exists(path):
        params = c.llama_model_quantize_default_params()
        params.ftype = TYPES[kind]
        params.pure = True
        if c.llama_model_quantize(whole.encode(), path.encode(), ctypes.byref(params)):
            raise RuntimeError("llama_model_quantize failed")
    return path


@lru_cache(maxsize=1)
def context(kind, threads, folder):
    import llama_cpp as c
    c.llama_backend_init()
    options = c.llama_model_default_params()
    options.use_extra_bufts = False             # 0.3.36 with AMX falls over its own repacked q4_0
    path = folder if kind == "file" else file_of(kind, folder)
    model = c.llama_model_load_from_file(path.encode(), options)
    params = c.llama_context_default_params()
    params.n_ctx = 1024
    params.n_batch = params.n_ubatch = 512
    params.n_threads = params.n_threads_batch = int(threads)
    return c.llama_init_from_model(model, params)


def forget(*which):
    if forget.last not in (None, which):
        context.cache_clear()                   # the pages of the last file stay with the system
    forget.last = which


forget.last = None


def decode(ctx, first, n):
    import llama_cpp as c
    tokens = (c.llama_token * n)(*((first + 37 * i) % 49000 for i in range(n)))
    if c.llama_decode(ctx, c.llama_batch_get_one(tokens, n)):
        raise RuntimeError("llama_decode failed")


def timed(kind, threads, folder, before, pieces, size):
    """PIECES calls of SIZE tokens each behind a text of BEFORE tokens."""
    import llama_cpp as c
    forget(kind, threads, folder)
    ctx = context(kind, threads, folder)
    c.llama_memory_clear(c.llama_get_memory(ctx), True)
    decode(ctx, 1, before)
    start = time.perf_counter()
    for i in range(pieces):
        decode(ctx, i, size)
    return pieces * size / (time.perf_counter() - start)


serve({"prefill": lambda *words: timed(*words, 16, 1, 512), "decode": lambda *words: timed(*words, 16, 32, 1)})
