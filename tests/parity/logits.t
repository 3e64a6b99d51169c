#!/usr/bin/python3
"""predict --mode logits gives what transformers, PEFT and bitsandbytes gave after the prompt."""
import golden
from tap import check, finish

TOLERANCE = {"cpu": 5e-5, "ref": 1e-5}  # logits are about 5 in size


def worst(model, tag, got):
    """The largest difference over the records that were recorded, and how many these are."""
    recorded, far, n = golden.tensors(model + "/logits.safetensors"), 0.0, 0
    for r in golden.records(model):
        if r["split"] == "test" and f"{tag}/{r['id']}" in recorded:
            (_, vocab), values = recorded[f"{tag}/{r['id']}"]
            want = values[(r["n_prompt"] - 1) * vocab:r["n_prompt"] * vocab]
            mine = golden.streams.numbers(got[r["id"]]["logits"])
            far = max(far, max(abs(a - b) for a, b in zip(mine, want, strict=True)))
            n += 1
    return far, n


for model in golden.MODELS:
    for tag, variant, adapter in golden.VARIANTS:
        if not golden.find(f"{model}/{variant}") or adapter and not golden.find(f"{model}/{adapter}"):
            continue
        for device in "cpu", "ref":
            got = golden.predict(model, variant, adapter, "--mode", "logits", "--device", device,
                                 rows=golden.records(model))
            far, n = worst(model, tag, got)
            check(f"{model} {tag} on {device}: {far:.2g} at most in {n} records",
                  n > 0 and far <= TOLERANCE[device])
finish()
