#!/usr/bin/python3
"""Configs that the recorded models could have: windows of some layers, rotations; against transformers, and with a
cache of keys and values against whole sequences."""
import json
import os
import shutil
import subprocess
import tempfile

import golden
from tap import check, finish

TOLERANCE = {"cpu": 5e-5, "ref": 1e-5}      # logits are about 5 in size
scratch = tempfile.TemporaryDirectory()


def folder(name, variant):
    """The model with the variant's config."""
    path = os.path.join(scratch.name, name)
    os.mkdir(path)
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump(variant["config"], f)
    shutil.copy(golden.find(variant["model"] + "/model/model.safetensors"), path)
    return path


def predict(model, rows, *options):
    out = golden.run("predict", "-q", "-m", model, *options, stdin=golden.streams.stream(rows))
    return {r["id"]: r for r in golden.streams.records(out)[1]}


def logits(model, rows, *options):
    return {i: golden.streams.numbers(r["logits"]) for i, r in predict(model, rows, "--mode", "logits", *options).items()}


def against_transformers(name, variant, model):
    rows = [{"id": int(n), "ids": variant["ids"][:int(n)]} for n in variant["logits"]]
    for device, bound in TOLERANCE.items():
        got = logits(model, rows, "--device", device)
        far = max(abs(a - b) for n, want in variant["logits"].items() for a, b in zip(got[int(n)], want, strict=True))
        check(f"{name} on {device}: logits {far:.1e}",
              len(got) == len(rows) and far <= bound * golden.size(*variant["logits"].values()))


def against_whole(name, variant, model):
    """Greedy continuations by the cache, of prompts that share their beginning, are the best ids of whole passes."""
    ids, more = variant["ids"], 6
    more = min(more, variant["config"].get("original_max_position_embeddings", 1000) - len(ids) + 8)
    rows = [{"id": i, "ids": ids[:len(ids) - 8 + i % 2] + [i]} for i in range(4)]
    for options in [], ["--batch-tokens", "30"]:
        got = predict(model, rows, "--mode", "generate", "--max-new-tokens", str(more), *options)
        bad = []
        for row in rows:
            new = golden.streams.numbers(got[row["id"]]["output_ids"])
            whole = logits(model, [{"id": k, "ids": row["ids"] + new[:k]} for k in range(len(new))])
            bad += [row["id"] for k in range(len(new)) if new[k] != max(range(len(whole[k])), key=whole[k].__getitem__)]
        check(f"{name}: continuations {' '.join(options)}", new and not bad, bad)


with open(os.path.join(golden.root, "tests/parity/variants.json")) as f:
    variants = json.load(f)["variants"]
for name, variant in variants.items():
    model = folder(name, variant)
    against_transformers(name, variant, model)
    against_whole(name, variant, model)

# the windows differ, so that each of these checks sees something
some = {n: v["logits"][max(v["logits"], key=int)] for n, v in variants.items()}
check("a window wider than the text is none", some.pop("mistral-wide") == some["mistral-none"])
for model in {v["model"] for v in variants.values()}:
    mine = [x for n, x in some.items() if variants[n]["model"] == model]
    check(f"the variants of {model} are not alike", len(mine) == len({tuple(m) for m in mine}))

# beyond what longrope had before it was stretched
long = variants["phi3-longrope"]
row = golden.streams.stream([{"id": 7, "ids": [1] * 25}])
for options in ["--mode", "logits"], ["--mode", "loss"]:
    done = subprocess.run(["predict", "-m", os.path.join(scratch.name, "phi3-longrope"), *options], input=row, capture_output=True)
    check(f"longrope's longer texts are refused: {options[1]}",
          done.returncode == 69 and b"24 positions that the model had before longrope" in done.stderr, done.stderr)
finish()
