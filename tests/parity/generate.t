#!/usr/bin/python3
"""predict --mode generate continues as transformers does, greedily; whoever else is in the batch."""
import golden
from tap import check, finish


def continuations(model, variant, adapter, *options):
    got = golden.predict(model, variant, adapter, "--mode", "generate", "--max-new-tokens", "8", *options,
                         rows=golden.records(model))
    return {str(i): golden.streams.numbers(r["output_ids"]) for i, r in got.items()}


for model in golden.MODELS:
    want = golden.load(model + "/generate.json")
    for tag, variant, adapter in golden.VARIANTS:
        if tag not in want or not golden.find(f"{model}/{variant}"):
            continue
        got = continuations(model, variant, adapter)
        check(f"{model} {tag}", got == want[tag], got)
got = continuations("phi-tiny", "nf4", None, "--device", "ref")
check("phi-tiny nf4 on ref", got == golden.load("phi-tiny/generate.json")["nf4"], got)
for options in ["--batch-tokens", "1"], ["--batch-tokens", "100"], ["-j", "1"], ["-j", "3"]:
    got = continuations("phi-tiny", "nf4", None, *options)
    check(f"the same with {' '.join(options)}", got == golden.load("phi-tiny/generate.json")["nf4"], got)
finish()
