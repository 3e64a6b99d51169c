#!/usr/bin/python3
"""Every family against transformers, PEFT and bitsandbytes: logits, 4-bit files, training, continuations."""
import hashlib
import json
import os
import sys
import tempfile

import golden
from tap import check, finish

# The last two are larger, and only beside the project.
MODELS = ["llama-odd", "mistral-tiny", "qwen2-odd", "qwen3-odd", "phi3-odd", "llama-tiny", "phi3-tiny"]
TOLERANCE = {"cpu": 5e-5, "ref": 1e-5}      # of logits, which are about 5 in size
LOSS, NORM, ADAPTER = 1e-5, 1e-4, 2e-3      # of curves and adapters, relative
CURVES = {"train.jsonl": [], "train-completion.jsonl": ["--loss", "completion"], "train-tokens.jsonl": ["--loss-norm", "tokens"]}
scratch = tempfile.TemporaryDirectory()


def path(name):
    return os.path.join(scratch.name, name)


def digests(folder):
    """Of the files that quantize-nf4 makes."""
    out = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            out[name] = hashlib.sha256(f.read()).hexdigest()
    return out


def quantise(model, variant, options):
    """The folder that quantize-nf4 makes, which has to be bitsandbytes' own to the last byte."""
    made = path(f"{model}.{variant}")
    golden.run("quantize-nf4", "-q", "--compute-dtype", "float32", *options, golden.find(model + "/model"), "-o", made + "/")
    if golden.find(f"{model}/{variant}.json"):
        want = golden.load(f"{model}/{variant}.json")
    else:
        want = digests(golden.find(f"{model}/{variant}"))
    check(f"{model} {variant}: every byte", digests(made) == want, want)
    return made


def logits(model, variants):
    recorded = golden.tensors(model + "/logits.safetensors")
    rows = [r for r in golden.records(model) if f"base/{r['id']}" in recorded]
    for tag, folder, adapter in variants:
        for device in TOLERANCE:
            out = golden.run("predict", "-q", "-m", folder, *adapter, "--mode", "logits", "--device", device,
                             stdin=golden.streams.stream(rows))
            far, size = 0.0, golden.size(*(values for name, (_, values) in recorded.items() if name.startswith(tag + "/")))
            for r in golden.streams.records(out)[1]:
                (_, vocab), values = recorded[f"{tag}/{r['id']}"]
                last = next(x["n_prompt"] for x in rows if x["id"] == r["id"])
                far = max(far, *(abs(a - b) for a, b in zip(golden.streams.numbers(r["logits"]),
                                                            values[(last - 1) * vocab:last * vocab], strict=True)))
            check(f"{model} {tag} on {device}: logits {far:.1e}", rows and far <= TOLERANCE[device] * size)


def continuations(model, variants):
    want = golden.load(model + "/generate.json")
    rows = golden.records(model)
    for tag, folder, adapter in variants:
        for options in ([], ["--batch-tokens", "40"], ["--device", "ref"]) if tag == "nf4" else ([],):
            out = golden.run("predict", "-q", "-m", folder, *adapter, "--mode", "generate", "--max-new-tokens", "8", *options,
                             stdin=golden.streams.stream(rows))
            got = {str(r["id"]): golden.streams.numbers(r["output_ids"]) for r in golden.streams.records(out)[1]}
            check(f"{model} {tag}: greedy continuations {' '.join(options)}", got == want[tag], (got, want[tag]))


def lines(name):
    with open(name) as f:
        return [json.loads(x) for x in f]


def distance(got, want):
    """Largest difference of any tensor, in units of its largest entry, if that is not 0."""
    assert got.keys() == want.keys(), (got.keys() ^ want.keys())
    return max(max(abs(a - b) for a, b in zip(got[k][1], want[k][1], strict=True)) / (max(map(abs, want[k][1])) or 1) for k in want)


def training(model, folder):
    args = golden.load(model + "/oracle.json")["args"]
    with open(path("records"), "wb") as f:
        f.write(golden.streams.stream(golden.records(model)))
    for device in TOLERANCE:
        if device == "ref" and model in MODELS[-2:]:
            continue    # which takes longer than all others together
        for curve, options in CURVES.items() if device == "cpu" else (("train.jsonl", []),):
            golden.run("lora-train", "-q", "--device", device, "-m", folder, path("records"), "--lora-dropout", "0",
                       "--init-adapter", golden.find(model + "/adapter-init"), "--order", golden.find(model + "/order.txt"),
                       "--max-steps", str(args["steps"]), "--learning-rate", str(args["lr"]), "--warmup-ratio", str(args["warmup"]),
                       "--weight-decay", str(args["wd"]), "--max-grad-norm", str(args["clip"]), "--gradient-accumulation-steps",
                       str(args["accum"]), *options, "--logging-steps", "1", "--metrics", path("metrics"), "--force", "-o",
                       path("adapter/"))
            got, want = lines(path("metrics")), lines(golden.find(f"{model}/{curve}"))
            loss, norm = (max(abs(g[k] - w[k]) / w[k] for g, w in zip(got, want, strict=True)) for k in ("loss", "grad_norm"))
            check(f"{model} on {device}, {curve}: loss {loss:.1e}, gradient norm {norm:.1e}", loss <= LOSS and norm <= NORM)
            if curve == "train.jsonl":
                far = distance(golden.tensors(path("adapter/adapter_model.safetensors")),
                               golden.tensors(model + "/adapter-final/adapter_model.safetensors"))
                check(f"{model} on {device}: final adapter {far:.1e}", far <= ADAPTER)


for model in sys.argv[1:] or MODELS:
    if not golden.find(model + "/model"):
        check(f"{model} # SKIP it is not beside the project", True)
        continue
    nf4 = quantise(model, "nf4", [])
    nested = quantise(model, "nf4-dq", ["--double-quant", "--nested-compat", "bnb-cpu"])
    final = ["-a", golden.find(model + "/adapter-final")]
    variants = [("base", golden.find(model + "/model"), []), ("nf4", nf4, []), ("nf4dq", nested, []), ("adapted", nf4, final)]
    logits(model, variants)
    continuations(model, variants)
    training(model, nf4)
finish()
