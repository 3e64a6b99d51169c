#!/usr/bin/python3
"""lora-train --compute-dtype float16: float32's losses, on the CPU and over the GPU's stand-in; the loss is scaled up, a step
whose gradient overflows is skipped, and a run that goes on has the bytes of one that was never stopped."""
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from xml.etree import ElementTree

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, good, read, root, run, skip  # noqa: E402

families = ["phi-tiny", "phi-odd", "llama-odd", "mistral-tiny", "qwen2-odd", "qwen3-odd", "phi3-odd"]
plugin = os.environ.get("CUDA_PLUGIN") or os.path.join(os.environ.get("BUILD", os.path.join(root, "build", "release")), "emulated")
folder = tempfile.TemporaryDirectory()


def path(name):
    return os.path.join(folder.name, name)


def golden(*part):
    return os.path.join(root, "tests", "golden", *part)


def command(name, *options):
    return ["lora-train", "-q", "--device", "cpu", "--force", "--r", "4", "--logging-steps", "1", "--metrics", path(name + ".jsonl"), "-o", path(name), *options]


def lines(name):
    with open(path(name + ".jsonl")) as f:
        return [{k: v for k, v in json.loads(x).items() if k != "tokens_per_s"} for x in f]


def trained(name, *options):
    good(*command(name, *options))
    return lines(name)


def far(got, want):
    return max(abs(a["loss"] - b["loss"]) / b["loss"] for a, b in zip(got, want, strict=True))


# ---- losses ----

os.environ["SLMTOOLS_LIB"] = plugin
for family in families:
    good("peek", "--from-jsonl", "--kind", "tokens", "-o", path(family), golden(family, "records.jsonl"))
    options = ["-m", golden(family, "nf4"), path(family), "--learning-rate", "1e-3", "--gradient-accumulation-steps", "2", "--compute-dtype"]
    want = trained("want", *options, "float32", "--max-steps", "8")
    got = trained("got", *options, "float16", "--max-steps", "8")
    check(f"{family}: float32's losses within 1 %", len(got) == 8 and 1e-7 < far(got, want) < 0.01, far(got, want))
    check("... under a scale that float32 knows nothing of", [x["loss_scale"] for x in got] == [65536] * 8 and not any("loss_scale" in x for x in want))
    if os.path.exists(os.path.join(plugin, "slmtools-cuda.so")):
        want, got = (trained(name, *options, dtype, "--max-steps", "2", "--device", device)
                     for name, dtype, device in (("want", "float32", "cpu"), ("got", "float16", "cuda")))
        check("... on the GPU too", len(got) == 2 and 1e-7 < far(got, want) < 0.01, far(got, want))
    else:
        skip("... on the GPU too", "there is no C++ compiler that makes CUDA's stand-in")

# ---- gradients that overflow ----

# one target a record, which has all of the loss: 65536 times its gradient is beyond float16
hot = ["-m", golden("llama-odd", "nf4"), path("llama-odd"), "--loss", "completion", "--gradient-accumulation-steps", "1", "--compute-dtype", "float16"]
got = trained("whole", *hot, "--max-steps", "40", "--lr-scheduler-type", "linear", "--plot", path("whole.svg"))
skipped = [i for i, x in enumerate(got) if x["grad_norm"] is None]
check("gradients overflow", 1 <= len(skipped) < 20 and skipped[0] == 0, got[:4])
check("each time half the scale is left", [x["loss_scale"] for x in got] == [65536 / 2 ** sum(s < i for s in skipped) for i in range(40)])
check("... and it is counted", [x["skipped_steps"] for x in got] == [sum(s <= i for s in skipped) for i in range(40)])
taken = [x["lr"] for i, x in enumerate(got) if i not in skipped]
plain = [x["lr"] for x in trained("plain", *hot[:-1], "float32", "--max-steps", "40", "--lr-scheduler-type", "linear")]
check("a step that is skipped leaves its rate to the next one", taken == plain[:len(taken)] and len(set(plain)) > 35, (taken, plain))


def rates(name):
    """The points of the rate, which is the last line of a picture but for the legend; of 1 at the top."""
    lines = [e.get("d") for e in ElementTree.parse(path(name)).iter() if "pic-line" in e.get("class", "")]
    heights = [float(y) for y in re.findall(r"[ML][0-9.-]+ ([0-9.-]+)", [d for d in lines if d.count("L") > 1][-1])]
    return [(max(heights) - y) / (max(heights) - min(heights)) for y in heights]


