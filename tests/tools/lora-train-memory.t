#!/usr/bin/python3
"""The memory plan of lora-train: what it says beforehand is what the kernel counts afterwards."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, skip_all  # noqa: E402

folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)


def peak(*words):
    """The largest resident set of a run, in bytes."""
    code = ("import resource, subprocess, sys\n"
            "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)\n")
    return int(subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True).stdout)


def make():
    subprocess.run(["mkmodel", "--hidden", "768", "--layers", "2", "--heads", "12", "--partial-rotary-factor", "0.5",
                    "--vocab", "4096", "--dtype", "float16", "-o", "model"], check=True)
    rows = "".join(json.dumps(dict(id=i, ids=[(i * 37 + k * 11) % 4096 for k in range(95)])) + "\n" for i in range(8))
    subprocess.run(["peek", "--from-jsonl", "--kind", "tokens", "-o", "data", "-"], input=rows.encode(), check=True)


if "AddressSanitizer" in subprocess.run(["lora-train", "--help"], env=dict(os.environ, ASAN_OPTIONS="help=1"),
                                        capture_output=True, text=True).stderr:
    skip_all("the address sanitizer keeps memory of its own")
make()
train = ["lora-train", "-q", "-m", "model", "data", "--max-steps", "1"]
subprocess.run(train + ["--plan", "plan"], check=True)
with open("plan") as f:
    last = json.loads(f.readlines()[-1])
plan = last["memory"]
# the program itself and the model's files are not in the plan
took = peak(*train, "-o", "adapter") - peak("lora-train", "--help") - plan["weights_mapped"]
check(f"planned {plan['total'] / 1e6:.1f} MB, took {took / 1e6:.1f} MB", abs(plan["total"] / took - 1) <= 0.1)
check("a batch is all of the tokens", last["batch_tokens"] == 8 * 94, last)  # the last of each is a target only
finish()
