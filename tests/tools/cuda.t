#!/usr/bin/python3
"""The GPU from end to end without one: --device cuda with the plug-in whose kernels run on the CPU (tests/emulate),
or, where CUDA_PLUGIN names the folder of the real one, on a card.
Every family forward, training forward and backward, and what is said where there is no card that can be used."""
import json
import math
import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, root, skip_all  # noqa: E402

card = "CUDA_PLUGIN" in os.environ
plugin = os.environ.get("CUDA_PLUGIN") or os.path.join(os.environ.get("BUILD", os.path.join(root, "build", "release")), "emulated")
families = ["phi-tiny", "phi-odd", "llama-odd", "mistral-tiny", "qwen2-odd", "qwen3-odd", "phi3-odd"]

if not os.path.exists(os.path.join(plugin, "slmtools-cuda.so")):
    skip_all("there is no C++ compiler that makes CUDA's stand-in")


def run(*words, data=b"", lib=plugin, machine=""):
    env = dict(os.environ, SLMTOOLS_LIB=lib, SLMTOOLS_EMULATE=machine)
    done = subprocess.run(words, input=data, capture_output=True, env=env)
    # the address sanitizer warns of the threads that stand in for a card's
    done.stderr = b"".join(line for line in done.stderr.splitlines(True) if b"makecontext/swapcontext" not in line)
    return done


def stream(rows):
    """What the tools read, made by one of them: a machine with a card need have no packages of Python's."""
    return good(run("peek", "--from-jsonl", "--kind", "tokens", data="".join(json.dumps(row) + "\n" for row in rows).encode()))


def records(data):
    return [json.loads(line) for line in good(run("peek", "--jsonl", data=data)).splitlines()]


def golden(*part):
    return os.path.join(root, "tests", "golden", *part)


def rows_of(family, n):
    with open(golden(family, "records.jsonl")) as f:
        rows = [json.loads(line) for line in f]
    return [{"ids": r["ids"], "n_prompt": r["n_prompt"]} for r in rows][:n]


def good(done):
    if done.returncode:
        raise SystemExit(f"Bail out! {done.args}: {done.stderr.decode()}")
    return done.stdout


def nmse(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b)) / sum(y * y for y in b)


def logits(family, device, *options):
    out = good(run("predict", "-q", "--device", device, "-m", golden(family, "nf4"), "--mode", "logits", *options,
                   data=stream(rows_of(family, 6))))
    return [x for r in records(out) for x in r["logits"]]


