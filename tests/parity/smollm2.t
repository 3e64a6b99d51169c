#!/usr/bin/python3
"""The real small model as PyTorch has it: logits, greedy continuations. Skipped where the model is not in the cache."""
import json
import os
import subprocess

import golden
from tap import check, finish, skip_all


def model():
    """The model's file, or None: nothing is downloaded here."""
    done = subprocess.run([os.path.join(golden.root, "pipelines/smollm2/fetch")], capture_output=True, text=True,
                          env={**os.environ, "PIP": "false"})
    return done.stdout.strip() if done.returncode == 0 else None


path, record = model(), golden.find("smollm2/smollm2.json")
if not path or not record:
    skip_all("the model is not in the cache (make demo fetches it)" if record else "../shared is not there")
want = golden.load("smollm2/smollm2.json")["generate"]
lines = "".join(json.dumps({"id": i, "prompt": g["prompt"]}) + "\n" for i, g in enumerate(want))
tokens = golden.run("tokenize", "-m", path, "--field", "prompt",
                    stdin=golden.run("peek", "--from-jsonl", "--kind", "prompts", stdin=lines.encode()))


def predicted(*options):
    out = golden.run("predict", "-q", "-m", path, *options, stdin=tokens)
    return [json.loads(line) for line in golden.run("peek", "--jsonl", stdin=out).splitlines()]


got = predicted("--mode", "generate", "--max-new-tokens", "24")
for g, mine in zip(want, got, strict=True):
    check(f"ids of {g['prompt'][:30]!r}", mine["ids"] == g["ids"])
    check("... and what follows", mine["output_ids"] == g["output_ids"], mine["output_ids"])
    check("... as text", mine["output"] == g["output"], mine["output"])
plain = predicted("--mode", "generate", "--max-new-tokens", "24", "--skip-special-tokens")
check("without special tokens a text ends before that of the end", all(
    mine["output"] == g["output"].removesuffix("<|im_end|>") and mine["output_ids"] == g["output_ids"]
    for g, mine in zip(want, plain)) and any("<|im_end|>" in g["output"] for g in want))
recorded, far = golden.tensors("smollm2/logits.safetensors"), 0
for i, mine in enumerate(predicted("--mode", "logits")):
    shape, values = recorded[f"logits/{i}"]
    far = max(far, max(abs(a - b) for a, b in zip(mine["logits"], values[-shape[-1]:], strict=True)))
check(f"logits of {len(want)} prompts: {far:.2g} at most", far <= 5e-4)
finish()
