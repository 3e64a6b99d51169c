"""The tools with --device cuda, beside the Hugging Face stack on the same card and what cuBLAS reaches there."""
import json
import os
from functools import partial

from cases_tools import LORA
from contest import Case, run

PHI2 = {4: 0.445e9, 32: 2.65e9}     # weights that a token is multiplied with, by layers
LAYERS = [int(n) for n in os.environ.get("LAYERS", "4,32").split(",")]


class Card:
    def __init__(self, data):
        self.data = data

    def run(self, name, *words, **options):
        return run(self.data.tools / name, *words, "--device", "cuda", **options)[0]

    def step(self, dtype, layers, records, length):
        """Tokens a second of the last of four optimiser steps, all records of a step in one batch."""
        d, metrics = self.data, self.data.output("cuda.jsonl")
        self.run("lora-train", "-m", d.nf4(layers), d.tokens(f"cuda{length}.zst", 4 * records, length), "--compute-dtype", dtype,
                 "--max-steps", 4, "--metrics", metrics, "-o", d.output("cuda.adapter/"), *LORA,
                 "--per-device-train-batch-size", records, "--gradient-accumulation-steps", 1)
        return json.loads(metrics.read_text().splitlines()[-1])["tokens_per_s"]

    def labels(self, dtype, layers, records):
        d = self.data
        return records / self.run("predict", "-m", d.nf4(layers), d.prompts(), "--mode", "labels", "--limit", records,
                                  "--compute-dtype", dtype, "-o", d.output("cuda.labels"), "--force")

    def decode(self, dtype, layers, tokens, switch=""):
        """Tokens a second; SWITCH is SLMTOOLS_CUDA."""
        d, env = self.data, dict(os.environ, SLMTOOLS_CUDA=switch)
        words = ["predict", "-m", d.nf4(layers), d.tokens("decode.zst", 1, 16, 49000), "--mode", "generate",
                 "--compute-dtype", dtype, "-o", d.output("cuda.decoded"), "--force", "--max-new-tokens"]
        return tokens / (self.run(*words, tokens + 1, env=env) - self.run(*words, 1, env=env))


def limit(p, what, share, *words):
    """What PyTorch reaches in WHAT, in the unit of the case."""
    return lambda: p["cuda"].ask(what, *words) * share


def cases(p, data, names, threads):
    c = Card(data)
    for layers in LAYERS:
        weights, name = PHI2.get(layers, 78.6e6 * layers + 0.131e9), f"{layers} layers of Phi-2"
        for records, length in ((8, 95), (64, 128)):
            for dtype in ("bfloat16", "float32"):
                yield Case(f"cuda/step {records} x {length}, {name}, {dtype}", "tokens/s", partial(c.step, dtype, layers, records, length),
                           {"HF + PEFT": p["hf"].question("step_at_once", dtype, partial(data.model, layers), records, length)},
                           {"cuBLAS, forward and dx": limit(p, "matmul", 1e12 / (4 * weights), dtype, records * length)}, runs=3)
        yield Case(f"cuda/labels, 900 prompts with start, {name}, bfloat16", "prompts/s", partial(c.labels, "bfloat16", layers, 900),
                   {"HF forward, 16 at once, no start": p["hf"].question("batched", "bfloat16", partial(data.model, layers), 16, 75)}, runs=3)
        yield Case(f"cuda/decode, {name}, bfloat16", "tokens/s", partial(c.decode, "bfloat16", layers, 64),
                   {"op by op, nothing recorded": partial(c.decode, "bfloat16", layers, 64, "nograph")}, {"NF4 read once": limit(p, "copy", 1e9 / (0.53 * weights))}, runs=3)
