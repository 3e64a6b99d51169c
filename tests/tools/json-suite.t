#!/usr/bin/python3
"""JSONTestSuite and json.org's checker as a model's config.json, as the header of its weights and inside a line of
peek --from-jsonl: what is not strictly valid is refused as such, with exit 65 and nothing written; what is valid is
never called invalid, and comes out of the stream with Python's value."""
import glob
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check_none, finish, shared, skip_all  # noqa: E402

corpora = os.path.join(shared, "corpora")
suite = sorted(glob.glob(corpora + "/jsontestsuite/test_parsing/[ny]_*.json"))
checker = sorted(f for f in glob.glob(corpora + "/json-checker/data/jsonchecker/*.json") if "EXCLUDE" not in f)
if not suite or not checker:
    skip_all("no ../shared/corpora")


def is_valid(path):
    return os.path.basename(path).startswith(("y_", "pass"))


def quantize(folder):
    done = subprocess.run(["quantize-nf4", folder, "-o", folder + "/out/"], capture_output=True, text=True)
    left = [f for f in os.listdir(folder) if f not in ("config.json", "model.safetensors")]
    return done.returncode, done.stderr, left


def write(folder, name, data):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def wrong_model(path, put, folder):
    """What is not right about how the text in PATH was taken; a valid text fails too, but later."""
    with open(path, "rb") as f:
        put(folder, f.read())
    code, said, left = quantize(folder)
    valid = is_valid(path)
    if code not in (65, 66) or left or said.count("\n") != 1 or (not valid and code != 65):
        return f"exit {code}, {left}, {said}"
    if put == as_config and valid and ("twice" in said or "u0000" in said):
        return said
    return said if ("not valid JSON" in said or "does not begin with" in said) == valid else None


def as_config(folder, text):
    write(folder, "config.json", text)


def as_header(folder, text):
    write(folder, "config.json", b'{"model_type": "made up"}')
    write(folder, "model.safetensors", struct.pack("<Q", len(text)) + text)


def in_line(path):
    with open(path, "rb") as f:
        text = f.read()
    if is_valid(path):          # no string holds a newline
        text = text.replace(b"\n", b" ").replace(b"\r", b" ")
    return b'{"x": ' + text + b"}"


def wrong_line(path, put, folder):
    """What is not right about how peek takes a line with the text in PATH."""
    line = put(path)
    made = subprocess.run(["peek", "--from-jsonl"], input=line, capture_output=True)
    if not is_valid(path):
        told = made.returncode == 65 and not made.stdout and b"not valid JSON" in made.stderr
        return None if told else f"exit {made.returncode}, {made.stderr}"
    shown = subprocess.run(["peek"], input=made.stdout, capture_output=True).stdout
    return None if made.returncode == 0 and json.loads(shown)["x"] == json.loads(line)["x"] else f"{made.stderr}, {shown}"


def check_files(name, files, wrong, put):
    with tempfile.TemporaryDirectory() as folder:
        check_none(f"{len(files)} {name}", [f"{os.path.basename(f)}: {w}" for f in files if (w := wrong(f, put, folder))])


refused = [f for f in suite + checker if not is_valid(f)]
taken = [f for f in suite + checker if is_valid(f)]
objects = [f for f in taken if open(f, "rb").read().startswith(b"{")]   # a header has to begin so
check_files("must-fail texts as config.json", refused, wrong_model, as_config)
check_files("must-pass texts as config.json", taken, wrong_model, as_config)
check_files("must-fail texts as header", refused, wrong_model, as_header)
check_files("must-pass objects as header", objects, wrong_model, as_header)
check_files("must-fail texts in a line of peek", refused, wrong_line, in_line)
check_files("must-pass texts in a line of peek", [f for f in suite if is_valid(f)], wrong_line, in_line)
finish()
