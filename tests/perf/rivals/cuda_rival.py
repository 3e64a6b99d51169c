"""What the card does when PyTorch asks: products of Phi-2's widest linear, and copies."""
from serve import clock, serve


def matmul(dtype, rows):
    """TFLOP/s of (ROWS, 2560) times (2560, 10240); float32 without TF32."""
    import torch
    kind = getattr(torch, dtype)
    x = torch.randn(int(rows), 2560, device="cuda", dtype=kind)
    w = torch.randn(10240, 2560, device="cuda", dtype=kind)

    def many():
        for _ in range(20):
            torch.nn.functional.linear(x, w)
        torch.cuda.synchronize()

    return 20 * 2e-12 * int(rows) * 2560 * 10240 / clock(many)


def copy():
    """GB/s read, of a copy of 1 GiB, which writes as much."""
    import torch
    a = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    b = torch.empty_like(a)

    def many():
        for _ in range(10):
            b.copy_(a)
        torch.cuda.synchronize()

    return 2 * 10 * 1e-9 * (1 << 30) / clock(many)


serve({"matmul": matmul, "copy": copy})
