#!/usr/bin/python3
"""lora-train --plan: order of the records, steps, rates, evaluations as Hugging Face's Trainer has them."""
import hashlib
import json
import math
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import hf_trainer  # noqa: E402
from tap import check, finish, root  # noqa: E402

folder = tempfile.TemporaryDirectory()


def path(name):
    return os.path.join(folder.name, name)


def tool(*words, text=None):
    return subprocess.run(words, input=text, capture_output=True, check=True).stdout


def stream(lengths, evals=1, name="data.tok.zst"):
    """Training records whose id is twice their position, then records for evaluation."""
    rows = [dict(id=2 * i, ids=[3] * n, split="train") for i, n in enumerate(lengths)]
    rows += [dict(id=i, ids=[1, 2, 3], split="eval") for i in range(evals)]
    text = "".join(json.dumps(r) + "\n" for r in rows).encode()
    tool("peek", "--from-jsonl", "--kind", "tokens", "--force", "-o", path(name), "-", text=text)
    return path(name)


def plan(data, *options):
    """The steps (epoch, evaluated, positions), their rates, and the last line."""
    lines = [json.loads(x) for x in tool("lora-train", "-m", path("model"), data, "--plan", "-", *options).splitlines()]
    steps, rates = [], []
    for x in lines[:-1]:
        if "ids" in x:
            assert x["step"] == len(steps) + 1
            steps.append([x["epoch"], False, [i // 2 for i in x["ids"]]])
            rates.append(x["lr"])
        else:
            assert x["step"] == len(steps) and x["epoch"] == steps[-1][0] and "eval_tokens" in x
            steps[-1][1] = True
    return steps, rates, lines[-1]


def digest(order):
    return hashlib.sha256(",".join(map(str, order)).encode()).hexdigest()[:16]


def check_article():
    """The article's stack on its rows, recorded."""
    with open(os.path.join(root, "tests/golden/seed_trainer.json")) as f:
        recorded = json.load(f)
    data = stream(recorded["lengths"])
    for name, options in (("group_by_length", ["--group-by-length"]), ("group_by_length", []),
                          ("plain", ["--no-group-by-length", "--num-train-epochs", "2"])):
        want = recorded[name]
        steps, rates, last = plan(data, "--preset", "seed", *options)
        label = " ".join(["--preset seed"] + options)
        check(f"order of {label}", sum((s[2] for s in steps), []) == want["order"])
        check(f"number of steps of {label}", len(steps) == last["steps"] == want["steps"])
        check(f"rates of {label}, to the last bit", rates == [0] + want["lr_after_step"][:-1])
        evaluations = [dict(step=i + 1, epoch=round(s[0], 2)) for i, s in enumerate(steps) if s[1]]
        check(f"evaluations of {label}", evaluations == want["evaluations"])


def check_transcription():
    """The Python transcription against the real sampler, recorded for other sizes and seeds."""
    with open(os.path.join(root, "tests/parity/sampler.json")) as f:
        cases = json.load(f)["cases"]
    bad = 0
    for c in cases:
        lengths = [1 + (i * i * 7 + c["seed"]) % c["widest"] for i in range(c["n"])]
        g = hf_trainer.Generator(c["seed"])
        g.base_seed()
        bad += digest(hf_trainer.grouped(g, lengths, c["window"])) != c["grouped"]
        bad += digest(hf_trainer.Generator(c["seed"]).randperm(c["n"])) != c["plain"]
    check(f"{len(cases)} recorded draws of both samplers, {bad} differ", bad == 0)


def random_case(source):
    """Settings of hf_trainer.run and the options that say the same."""
    kind = source.choice(["cosine", "linear", "constant", "constant_with_warmup"])
    warm = source.choice([None, 3])
    s = dict(batch=source.choice([1, 1, 2, 3]), accum=source.choice([1, 2, 4, 8, 16]), group=source.random() < 0.6,
             flush=source.random() < 0.5, seed=source.randrange(2 ** 32), epochs=source.choice([1.0, 2.0, 3.0, 0.5, 1.7]),
             max_steps=source.choice([0, 0, 1, 5, 17]), evaluate=source.choice(["no", "epoch", "steps"]),
             eval_steps=source.choice([1, 3, 10]))
    o = ["--per-device-train-batch-size", s["batch"], "--gradient-accumulation-steps", s["accum"],
         "--group-by-length" if s["group"] else "--no-group-by-length", "--accum", "flush" if s["flush"] else "carry",
         "--seed", s["seed"], "--num-train-epochs", s["epochs"], "--max-steps", s["max_steps"],
         "--eval-strategy", s["evaluate"], "--lr-scheduler-type", kind, "--learning-rate", "1e-3"]
    o += ["--eval-steps", s["eval_steps"]] if s["evaluate"] == "steps" else []
    o += ["--warmup-steps", warm] if warm else ["--warmup-ratio", "0.1"]
    return s, list(map(str, o)), kind, warm


def check_random():
    source, bad, cases = random.Random(11), [], 0
    for n in (1, 2, 3, 7, 8, 9, 31, 33, 100, 257):
        lengths = [source.randint(2, source.choice([4, 40])) for _ in range(n)]
        data = stream(lengths)
        for _ in range(8):
            s, options, kind, warm = random_case(source)
            cases += 1
            want = hf_trainer.run(lengths, **s)
            steps, rates, last = plan(data, *options)
            warm = warm or math.ceil(len(want) * 0.1)
            right = [hf_trainer.rate(kind, 1e-3, warm, len(want), k) for k in range(len(want))]
            if steps != want or rates != right or last["warmup_steps"] != warm:
                bad.append((n, options))
    check(f"{cases} random runs like the Trainer's; {bad[:1]}", not bad)


def check_order_file():
    lengths = [5, 6, 7, 8, 9]
    data = stream(lengths)
    use = [4, 0, 0, 3, 2, 1, 4, 4, 1, 0, 2]
    with open(path("order.txt"), "w") as f:
        f.write("".join(f"{2 * i}\n" for i in use))
    steps, _, _ = plan(data, "--order", path("order.txt"), "--gradient-accumulation-steps", "3")
    check("--order is followed, a part of a window is left", [s[2] for s in steps] == [use[0:3], use[3:6], use[6:9]])
    check("--order counts epochs by records", [s[:2] for s in steps] == [[0.6, False], [1.2, True], [1.8, True]])
    steps, _, _ = plan(data, "--order", path("order.txt"), "--gradient-accumulation-steps", "2",
                       "--per-device-train-batch-size", "2", "--accum", "flush")
    check("--order with flush uses all", [s[2] for s in steps] == [use[0:4], use[4:8], use[8:11]])


tool("mkmodel", "--hidden", "32", "--layers", "1", "--heads", "2", "--partial-rotary-factor", "0.5", "--vocab", "16",
     "-o", path("model"))
check_article()
check_transcription()
check_random()
check_order_file()
finish()
