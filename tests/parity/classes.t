#!/usr/bin/python3
"""lora-train with --class-weights and --label-smoothing against PyTorch's curves in classes.json, which make-classes made."""
import json
import os
import tempfile

import classes_cases as cases
import golden
from tap import check, finish

LOSS, NORM = 1e-5, 1e-4     # relative
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


def lines(name):
    with open(name) as f:
        return [json.loads(x) for x in f]


def train(run, device, weights):
    """The metrics of every step."""
    rows = cases.records(golden.records(run["model"]), run["loss"])
    with open("records", "wb") as f:
        f.write(golden.streams.stream(rows, labels=cases.LABELS))
    with open(golden.find(run["model"] + "/order.txt")) as f:
        order = f.readlines()
    with open("order", "w") as f:
        f.writelines(order * 2)
    options = ["--class-weights", weights] if weights else []
    golden.run("lora-train", "-q", "--device", device, "-m", golden.find(run["model"] + "/model"), "records", "--init-adapter",
               golden.find(run["model"] + "/adapter-init"), "--lora-dropout", "0", "--order", "order", "--max-steps",
               str(cases.STEPS), "--learning-rate", str(cases.RATE), "--lr-scheduler-type", "constant", "--optim", "adamw_torch",
               "--weight-decay", str(cases.DECAY), "--max-grad-norm", str(cases.CLIP), "--loss",
               "all" if run["loss"] == "all" else "completion", "--loss-norm", run["norm"], "--per-device-train-batch-size",
               str(run["batch"]), "--gradient-accumulation-steps", str(run["accum"]), "--label-smoothing", str(run["smoothing"]),
               *options, "--logging-steps", "1", "--metrics", "metrics", "--force", "-o", "adapter")
    return [{k: x[k] for k in ("lr", "loss", "grad_norm")} for x in lines("metrics")]


def named(weights):
    return ",".join(f"{k}={v!r}" for k, v in weights.items()) if weights else ""


with open(os.path.join(golden.root, "tests/parity/classes.json")) as f:
    recorded = json.load(f)
for run in recorded["runs"]:
    name = f"{run['model']}, {run['loss']} by {run['norm']}, {run['accum']} of {run['batch']}, {named(run['weights'])} {run['smoothing']}"
    for device in "cpu", "ref":
        got, want = train(run, device, named(run["weights"])), run["steps"]
        loss, norm = (max(abs(g[k] - w[k]) / w[k] for g, w in zip(got, want, strict=True)) for k in ("loss", "grad_norm"))
        check(f"{name} on {device}: loss {loss:.1e}, gradient norm {norm:.1e}", loss <= LOSS and norm <= NORM)

# "balanced" is scikit-learn's compute_class_weight to the last bit
for model, weights in recorded["balanced"].items():
    run = next(r for r in recorded["runs"] if r["model"] == model and r["weights"] and r["loss"] == "all")
    check(f"{model}: balanced is {named(weights)}", train(run, "cpu", "balanced") == train(run, "cpu", named(weights)))

# what is scaled stays the same, what says nothing changes nothing
run = recorded["runs"][2]
plain, ones = train(run, "cpu", ""), train(run, "cpu", "a=1,b=1")
check("weights of 1 change no bit", plain == ones)
once, twice = train(run, "cpu", named(run["weights"])), train(run, "cpu", named({k: 4 * v for k, v in run["weights"].items()}))
check("weights count against each other", once == twice and once != plain, (once, twice))
finish()
