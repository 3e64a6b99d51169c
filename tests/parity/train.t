#!/usr/bin/python3
"""lora-train against curves and adapters that PyTorch, PEFT and bitsandbytes gave: tests/golden."""
import array
import json
import os
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, root, shared  # noqa: E402

golden = os.path.join(shared, "golden")
if not os.path.isdir(golden):
    golden = os.path.join(root, "tests/golden")
folder = tempfile.TemporaryDirectory()

# What float32 with another order of summation can hold.
LOSS, NORM, ADAPTER = 1e-5, 1e-4, 2e-3


def path(name):
    return os.path.join(folder.name, name)


def lines(name):
    with open(name) as f:
        return [json.loads(x) for x in f]


def tensors(data):
    """A safetensors file: name to array of floats."""
    n = int.from_bytes(data[:8], "little")
    out = {}
    for name, t in json.loads(data[8:8 + n]).items():
        if name != "__metadata__":
            out[name] = array.array("f", data[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]])
    return out


def adapter(name):
    with tarfile.open(name) as t:
        return tensors(t.extractfile("adapter_model.safetensors").read())


def distance(a, b):
    """Largest difference of any tensor of A from B's, in units of that tensor's largest entry."""
    assert a.keys() == b.keys()
    return max(max(map(abs, map(float.__sub__, a[k], b[k]))) / max(map(abs, b[k])) for k in b)


def train(model, device, weights, options):
    """The metrics of every step of a run that begins with adapter-init, without dropout."""
    base = os.path.join(golden, model)
    words = ["lora-train", "-q", "--device", device, "-m", os.path.join(base, weights), path(model), "--lora-dropout", 0,
             "--init-adapter", os.path.join(base, "adapter-init"), "--order", os.path.join(base, "order.txt"),
             "--logging-steps", 1, "--metrics", path("metrics"), "--force", "-o", path("adapter.tar"), *options]
    subprocess.run(list(map(str, words)), check=True)
    return lines(path("metrics"))


def compare(name, got, want):
    loss = max(abs(g["loss"] - w["loss"]) / w["loss"] for g, w in zip(got, want))
    norm = max(abs(g["grad_norm"] - w["grad_norm"]) / w["grad_norm"] for g, w in zip(got, want))
    rate = max(abs(g["lr"] - w["lr"]) for g, w in zip(got, want))
    ok = len(got) == len(want) and loss <= LOSS and norm <= NORM and rate < 1e-15
    check(f"{name}: loss {loss:.1e} of {LOSS:g}, gradient norm {norm:.1e} of {NORM:g}", ok)


def check_curve(model, device, curve, options):
    base = os.path.join(golden, model)
    with open(os.path.join(base, "oracle.json")) as f:
        args = json.load(f)["args"]
    got = train(model, device, "nf4", [
        "--r", args["rank"], "--lora-alpha", args["alpha"], "--learning-rate", args["lr"], "--max-steps", args["steps"],
        "--warmup-ratio", args["warmup"], "--weight-decay", args["wd"], "--max-grad-norm", args["clip"],
        "--gradient-accumulation-steps", args["accum"], *options])
    compare(f"{model} on {device}, {curve}", got, lines(os.path.join(base, curve)))
    if curve == "train.jsonl":
        with open(os.path.join(base, "adapter-final/adapter_model.safetensors"), "rb") as f:
            far = distance(adapter(path("adapter.tar")), tensors(f.read()))
        check(f"{model} on {device}, final adapter: {far:.1e} of {ADAPTER:g}", far <= ADAPTER)