with tempfile.TemporaryDirectory() as scratch:
    path = lambda name: os.path.join(scratch, name)  # noqa: E731

    for family in families:
        adapter = golden(family, "adapter-final")
        options = ["-a", adapter] if os.path.exists(adapter) else []
        want = logits(family, "cpu", *options)
        e = nmse(logits(family, "cuda", *options), want)
        check(f"{family}: logits are the CPU's", e < 1e-9, e)
        e = nmse(logits(family, "cuda", *options, "--compute-dtype", "bfloat16"), want)
        check(f"{family}: in bfloat16 nearly", 1e-9 < e < 1e-4, e)
        e = nmse(logits(family, "cuda", *options, "--compute-dtype", "float16"), want)
        check(f"{family}: in float16 more nearly", 1e-9 < e < 5e-6, e)

    def generate(device, family="phi-tiny", switch=""):
        os.environ["SLMTOOLS_CUDA"] = switch
        done = run("predict", "-v", "--device", device, "-m", golden(family, "nf4"), "--mode", "generate",
                   "--max-new-tokens", "12", data=stream(rows_of(family, 8)))
        del os.environ["SLMTOOLS_CUDA"]
        said = re.findall(r"(\d+) of (\d+) passes were played", done.stderr.decode())
        return [r["output_ids"] for r in records(good(done))], [int(n) for line in said for n in line]

    def generated(device):
        return generate(device)[0]

    check("greedy answers are the CPU's", generated("cuda") == generated("cpu"))
    for family in "phi-tiny", "phi3-odd", "qwen3-odd":
        with_graphs, played = generate("cuda", family)
        check(f"{family}: most passes of a token each are played from a recording, which says the same",
              played == [9, 12] and (with_graphs, []) == generate("cuda", family, "nograph"), played)

    def trained(family, device, name, *options, machine=""):
        return run("lora-train", "-q", "--device", device, "-m", golden(family, "nf4"), "-o", path(name), "--metrics", path(name + ".jsonl"),
                   "--force", "--r", "4", "--lora-alpha", "8", "--learning-rate", "1e-3", "--max-grad-norm", "0.3", "--logging-steps", "1",
                   "--gradient-accumulation-steps", "2", "--num-train-epochs", "1", *options,
                   data=stream(rows_of(family, 12)), machine=machine)

    def curve(name, what="loss"):
        with open(path(name + ".jsonl")) as f:
            return [r[what] for r in map(json.loads, f) if "loss" in r]

    for family in families:
        for device in "cuda", "cpu":
            good(trained(family, device, device))
        a, b = curve("cuda"), curve("cpu")
        check(f"{family}: training has the CPU's losses, with dropout", len(a) == len(b) > 3 and all(math.isclose(x, y, rel_tol=1e-4) for x, y in zip(a, b)), (a, b))
        good(trained(family, "cuda", "cuda", "--compute-dtype", "bfloat16"))
        for what in "loss", "grad_norm":
            a, b = curve("cuda", what), curve("cpu", what)
            off = max(abs(x / y - 1) for x, y in zip(a, b))
            check(f"{family}: in bfloat16 {what} is nearly float32's", len(a) == len(b) > 3 and 0 < off < 0.03, off)
    good(trained("phi-tiny", "cuda", "again"))
    good(trained("phi-tiny", "cuda", "cuda"))
    with open(path("again"), "rb") as a, open(path("cuda"), "rb") as b:
        check("twice the same bytes", a.read() == b.read())

    good(run("quantize-nf4", "-q", "--device", "cuda", golden("phi-tiny", "model"), "-o", path("cuda.tar")))
    good(run("quantize-nf4", "-q", "--device", "cpu", golden("phi-tiny", "model"), "-o", path("cpu.tar")))
    with open(path("cuda.tar"), "rb") as a, open(path("cpu.tar"), "rb") as b:
        check("quantising gives the CPU's bytes", a.read() == b.read())

    if card:  # what follows makes the machine another one
        finish()

    def labelled(memory):
        return run("predict", "-q", "--device", "cuda", "-m", golden("phi-tiny", "nf4"), "--mode", "logits", "--compute-dtype", "bfloat16",
                   data=stream(rows_of("phi-tiny", 6)), machine=f"memory={memory}")

    memory = 1 << 21
    while (tight := labelled(memory)).returncode == 71:
        memory += memory // 8
    check("and the same bytes with little memory, where no weight is kept expanded", memory > 1 << 21 and good(tight) == good(labelled(1 << 30)), memory)

    def told(done):
        line = [at for at in done.stderr.decode().splitlines() if "memory of the device" in at]
        return [float(n) for n in re.findall(r"[0-9.]+(?= |;)", line[0])] if len(line) == 1 else []

    def verbose(device, *words):
        return run(*words, "-v", "--device", device, "-m", golden("phi-tiny", "nf4"), "--compute-dtype", "bfloat16",
                   data=stream(rows_of("phi-tiny", 6)), machine="memory=50000000")

    used = told(verbose("cuda", "predict", "--mode", "logits"))
    check("-v says what takes the memory", len(used) == 7 and used[0] > 0 and used[1] > 0 and used[2] == 0 and 0 < used[5] < used[6] == 50, used)
    used = told(verbose("cuda", "lora-train", "-o", path("verbose"), "--num-train-epochs", "1"))
    check("training's optimiser too", len(used) == 7 and used[2] > 0, used)
    check("and nothing on the CPU", told(verbose("cpu", "predict", "--mode", "logits")) == [])

    # memory is taken before the first pass: no cudaMalloc follows what -v says of it
    def taken(*words, rows):
        done = run(*words, "-v", "--device", "cuda", data=stream(rows), machine="trace=1")
        good(done)
        return done.stderr.decode().split("memory of the device")[1:]

    growing = [{"ids": [(i * i + k * k * 7 + i * k) % 71 for k in range(6 + 9 * i)], "n_prompt": 4} for i in range(12)]

    def taken_in(steps, *options):
        said = taken("lora-train", "-m", golden("llama-odd", "nf4"), "-o", path("taken"), "--force", "--r", "4", "--max-steps", str(steps), "--no-group-by-length",
                     "--gradient-accumulation-steps", "2", *options, rows=growing)
        return [part.count("cudaMalloc") for part in said]

    saving = 3  # to name the base in the adapter
    for dtype in "float32", "float16", "bfloat16":
        check(f"training in {dtype} takes no memory in any step", taken_in(1, "--compute-dtype", dtype) == taken_in(6, "--compute-dtype", dtype) == [saving])
    for mode in "generate", "loss", "logits":
        said = taken("predict", "-m", golden("llama-odd", "nf4"), "--mode", mode, "--compute-dtype", "bfloat16", rows=growing)
        check(f"nor does predict --mode {mode} in any pass", len(said) == 1 and "cudaMalloc" not in said[0], said)
    said = taken("predict", "-m", golden("llama-odd", "nf4"), "--mode", "loss", "--batch-tokens", "64", rows=growing)
    check("but for a text of more tokens than --batch-tokens, which is planned anew", len(said) > 1 and "cudaMalloc" in said[0] and "cudaMalloc" not in said[-1], said)

    # a step's micro-batches: one pass where activations have room, else several
    longer = [{"ids": [(i * i + k * k * 7 + i * k) % 71 for k in range(100)]} for i in range(8)]

    def packed(name, memory):
        done = run("lora-train", "-v", "--device", "cuda", "-m", golden("llama-odd", "nf4"), "-o", path(name + "/"), "--r", "4", "--gradient-accumulation-steps", "4",
                   "--max-steps", "2", "--learning-rate", "1e-3", "--warmup-ratio", "0", "--logging-steps", "1", "--metrics", path(name + ".jsonl"),
                   data=stream(longer), machine=f"memory={memory}")
        good(done)
        with open(path(name + "/adapter_model.safetensors"), "rb") as f:
            data = f.read()
        return int(re.search(rb"activations of (\d+) tokens", done.stderr)[1]), curve(name), data[8 + int.from_bytes(data[:8], "little"):]

    several, one = packed("several", 3 << 20), packed("one", 1 << 30)
    floats = [[x for x, in struct.iter_unpack("<f", w[2])] for w in (several, one)]
    check("four micro-batches are one pass where there is room", (several[0], one[0]) == (198, 396), (several[0], one[0]))
    check("... with the losses of two passes", all(math.isclose(x, y, rel_tol=1e-6) for x, y in zip(several[1], one[1], strict=True)), (several[1], one[1]))
    check("... and the adapter, but for rounding", 0 < nmse(*floats) < 1e-7, nmse(*floats))

    def in_bfloat16(name, memory):
        return run("lora-train", "-v", "--device", "cuda", "-m", golden("phi-tiny", "nf4"), "-o", path(name), "--force", "--r", "4", "--compute-dtype", "bfloat16",
                   "--num-train-epochs", "1", "--gradient-accumulation-steps", "2", data=stream(rows_of("phi-tiny", 12)), machine=f"memory={memory}")

    memory = 1 << 21
    while (tight := in_bfloat16("tight", memory)).returncode == 71:
        memory += memory // 8
    good(tight)
    good(roomy := in_bfloat16("roomy", 1 << 30))
    with open(path("tight"), "rb") as a, open(path("roomy"), "rb") as b:
        check("so little memory that weights are expanded ahead of their products gives the same adapter", told(tight)[1] < told(roomy)[1] and a.read() == b.read(), (told(tight), told(roomy)))

    def refuses(name, code, why, device="cuda", **where):
        done = run("predict", "--device", device, "-m", golden("phi-tiny", "nf4"), "-o", path("none"), data=stream(rows_of("phi-tiny", 2)), **where)
        said = done.stderr.decode()
        check(name, done.returncode == code and why in said and said.count("\n") == 1 and not os.path.exists(path("none")), f"{done.returncode} {said}")

    refuses("no plug-in", 69, "is not there", lib=path("."))
    with open(path("slmtools-cuda.so"), "w") as f:
        f.write("no library")
    refuses("one that is none", 69, "cannot open the plug-in", lib=path("."))
    os.remove(path("slmtools-cuda.so"))
    refuses("no driver", 69, "no NVIDIA driver", machine="driver=0")
    refuses("an old driver", 69, "made for CUDA 12.2", machine="driver=12020")
    refuses("no card", 69, "no NVIDIA GPU", machine="devices=0")
    refuses("no such card", 69, "device 'cuda:3': there is no device 3: this machine has 2", device="cuda:3", machine="devices=2")
    refuses("an old card", 69, "compute capability 7.0 and at least 8.0", machine="major=7")
    refuses("no room for the model", 71, "are free", machine="memory=100000")
    refuses("a launch that fails", 69, "the device failed in", machine="fail=40")

    done = trained("phi-tiny", "cuda", "none", machine="memory=1500000")
    said = done.stderr.decode()
    check("no room for the training: what is needed and what has the rest, before the first step", done.returncode == 71 and said.count("\n") == 1 and not os.path.exists(path("none"))
          and re.search(r"activations [0-9.]+ MB \+ scratch [0-9.]+ are needed, and 0.[0-9] of 1.5 MB are free beside weights as stored 0.9, LoRA and optimiser 0.4", said) is not None, said)

    os.remove(path("again"))
    done = trained("phi-tiny", "cuda", "again", machine="fail=900")
    check("a launch that fails in training leaves nothing half-written", done.returncode == 69 and not os.path.exists(path("again")), done.stderr)

    auto = [run("predict", "-q", "-m", golden("phi-tiny", "nf4"), "--mode", "logits", *device, data=stream(rows_of("phi-tiny", 2)), **where).stdout
            for device, where in ((["--device", "cuda"], {}), ([], {}), ([], {"machine": "devices=0"}), (["--device", "cpu"], {}))]
    check("auto takes the card, and the CPU where there is none", records(auto[0]) == records(auto[1]) and records(auto[2]) == records(auto[3]))
    said = run("peek", "--devices", machine="devices=2").stdout.decode()
    check("peek lists the cards", "cpu\tcan be used\ncuda:0\temulated" in said and "cuda:1\t" in said, said)
    said = run("peek", "--devices", machine="devices=0").stdout.decode()
    check("and says why there is none", "cuda\tcannot be used: there is no NVIDIA GPU" in said, said)

finish()