drawn, used = rates("whole.svg"), [x["lr"] / 2e-4 for x in got]
check("the picture draws the rates that were used", len(drawn) == 40 and all(abs(a - b) < 0.001 for a, b in zip(drawn, used)), (drawn, used))
check("records go on", [x["tokens"] for x in got] == [x["tokens"] for x in lines("plain")])
first = trained("first", *hot, "--max-steps", "1", "-o", path("first/"))
check("a run of skipped steps alone changes nothing", first[0]["grad_norm"] is None, first)
good(*command("begun", *hot[:-1], "float32", "--max-steps", "1", "--learning-rate", "0", "-o", path("begun/")))


def weights(name):
    """The tensors of an adapter, without what it says of how it was made."""
    data, at = read(path(name + "/adapter_model.safetensors")), 8
    size = int.from_bytes(data[at - 8:at], "little")
    head = json.loads(data[at:at + size])
    return data[at + size:at + size + max(v["data_offsets"][1] for k, v in head.items() if k != "__metadata__")]


check("... in the adapter", weights("first") == weights("begun"))

# ---- a run that goes on ----


def stopped(signal_at):
    """A run that is told to stop behind the line of step SIGNAL_AT; the lines of the metrics that it left."""
    for name in "part", "part.jsonl", "run":
        if os.path.exists(path(name)):
            os.remove(path(name))
    p = subprocess.Popen(command("part", *hot, "--max-steps", "40", "--lr-scheduler-type", "linear", "--checkpoint", path("run")), stderr=subprocess.PIPE)
    while p.poll() is None and (not os.path.exists(path("part.jsonl")) or read(path("part.jsonl")).count(b"\n") < signal_at):
        time.sleep(0.001)
    p.send_signal(signal.SIGTERM)
    p.communicate()
    return p.returncode


# the machine may be too quick for a signal: a step later then
at = next((at for at in (1, 2, 3, 1, 2, 3) if stopped(at) == 75), None)
check("a run is stopped", at is not None)
there = len(lines("part"))
words = [w for w in command("part", *hot, "--max-steps", "40", "--lr-scheduler-type", "linear", "--checkpoint", path("run"), "--resume") if w != "--force"]
good(*words)
check("... and goes on with its scale, its count and its rates", lines("part") == got and 1 <= there < 40, (there, lines("part")))
check("... to the same bytes", read(path("part")) == read(path("whole")))

# ---- where no scale helps ----

bad = [path("mistral-tiny"), *hot[3:]]
model = bytearray(read(golden("mistral-tiny", "model", "model.safetensors")))
size = 8 + int.from_bytes(model[:8], "little")
head = json.loads(model[8:size])


def write(name, change):
    data = bytearray(model)
    for tensor, of in change.items():
        begin, end = (size + i for i in head[tensor]["data_offsets"])
        values = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
        data[begin:end] = struct.pack(f"<{len(values)}f", *map(of, values))
    os.makedirs(path(name))
    with open(path(name + "/model.safetensors"), "wb") as f:
        f.write(data)
    with open(path(name + "/config.json"), "wb") as f:
        f.write(read(golden("mistral-tiny", "model", "config.json")))


def refused(name, code, why, *options):
    done = run(*command("none", *options))
    said = done.stderr.decode()
    check(name, done.returncode == code and why in said and said.count("\n") == 1 and not os.path.exists(path("none")), f"{done.returncode} {said}")


write("steep", {"lm_head.weight": lambda x: 3e4 * x, "model.norm.weight": lambda x: 1e3 * x})
refused("a gradient that overflows under any scale ends the run", 70,
        "step 17: 17 steps were skipped, and the gradient is not finite without scaling either; use --compute-dtype bfloat16 or float32",
        "-m", path("steep"), *bad)
write("loud", {"model.norm.weight": lambda x: 1e5 * x})
refused("so does a loss that is none, at once", 70, "step 1: the loss is not a finite number, behind the last layer; try a lower learning rate "
        "(float16 ends at 65504: try --compute-dtype float32)", "-m", path("loud"), *bad)
for mode in "loss", "logits", "generate":
    done = run("predict", "--device", "cpu", "--mode", mode, "--compute-dtype", "float16", "-m", path("loud"), "-o", path("none"), path("mistral-tiny"))
    check(f"predict --mode {mode} names the way out as well", done.returncode == 70 and not os.path.exists(path("none")) and
          b"is the adapter sound, and the model? (float16 ends at 65504: try --compute-dtype float32)\n" in done.stderr, done.stderr)
write("large", {"lm_head.weight": lambda x: 7e4})
refused("a weight beyond float16 is named", 70, "tensor 'lm_head.weight' has 70000 at element 0, beyond what float16 can hold; use --compute-dtype bfloat16 or float32",
        "-m", path("large"), *bad)
finish()
