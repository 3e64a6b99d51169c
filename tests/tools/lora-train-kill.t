#!/usr/bin/python3
"""A training run that is killed at any moment and resumed ends in the bytes of one that never was.

KILLS=20 rounds (make check-kill: 300), SEED for the same ones again. Each round is a run of 60 steps of some kind that
is killed, resumed, perhaps killed and resumed again, and at last left alone.
"""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish  # noqa: E402

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("SEED") or random.randrange(1 << 32))
random.seed(SEED)
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job's children would ignore it
folder = tempfile.TemporaryDirectory()
top = folder.name


def at(name):
    return os.path.join(top, name)


def make(name, count, is_eval, longest=20):
    r = random.Random(1)
    rows = "".join(json.dumps(dict(id=i, split="eval" if is_eval(i) else "train",
                                   ids=[r.randrange(512) for _ in range(r.randrange(4, longest))])) + "\n"
                   for i in range(count))
    subprocess.run(["peek", "--from-jsonl", "--kind", "tokens", "-o", at(name), "-"], input=rows.encode(), check=True)


COMMON = ["lora-train", "-m", at("model"), "--r", "4", "--learning-rate", "1e-2", "--resume", "--checkpoint", "run.safetensors",
          "--metrics", "metrics"]
SIXTY = ["--max-steps", "60", "--gradient-accumulation-steps", "2", "--logging-steps", "7", "--save-steps", "5"]
KINDS = {
    "archive": SIXTY + ["-o", "out.tar.zst"],
    "folder": SIXTY + ["-o", "out/", "--eval-strategy", "steps", "--eval-steps", "3", "--plot", "out.svg"],
    "best": SIXTY + ["-o", "out.tar", "--eval-strategy", "steps", "--eval-steps", "2", "--load-best", "--early-stopping-patience", "9",
                     "--plot", "out.svg"],
    "epochs": ["-o", "out.tar", "--num-train-epochs", "4", "--gradient-accumulation-steps", "2", "--accum", "flush",
               "--logging-steps", "1"],
    "saves": SIXTY + ["-o", "out/", "--plot", "out.svg", "--save-total-limit", "2", "--group-by-length", "--optim", "adamw_torch"],
    "order": SIXTY + ["-o", "out.tar", "--order", at("order"), "--compute-dtype", "bfloat16", "--resid-pdrop", "0.2"],
    "adapter": ["-m", at("model"), "--init-adapter", at("init"), *SIXTY, "-o", "out.tar.zst", "--loss-norm", "tokens"],
    "half": SIXTY + ["-o", "out.tar.zst", "--compute-dtype", "float16", "--max-steps", "40"],
    "sgd": SIXTY + ["-o", "out.tar", "--optim", "sgd", "--eval-strategy", "no", "--logging-steps", "100"],
}


class Round:
    """One run of a kind in a folder of its own, started as often as it takes."""

    def __init__(self, kind):
        self.kind = kind
        self.dir = tempfile.mkdtemp(dir=top)

    def start(self):
        words = COMMON + KINDS[self.kind] + ["-j", random.choice("12")]
        pipe = random.random() < 0.3
        with open(at("data")) as data:
            return subprocess.Popen(words + ([] if pipe else [at("data")]), cwd=self.dir, text=True,
                                    stdin=data if pipe else subprocess.DEVNULL, stderr=subprocess.PIPE)

    def files(self):
        """Name and bytes of every file; what the clock measured is left out."""
        found = {}
        for base, _, names in os.walk(self.dir):
            for name in names:
                path = os.path.join(base, name)
                with open(path, "rb") as f:
                    found[os.path.relpath(path, self.dir)] = re.sub(rb', "tokens_per_s": [^}]*', b"", f.read())
        return {k: v for k, v in found.items() if k != "run.safetensors"}  # it holds seconds too


def reference(kind):
    done = Round(kind)
    start = time.time()
    p = done.start()
    words = p.communicate()[1]
    if p.returncode:
        sys.exit(f"{kind}: {words}")
    return done.files(), time.time() - start