def check_optimisers():
    """PyTorch's optimisers over the float32 model, micro-batches that were padded there, a linear schedule."""
    with open(os.path.join(root, "tests/parity/optim.json")) as f:
        recorded = json.load(f)
    for run in recorded["runs"]:
        got = train("phi-tiny", "cpu", "model", [
            "--optim", run["optim"], "--per-device-train-batch-size", run["batch"], "--loss-norm", run["norm"],
            "--gradient-accumulation-steps", run["accum"], "--learning-rate", run["rate"],
            "--weight-decay", recorded["decay"], "--max-grad-norm", recorded["clip"],
            "--warmup-steps", recorded["warmup"], "--lr-scheduler-type", "linear", "--max-steps", len(run["steps"])])
        compare(f"{run['optim']}, micro-batches of {run['batch']}, {run['norm']}", got, run["steps"])


def logits(model, dtype, records):
    """Of the last tokens, by the instructions that the environment names."""
    subprocess.run(["predict", "-q", "-m", os.path.join(golden, model, "nf4"), path(model), "--mode", "logits", "--compute-dtype",
                    dtype, "--limit", str(records), "--force", "-o", path("logits")], check=True)
    rows = subprocess.run(["peek", "--jsonl", path("logits")], check=True, capture_output=True).stdout.splitlines()
    return [x for r in rows for x in json.loads(r)["logits"]]


def apart(got, want):
    """Largest difference, in units of the largest."""
    return max(abs(a - b) for a, b in zip(got, want, strict=True)) / max(map(abs, want))


def check_rounded(model, dtype, instructions, bound):
    """The curve stays within BOUND of float32's at every step, and logits within half of that of the largest."""
    base = os.path.join(golden, model)
    with open(os.path.join(base, "oracle.json")) as f:
        args = json.load(f)["args"]
    os.environ["SLMTOOLS_CPU"] = instructions
    got = train(model, "cpu", "nf4", [
        "--compute-dtype", dtype, "--learning-rate", args["lr"], "--max-steps", args["steps"], "--warmup-ratio",
        args["warmup"], "--weight-decay", args["wd"], "--max-grad-norm", args["clip"], "--gradient-accumulation-steps", args["accum"]])
    want = lines(os.path.join(base, "train.jsonl"))
    far = [abs(g["loss"] - w["loss"]) / w["loss"] for g, w in zip(got, want, strict=True)]
    check(f"{model} in {dtype} by {instructions}: loss {max(far):.1e} of {bound:g}", 1e-6 < max(far) <= bound)
    far = apart(logits(model, dtype, 4), logits(model, "float32", 4))
    del os.environ["SLMTOOLS_CPU"]
    check(f"{model} in {dtype} by {instructions}: logits {far:.1e} of {bound / 2:g} of the largest", 1e-6 < far <= bound / 2)


def check_split(model):
    """Three bfloat16 for each float hold what floats hold, and are added in another order."""
    want = logits(model, "float32", 4)
    os.environ["SLMTOOLS_CPU"] = "amxbf16-emulated"
    far = apart(logits(model, "bf16x3", 4), want)
    check(f"{model} in bf16x3, emulated: logits {far:.1e} of {LOSS:g} of the largest", 0 < far <= LOSS)
    del os.environ["SLMTOOLS_CPU"]
    if "amx_bf16" in flags:  # a whole curve takes minutes where it is emulated
        check_curve(model, "cpu", "train.jsonl", ["--compute-dtype", "bf16x3"])


with open("/proc/cpuinfo") as f:
    flags = f.read().split()
for model in ("phi-tiny", "phi-odd"):
    subprocess.run(["peek", "--from-jsonl", "--kind", "tokens", "-o", path(model),
                    os.path.join(golden, model, "records.jsonl")], check=True)
    for device in ("ref", "cpu"):
        check_curve(model, device, "train.jsonl", [])
        check_curve(model, device, "train-completion.jsonl", ["--loss", "completion"])
        check_curve(model, device, "train-tokens.jsonl", ["--loss-norm", "tokens"])
    for instructions in ["portable"] + [i for i, flag in (("avx2", "avx2"), ("avx512bf16", "avx512_bf16")) if flag in flags]:
        check_rounded(model, "bfloat16", instructions, 0.02)
        check_rounded(model, "float16", instructions, 0.002)
    check_split(model)
check_optimisers()
finish()
