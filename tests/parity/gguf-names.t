#!/usr/bin/python3
"""Small GGUF files of every family and type: the config.json that they stand for, and names, types, shapes and bytes of their
tensors, equal what gguf and transformers find in them (gguf.json, recorded by make-gguf)."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
import gguf_files as files  # noqa: E402
from tap import check, finish  # noqa: E402

recorded = json.loads((here / "gguf.json").read_text())["cases"]


def peek(*arguments):
    d = subprocess.run(["peek", *arguments], capture_output=True)
    return d.stdout.decode() if d.returncode == 0 else d.stderr.decode()


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    cases = files.cases()
    check("every case is recorded", set(cases) == set(recorded), set(cases) ^ set(recorded))
    for name, (keys, tensors) in cases.items():
        Path("m.gguf").write_bytes(files.write(keys, tensors))
        lines = [line.split("\t") for line in peek("--tensors", "m.gguf").splitlines()[1:]]
        got = {r[0]: [r[1], json.loads(r[2]), r[4][:16]] for r in lines if len(r) == 5}
        want = recorded[name]["tensors"]
        check(f"{name}: {len(want)} tensors",
              got == want, [(n, got.get(n), want.get(n)) for n in sorted(set(got) | set(want)) if got.get(n) != want.get(n)])
        config = json.loads(peek("--file", "config.json", "m.gguf"))
        check(f"{name}: config.json", config == recorded[name]["config"], config)
finish()
