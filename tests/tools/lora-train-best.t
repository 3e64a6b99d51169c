#!/usr/bin/python3
"""--load-best and --early-stopping-*: held to transformers' rules over the evaluations of a whole run, stopped and resumed."""
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import streams  # noqa: E402
from tap import check, finish, read, root  # noqa: E402

folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)
signal.signal(signal.SIGINT, signal.SIG_DFL)


def lines(name):
    with open(name) as f:
        return [{k: v for k, v in json.loads(x).items() if k != "tokens_per_s"} for x in f]


def tensors(adapter):
    """Without the chain, which says what was asked for."""
    return subprocess.run(["peek", "--tensors", adapter], stdout=subprocess.PIPE, check=True).stdout


GO = ["lora-train", "-m", "model", "data", "--r", "4", "--learning-rate", "3e-2", "--lr-scheduler-type", "constant",
      "--gradient-accumulation-steps", "2", "--max-steps", "24", "--eval-strategy", "steps", "--eval-steps", "2", "--logging-steps", "1"]
ACCURACY = ["--eval-labels", "--metric-for-best-model", "eval_accuracy"]


def train(out, *options, code=0):
    """What it said."""
    done = subprocess.run([*GO, "--metrics", out + ".metrics", "-o", out, "--force", *options], capture_output=True, text=True)
    if done.returncode != code:
        sys.exit(f"Bail out! {options}: exit {done.returncode}, {done.stderr}")
    return done.stderr


def best(evaluations, key):
    """(step, value) by Trainer._determine_best_metric."""
    found = None
    for x in evaluations:
        if found is None or (x[key] > found[1] if key == "eval_accuracy" else x[key] < found[1]):
            found = x["step"], x[key]
    return found


def stop(evaluations, key, patience, threshold):
    """The step behind which EarlyStoppingCallback ends the run, or None."""
    top, waited = None, 0
    for x in evaluations:
        better = top is None or (x[key] > top if key == "eval_accuracy" else x[key] < top)
        waited = 0 if top is None or (better and abs(x[key] - top) > threshold) else waited + 1
        top = x[key] if better else top
        if waited >= patience:
            return x["step"]
    return None


subprocess.run(["mkmodel", "--arch", "phi", "--hidden", "64", "--layers", "2", "--heads", "4", "--vocab", "512", "--tokenizer",
                os.path.join(root, "pipelines/tiny"), "-o", "model"], check=True)
r = random.Random(3)
rows = [{"id": i, "split": "eval" if i % 3 == 0 else "train", "ids": [r.randrange(40) for _ in range(r.randint(4, 16))], "n_prompt": 3,
         "label": r.choice("abc")} for i in range(45)]
for row in rows:    # the answers can be learned, the rest cannot
    row["ids"][2] = ord(row["label"]) - 60
with open("data", "wb") as f:
    f.write(streams.stream(rows, labels=["a", "b", "c"], answers=[" a", " b", " c"]))

# the whole run, and what it would have been at each evaluation
train("whole", "--eval-labels", "--save-steps", "2")
whole = lines("whole.metrics")
evaluations = [x for x in whole if "eval_loss" in x]
check("the run gets worse at last", evaluations[-1]["eval_loss"] > min(x["eval_loss"] for x in evaluations),
       [x["eval_loss"] for x in evaluations])

for key, options in ("eval_loss", []), ("eval_accuracy", ACCURACY):
    said = train("best", "--load-best", *options)
    step, value = best(evaluations, key)
    check(f"the best {key} is that of step {step}", tensors("best") == tensors(f"whole.step-{step}") and step < 24)
    check("which it says", f"the adapter is that of step {step}, eval {key[5:]} {value:.4f}\n" in said, said)
    for patience, threshold in (1, 0), (2, 0), (3, 0), (2, 0.02), (3, 0.1), (12, 0), (1, 100):
        at = stop(evaluations, key, patience, threshold)
        said = train("early", "--early-stopping-patience", str(patience), "--early-stopping-threshold", str(threshold), *options)
        want = [x for x in whole if x["step"] <= (at or 24)]
        if not options:
            want = [{k: v for k, v in x.items() if k not in ("eval_accuracy", "eval_records")} for x in want]
        check(f"{key}, patience {patience}, threshold {threshold}: ends after step {at}",
              lines("early.metrics") == want and tensors("early") == tensors(f"whole.step-{at or 24}"))
        check("which it says",
              (f"stopped early, after step {at} of 24: the last {patience} evaluations did not better" in said) == bool(at), said)

said = train("still", "--load-best", "--learning-rate", "0")
check("of equals the first is the best", "the adapter is that of step 2," in said, said)
train("seldom", "--early-stopping-patience", "2", "--logging-steps", "5")
check("a step that may be the last has a line", [x["step"] for x in lines("seldom.metrics") if "loss" in x] == sorted({5 * k for k in range(1, 5)} | set(range(2, 25, 2)))[:len(
    [x for x in lines("seldom.metrics") if "loss" in x])], lines("seldom.metrics"))
check("-q says nothing", "adapter is that of" not in train("quiet", "--load-best", "-q"))

# options about the metrics alone
train("often")
train("seldom", "--logging-steps", "5")
check("how often there are lines changes no byte of the adapter", read("often") == read("seldom"))
at = GO.index("--eval-steps")
asked, GO[at:at + 2] = GO[at:at + 2], []
train("third", "--logging-steps", "3")
GO[at:at] = asked
chain = subprocess.run(["peek", "--chain", "third"], capture_output=True, text=True, check=True).stdout
check("unless it says when there are evaluations", " eval-steps=3\n" in chain and "logging-steps" not in chain, chain)