def one_round(kind, want, seconds, sig):
    """None, or what is wrong."""
    r = Round(kind)
    while True:
        p = r.start()
        time.sleep(random.uniform(0, 1.05 * seconds))
        p.send_signal(sig)
        words = p.communicate()[1]
        if p.returncode not in (0, -sig, 75):  # a signal may come before there is a handler
            return f"exit {p.returncode}: {words}"
        if p.returncode == 75 and "go on with: " not in words and "; the output was not finished" not in words:
            return f"stopped: {words}"
        for name, content in r.files().items():  # what has its name is whole
            if name.startswith("out") and content != want.get(name, content):
                return f"half {name}"
        if random.random() < 0.6:
            break
    p = r.start()
    words = p.communicate()[1]
    if p.returncode:
        return f"resumed: exit {p.returncode}: {words}"
    got = r.files()
    wrong = [k for k in want.keys() | got.keys() if got.get(k) != want.get(k)]
    if not wrong:
        shutil.rmtree(r.dir)
    return f"{r.dir}: differ: {wrong}" if wrong else None


def check_kills():
    known, kinds = {}, list(KINDS)
    random.shuffle(kinds)
    for i in range(KILLS):
        kind = kinds[i % len(kinds)] if KILLS > 50 else kinds[i % 4]
        if kind not in known:
            known[kind] = reference(kind)
        sig = signal.SIGKILL if i % 5 else random.choice([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
        wrong = one_round(kind, *known[kind], sig)
        check(f"round {i + 1}, {kind}, signal {sig:d}, SEED={SEED}", not wrong, wrong)


def start_long(name, sign, *options):
    """A run that takes many seconds, at work: its file SIGN has something in it."""
    os.mkdir(at(name))
    sign = os.path.join(at(name), sign)
    p = subprocess.Popen([*COMMON, *options, "-j", "1", "-o", "out"], cwd=at(name), text=True, stderr=subprocess.PIPE)
    while p.poll() is None and not (os.path.exists(sign) and os.path.getsize(sign)):
        time.sleep(0.005)
    return p


def check_long_evaluation():
    """It is broken off, and done when the run is resumed."""
    options = ["--max-steps", "1", "--eval-strategy", "steps", "--eval-steps", "1", at("long-eval")]
    p = start_long("evaluation", "metrics", *options)  # the step has its line
    start = time.time()
    p.send_signal(signal.SIGTERM)
    words = p.communicate()[1]
    check("a long evaluation is broken off",
          p.returncode == 75 and words.count("\n") == 1 and "stopped after step 1 of 1; go on with: lora-train" in words,
          f"exit {p.returncode} after {time.time() - start}: {words}")
    with open(os.path.join(at("evaluation"), "metrics")) as f:
        check("the step's line is there, the evaluation's is not", len(f.readlines()) == 1)
    command = words.split("go on with: ")[-1].strip()
    whole = subprocess.run(command, shell=True, cwd=at("evaluation"), capture_output=True, text=True)
    with open(os.path.join(at("evaluation"), "metrics")) as f:
        lines = [json.loads(x) for x in f]
    check("the command that is named goes on with it",
          whole.returncode == 0 and [x.keys() & {"loss", "eval_loss"} for x in lines] == [{"loss"}, {"eval_loss"}],
          f"{command}: {whole.stderr}")


def check_second_signal():
    p = start_long("second", "run.safetensors", "--max-steps", "1", "--gradient-accumulation-steps", "6000", at("long-step"))
    time.sleep(0.5)  # the first checkpoint is there; the step begins
    p.send_signal(signal.SIGINT)
    time.sleep(0.01)
    p.send_signal(signal.SIGINT)  # timeout(1) sends it to the program and to its group
    time.sleep(0.2)
    still = p.poll() is None
    start = time.time()
    p.send_signal(signal.SIGINT)
    words = p.communicate()[1]
    check("the first signal, and its echo, wait for the step, a second one does not", still and p.returncode == 75 and "interrupted" in words,
           f"still {still}, exit {p.returncode} after {time.time() - start}: {words}")
    check("what stays", sorted(os.listdir(at("second"))) == ["metrics", "run.safetensors"], os.listdir(at("second")))


subprocess.run(["mkmodel", "--arch", "phi", "--hidden", "64", "--layers", "2", "--heads", "4", "--vocab", "512", "-o", at("model")],
               check=True)
make("data", 40, lambda i: i >= 32)
make("long-eval", 1500, lambda i: i >= 8, 100)
make("long-step", 6000, lambda i: False, 100)
with open(at("order"), "w") as f:
    f.writelines(f"{i * 7 % 32}\n" for i in range(120))
subprocess.run(["lora-train", "-q", "-m", at("model"), at("data"), "--r", "3", "--max-steps", "2", "-o", at("init")], check=True)
KINDS["adapter"] += ["--r", "3"]
check_kills()
check_long_evaluation()
check_second_signal()
finish()
