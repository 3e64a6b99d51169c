#!/usr/bin/python3
"""A model that changes while a tool has it mapped: no result that fits neither the old nor the new one, but exit 74 with the
file's name; also where it became shorter, which is a signal for whoever reads on."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, root  # noqa: E402

scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


def run(command, file, change, more):
    """What COMMAND, which waits for its standard input, says when CHANGE was made after FILE was mapped; then it gets MORE."""
    for f in ("out.zst", "a.tar"):
        if os.path.exists(f):
            os.remove(f)
    p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.time() + 30
    while time.time() < end and file not in open(f"/proc/{p.pid}/maps").read():
        time.sleep(0.005)
    time.sleep(0.05)
    change()
    out, err = p.communicate(more, timeout=60)
    return p.returncode, err.decode(), out


def fresh():
    shutil.rmtree("m", ignore_errors=True)
    shutil.copytree("kept", "m")
    subprocess.run(["tar", "-cf", "m.tar", "m"], check=True)


def append(path):
    with open(path, "ab") as f:
        f.write(b" ")


def overwrite(path):
    with open(path, "r+b") as f:
        f.seek(-1, 2)
        last = f.read(1)
        f.seek(-1, 2)
        f.write(last)


def replace(path):
    shutil.copy(path, path + ".new")
    os.replace(path + ".new", path)


def leave(path):
    pass


subprocess.run(["mkmodel", "--hidden", "64", "--heads", "2", "--layers", "2", "--vocab", "512", "--tokenizer",
                os.path.join(root, "pipelines", "tiny"), "-o", "kept"], check=True)
tokens = subprocess.run(["tokenize", "--lines", "-m", "kept"], input=b"Profit rose\nSales fell\n", capture_output=True, check=True).stdout
fresh()
other = open("m.tar", "rb").read()
weights, config = "m/model.safetensors", "m/config.json"
PREDICT = ["predict", "-m", "m", "--mode", "loss", "-o", "out.zst"]
PREDICT_TAR = ["predict", "-m", "m.tar", "--mode", "loss", "-o", "out.zst"]

for name, change, path in (("appended to", append, weights), ("written to", overwrite, weights), ("replaced", replace, weights),
                           ("a changed config", overwrite, config), ("gone", os.remove, weights)):
    fresh()
    rc, err, out = run(PREDICT, weights, lambda: change(path), tokens)
    check(f"predict: {name}", rc == 74 and f"{path}: changed while it was read" in err and err.count("\n") == 1 and not os.path.exists("out.zst"), (rc, err))
fresh()
rc, err, out = run(PREDICT[:-2], weights, lambda: overwrite(weights), tokens)
check("... on a pipe the stream has no end", rc == 74 and subprocess.run(["peek", "--count"], input=out, capture_output=True).returncode != 0, (rc, err))
fresh()
rc, err, out = run(PREDICT_TAR, "m.tar", lambda: append("m.tar"), tokens)
check("predict: a tar", rc == 74 and "m.tar: changed while it was read" in err, (rc, err))
for command, file in ((PREDICT, weights), (PREDICT_TAR, "m.tar")):
    fresh()
    rc, err, out = run(command, file, lambda: None, tokens)
    check(f"{command[2]} that stays", rc == 0 and not err, (rc, err))
fresh()
train = [t for t in ["lora-train", "-q", "-m", "m", "--max-steps", "2", "-o", "a.tar"]]
rc, err, out = run(train, weights, lambda: overwrite(weights), tokens)
check("lora-train", rc == 74 and "changed while it was read" in err and not os.path.exists("a.tar"), (rc, err))

# peek --diff reads the tensors of the first when the second has come
for name, change, code, says in (("became shorter", lambda: os.truncate(weights, 4096), 74, "model.safetensors: became shorter while it was read"),
                                 ("is empty", lambda: os.truncate(weights, 0), 74, "model.safetensors: became shorter while it was read"),
                                 ("was written to", lambda: overwrite(weights), 74, "model.safetensors: changed while it was read"),
                                 ("stays", lambda: None, 0, "")):
    fresh()
    rc, err, out = run(["peek", "--diff", "-", "m"], weights, change, other)
    check(f"peek: {name}", rc == code and says in err and err.count("\n") == (code > 0), (rc, err))
finish()