# stopped at any moment
BEST = ["--load-best", "--early-stopping-patience", "4", *ACCURACY, "--save-steps", "3", "--resume", "--checkpoint", "run.safetensors"]
train("want", *BEST[:-3])
for name in "want.metrics", "want":
    os.rename(name, name + ".kept")
at = stop(evaluations, "eval_accuracy", 4, 0)
check(f"a run that ends after step {at}",
      at is not None and len(lines("want.metrics.kept")) == len([x for x in whole if x["step"] <= at]))


def sweep():
    for name in "got", "got.metrics", "run.safetensors":
        if os.path.exists(name):
            os.remove(name)


kills = 0
for n in range(1, len(lines("want.metrics.kept")), 2):
    sweep()
    p = subprocess.Popen([*GO, *BEST, "--metrics", "got.metrics", "-o", "got", "-q", "-j", "1"], stderr=subprocess.PIPE, text=True)
    while p.poll() is None and not (os.path.exists("got.metrics") and read("got.metrics").count(b"\n") >= n):
        time.sleep(0.001)
    p.send_signal(signal.SIGKILL if n % 4 == 1 else signal.SIGTERM)
    words = p.communicate()[1]
    kills += p.returncode in (-signal.SIGKILL, 75)
    done = subprocess.run([*GO, *BEST, "--metrics", "got.metrics", "-o", "got"], capture_output=True, text=True)
    if done.returncode or read("got") != read("want.kept") or lines("got.metrics") != lines("want.metrics.kept"):
        check(f"killed at line {n}", False, (words, done.returncode, done.stderr))
check("runs that were killed and resumed end in the same bytes", kills > 3, kills)

again = subprocess.run([*GO, *BEST, "--metrics", "got.metrics", "-o", "got", "-v"], capture_output=True, text=True)
check("a run that ended early is finished",
      again.returncode == 0 and "got: is finished already" in again.stderr and read("got") == read("want.kept"), again.stderr)
os.remove("got")
again = subprocess.run([*GO, *BEST, "--metrics", "got.metrics", "-o", "got"], capture_output=True, text=True)
check("and gives its output again",
      again.returncode == 0 and read("got") == read("want.kept") and lines("got.metrics") == lines("want.metrics.kept"), again.stderr)
shown = subprocess.run(["peek", "--tensors", "run.safetensors"], capture_output=True, text=True, check=True).stdout
check("the best weights are in the checkpoint", "best_weights\tF32" in shown, shown)


def forge(name, change):
    """A checkpoint that says something else, under a right digest."""
    data = read("run.safetensors")
    n = int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8:8 + n]), data[8 + n:-32]
    rest = change(header, rest) or rest
    text = json.dumps(header).encode()
    data = len(text).to_bytes(8, "little") + text + rest
    with open("forged.safetensors", "wb") as f:
        f.write(data + hashlib.sha256(data).digest())
    done = subprocess.run([*GO, *BEST[:-1], "forged.safetensors", "--metrics", "got.metrics", "-o", "no"], capture_output=True, text=True)
    check(name, done.returncode == 65 and done.stderr.count("\n") == 1 and "forged.safetensors: " in done.stderr,
           (done.returncode, done.stderr))


def without_best(header, rest):
    gone = header.pop("best_weights")["data_offsets"]
    header["sha256"]["data_offsets"] = [gone[0], gone[0] + 32]
    return rest[:gone[0]]


def state(old, new):
    def change(header, rest):
        meta = header["__metadata__"]
        assert old in meta["state"], meta["state"]
        meta["state"] = meta["state"].replace(old, new)
    return change


forge("a checkpoint without the best weights", without_best)
forge("one whose best step is to come", state('"best":{"step":', '"best":{"step":9'))
forge("one without a best", state('"best"', '"beast"'))
forge("one that has waited longer than it ran", state('"waited":4', '"waited":400'))

# what makes no sense
def refused(name, code, says, *options):
    go = GO[:GO.index("--eval-strategy")] if "--eval-strategy" in options else GO
    done = subprocess.run([*go, "-q", "-o", "no", *options], capture_output=True, text=True)
    check(name, done.returncode == code and says in done.stderr and done.stderr.count("\n") == 1 and not os.path.exists("no"),
           (done.returncode, done.stderr))


for option in ["--load-best"], ["--early-stopping-patience", "2"]:
    name = option[0]
    refused(f"{name} without evaluations", 2, f"{name} is about evaluations", *option, "--eval-strategy", "no")
    refused(f"{name} without eval records", 65, f"no record's split is eval, which {name} is about", *option, "--only", "split=train")
    refused(f"{name} where no evaluation comes", 2, "lower --eval-steps", *option, "--eval-steps", "25")
refused("a patience of 0", 2, "--early-stopping-patience", "--early-stopping-patience", "0")
refused("a threshold without patience", 2, "is about --early-stopping-patience", "--load-best", "--early-stopping-threshold", "1")
refused("a threshold below 0", 2, "--early-stopping-threshold", "--early-stopping-patience", "1", "--early-stopping-threshold", "-1")
refused("a metric for nothing", 2, "give one", "--metric-for-best-model", "eval_loss")
refused("accuracy that nobody counts", 2, "needs --eval-labels", "--load-best", "--metric-for-best-model", "eval_accuracy")
refused("another metric", 2, "--metric-for-best-model", "--load-best", "--metric-for-best-model", "f1")
done = subprocess.run([*GO, *BEST, "--metrics", "got.metrics", "-o", "no", "--early-stopping-patience", "5"], capture_output=True, text=True)
check("another patience is another run",
      done.returncode == 65 and "--early-stopping-patience was 4 and is 5" in done.stderr, done.stderr)
finish()
