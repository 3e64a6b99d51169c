#!/usr/bin/python3
"""Plain inference in one line equals transformers' greedy generate: from a folder, an archive, NF4, with an adapter.

line.json and line-adapter/ were made by make-line."""
import os
import subprocess
import tempfile

import golden
from tap import check, finish, skip_all

phi2 = os.path.join(golden.shared, "data", "phi-2")
if not os.path.exists(os.path.join(phi2, "tokenizer.json")):
    skip_all("no tokenizer of Phi-2 in ../shared/data")
here = os.path.dirname(os.path.abspath(__file__))
want = golden.json.load(open(os.path.join(here, "line.json")))


def line(model, *options):
    ids = golden.run("tokenize", "--lines", "-m", model, stdin=want["prompt"].encode() + b"\n")
    out = golden.run("predict", "-m", model, *options, "--mode", "generate", "--max-new-tokens", "20", stdin=ids)
    record = golden.streams.records(out)[1][0]
    text = golden.run("peek", "--text", "output", stdin=out)
    return {"ids": golden.streams.numbers(record["output_ids"]), "text": text.decode().removesuffix("\n")}


def check_line(name, said, *options):
    got = line(*options)
    check(name, got == {k: said[k] for k in ("ids", "text")}, got)


with tempfile.TemporaryDirectory() as scratch:
    model, nf4, tar = (os.path.join(scratch, name) for name in ("model/", "nf4/", "nf4.tar"))
    golden.run("mkmodel", *want["model"], "--tokenizer", phi2, "-o", model)
    golden.run("quantize-nf4", "--compute-dtype", "float32", model, "-o", nf4)
    subprocess.run(["tar", "-C", scratch, "-cf", tar, "nf4"], check=True)
    adapter = os.path.join(here, "line-adapter")
    check_line("a folder in float16", want["said"]["model"], model)
    check_line("NF4", want["said"]["nf4"], nf4)
    check_line("NF4 in a tar", want["said"]["nf4"], tar)
    check_line("NF4 and an adapter", want["said"]["adapted"], nf4, "-a", adapter)
    check_line("the same on ref", want["said"]["adapted"], nf4, "-a", adapter, "--device", "ref")
finish()
