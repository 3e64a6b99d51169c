#!/usr/bin/python3
"""quantize-nf4 writes what bitsandbytes writes: whole folders of the recorded models, and hard cases."""
import filecmp
import hashlib
import json
import os
import struct
import subprocess
import tempfile

import numpy as np

import golden
import nf4_cases
from tap import check, finish

MORE = ["llama-tiny", "phi3-tiny"]      # their linears are found by the same rule
scratch = tempfile.TemporaryDirectory()
serial = 0


def quantize(model, *options):
    """The folder that quantize-nf4 makes of MODEL."""
    global serial
    serial += 1
    out = os.path.join(scratch.name, str(serial)) + "/"
    golden.run("quantize-nf4", *options, model, "-o", out)
    return out


def different(a, b):
    """Files that are not the same in both folders."""
    names = set(os.listdir(a)) | set(os.listdir(b))
    return sorted(names - set(filecmp.cmpfiles(a, b, names, shallow=False)[0]))


def raw(folder):
    """name -> (dtype, bytes)"""
    with open(folder + "/model.safetensors", "rb") as f:
        header = json.loads(f.read(*struct.unpack("<Q", f.read(8))))
        data = f.read()
    return {k: (v["dtype"], data[slice(*v["data_offsets"])]) for k, v in header.items() if k != "__metadata__"}


def recorded_models():
    for model in golden.MODELS + MORE:
        source = golden.find(model + "/model")
        for variant, options in ("nf4", []), ("nf4-dq", ["--double-quant", "--nested-compat", "bnb-cpu"]):
            want = golden.find(f"{model}/{variant}")
            if not source or not want:
                continue
            for device, threads in ("cpu", 1), ("cpu", 3), ("ref", 2):
                made = quantize(source, "--compute-dtype", "float32", *options, "--device", device, "-j", str(threads))
                bad = different(want, made)
                check(f"{model} {variant} on {device}, {threads} threads: every byte", not bad, bad)


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).hexdigest()[:32]


def state_of(tensors, name):
    return json.loads(tensors[name + ".quant_state.bitsandbytes__nf4"][1])


def wrong_cases(block, plain, nested):
    """Weights of the cases that differ from what bitsandbytes made of them."""
    with open(os.path.join(os.path.dirname(__file__), "nf4-cases.json")) as f:
        recorded = json.load(f)["digests"]
    bad = []
    for name, *_ in nf4_cases.cases():
        got = [digest(plain[name][1]), digest(plain[name + ".absmax"][1]),
               digest(nested[name + ".absmax"][1], nested[name + ".nested_absmax"][1]),
               state_of(nested, name)["nested_offset"]]
        bad += [f"{name}[{i}]" for i, (x, y) in enumerate(zip(got, recorded[f"{name} {block}"], strict=True)) if x != y]
    return bad


def hard_cases():
    model = os.path.join(scratch.name, "cases")
    os.mkdir(model)
    nf4_cases.write_model(model)
    for block in nf4_cases.BLOCKS:
        for device in "cpu", "ref":
            linears = ",".join(name.removesuffix(".weight") for name, *_ in nf4_cases.cases())
            options = ["--modules", linears, "--blocksize", str(block), "--device", device]
            plain = raw(quantize(model, *options))
            nested = raw(quantize(model, *options, "--double-quant", "--nested-compat", "bnb-cpu"))
            bad = wrong_cases(block, plain, nested)
            check(f"hard cases in blocks of {block} on {device}", not bad, bad[:5])


def by_cuda_search(x, table):
    """bitsandbytes' kernel, for all of x at once: steps from the middle, then the nearer neighbour."""
    pivot, above, below = (np.full(len(x), i) for i in (127, 255, 0))
    for step in 64, 32, 16, 8, 4, 2, 1:
        right = x > table[pivot]
        below, above = np.where(right, pivot, below), np.where(right, above, pivot)
        pivot = pivot + np.where(right, step, -step)
    half = np.float32(0.5)
    right = x > table[pivot]
    up = np.where(x > (table[above] + table[pivot]) * half, above, pivot)
    down = np.where(x < (table[below] + table[pivot]) * half, below, pivot)
    return np.where(right, up, down)


def by_midpoints(x, table):
    return np.searchsorted((table[1:] + table[:-1]) * np.float32(0.5), x, side="left")


def floats(tensors, name):
    return np.frombuffer(tensors[name][1], np.float32)


def nesting_is_wrong(plain, nested, name, search):
    absmax, scales = floats(plain, name + ".absmax"), floats(nested, name + ".nested_absmax")
    offset = np.float32(state_of(nested, name)["nested_offset"])
    diff = absmax - offset
    want = np.array([np.abs(diff[i:i + 256]).max() for i in range(0, len(diff), 256)], np.float32)
    x = diff * np.repeat(np.float32(1) / want, 256)[:len(diff)]
    codes = search(x, floats(nested, name + ".nested_quant_map"))
    return (abs(np.float64(offset) - absmax.astype(np.float64).mean()) > np.spacing(offset)
            or not np.array_equal(want, scales)
            or not np.array_equal(codes, np.frombuffer(nested[name + ".absmax"][1], np.uint8)))


def nesting_rules():
    source = golden.find("phi-tiny/model")
    plain = raw(quantize(source))
    for rule, search in ("cuda", by_cuda_search), ("midpoint", by_midpoints):
        nested = raw(quantize(source, "--double-quant", "--nested-compat", rule))
        bad = [n for n in nested if n + ".nested_absmax" in nested and nesting_is_wrong(plain, nested, n, search)]
        check(f"--nested-compat {rule} by its definition", not bad, bad)
    cuda = quantize(source, "--double-quant", "--nested-compat", "cuda")
    check("cuda is the default", not different(cuda, quantize(source, "--double-quant")))


def way_back():
    for model in golden.MODELS:
        for variant in "nf4", "nf4-dq":
            source, made = golden.find(model + "/model"), golden.find(f"{model}/{variant}")
            if not source or not made:
                continue
            back = quantize(made, "--dequantize")
            before, after = raw(source), raw(back)
            dense = [n for n in before if n + ".absmax" not in raw(made)]
            check(f"{model} {variant} back: names, types and unquantised tensors as they were",
                  {n: (t, len(b)) for n, (t, b) in before.items()}
                  == {n: (t, len(b)) for n, (t, b) in after.items()}
                  and all(before[n] == after[n] for n in dense)
                  and not set(different(source, back)) - {"model.safetensors"})
            if variant == "nf4":    # what is a code times its scale is coded as that again
                options = ["--compute-dtype", "float32"]
                check(f"{model} {variant} back and forth", not different(made, quantize(back, *options)))


recorded_models()
hard_cases()
nesting_rules()
way_back()
for made, options, want in ("nf4", [], 0), ("nf4", ["--double-quant"], 1), ("model", [], 1):
    rc = subprocess.run(["quantize-nf4", *options, "--verify", golden.find("phi-tiny/" + made),
                         golden.find("phi-tiny/model")], capture_output=True).returncode
    check(f"--verify {made} {' '.join(options)} gives {want}", rc == want, rc)
finish()
