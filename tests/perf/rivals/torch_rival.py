"""PyTorch's matrix product and attention, bitsandbytes' NF4 on the CPU, in the shapes of cases_micro.py."""
from functools import lru_cache

from serve import clock, serve


@lru_cache(maxsize=1)
def operands(dtype, way, M, O, C):
    import torch
    x = torch.randn(M, C if way == "forward" else O).to(getattr(torch, dtype))
    return x, torch.randn(O, C).to(x.dtype)


def matmul(dtype, way, M, O, C, threads):
    import torch
    M, O, C = int(M), int(O), int(C)
    torch.set_num_threads(int(threads))
    x, w = operands(dtype, way, M, O, C)
    return 2e-9 * M * O * C / clock((lambda: x @ w.T) if way == "forward" else (lambda: x @ w))


def quantize(dtype, O, C, threads):
    import bitsandbytes.functional as bnb
    import torch
    torch.set_num_threads(int(threads))
    w = torch.randn(int(O), int(C)).to(getattr(torch, dtype))
    return 1e-9 * w.numel() / clock(lambda: bnb.quantize_4bit(w, quant_type="nf4"))


def expand(O, C, threads):
    import bitsandbytes.functional as bnb
    import torch
    torch.set_num_threads(int(threads))
    w, state = bnb.quantize_4bit(torch.randn(int(O), int(C)), quant_type="nf4")
    return 1e-9 * int(O) * int(C) / clock(lambda: bnb.dequantize_4bit(w, state))


def attention(products, backward, tokens, sequences, threads):
    import torch
    T, S = int(tokens), int(sequences)
    torch.set_num_threads(int(threads))
    q, k, v, g = (torch.randn(S, 32, T, 80, requires_grad=backward) for _ in range(4))
    call = torch.nn.functional.scaled_dot_product_attention

    def step():
        if backward:
            torch.autograd.grad(out, (q, k, v), g, retain_graph=True)
        else:
            call(q, k, v, is_causal=True)
    out = call(q, k, v, is_causal=True) if backward else None
    return 2e-9 * 32 * 80 * products * S * T * (T + 1) / 2 / clock(step)


serve({"matmul": matmul, "quantize": quantize, "expand": expand,
       "attention": lambda *a: attention(2, False, *a), "attention-backward": lambda *a: attention(5, True, *a)})
