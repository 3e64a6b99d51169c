#!/usr/bin/python3
"""score --labels against labels= of Debian's python3-sklearn: order, a part of the labels, labels that
occur nowhere, none among them; report and matrix to the character, and the numbers of --json."""
import json
import os
import random
import subprocess
import sys
import warnings

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check_none, finish, skip_all  # noqa: E402

try:
    from sklearn import metrics
except ImportError:
    skip_all("no python3-sklearn")
warnings.filterwarnings("ignore")
rng = random.Random(20250311)
NAMES = ["positive", "negative", "neutral", "a, b", "B", "ham", "spam", "a long name, with a comma", "中立", "0", "10"]


def random_case(chosen):
    """Labels, at least one of them chosen, and predictions."""
    whole = rng.random() < .4
    names = [c for c in chosen if c != "none"] if whole else rng.sample(NAMES, rng.randint(1, 6))
    n = rng.choice([1, 5, 40, 300])
    right = rng.choice([0, .3, .8, 1])
    y = [rng.choice(names) for _ in range(n)]
    if not set(y) & set(chosen):
        y[0] = rng.choice([c for c in chosen if c != "none"])
    pred = names + (["none"] if rng.random() < .4 and not whole else [])
    return y, [t if rng.random() < right else rng.choice(pred) for t in y]


def named(labels):
    return [x for label in labels for x in ("--labels", label)]


def score(cases, chosen, *options):
    rows = [{"case": i, "label": t, "pred": q} for i, (y, p) in enumerate(cases) for t, q in zip(y, p)]
    text = "".join(json.dumps(r) + "\n" for r in rows).encode()
    stream = subprocess.run(["peek", "--from-jsonl", "--kind", "predictions", *named(NAMES)],
                            input=text, stdout=subprocess.PIPE, check=True)
    out = subprocess.run(["score", "--by", "case", *options, *named(chosen)], input=stream.stdout, stdout=subprocess.PIPE, check=True)
    return out.stdout.decode()


text_bad, json_bad, micro = [], [], 0
for _ in range(12):
    chosen = rng.sample(NAMES, rng.randint(2, len(NAMES)))  # of one, a comma would make two
    if rng.random() < .3:
        chosen.insert(rng.randrange(len(chosen)), "none")
    cases = [random_case(chosen) for _ in range(12)]
    out = score(cases, chosen, "--report", "sklearn")
    for (y, p), got in zip(cases, [g.split("\n", 1)[1] for g in ("\n" + out).split("\ncase=")[1:]]):
        want = (f"{metrics.classification_report(y, p, labels=chosen)}\n"
                f"{metrics.confusion_matrix(y, p, labels=chosen)}\n")
        micro += "micro avg" in want
        if got != want:
            text_bad.append((chosen, want, got))
    for (y, p), line in zip(cases, score(cases, chosen, "--json").splitlines()):
        got = json.loads(line)
        want = {"accuracy": metrics.accuracy_score(y, p), "labels": chosen,
                "macro_f1": metrics.f1_score(y, p, labels=chosen, average="macro"),
                "weighted_f1": metrics.f1_score(y, p, labels=chosen, average="weighted"),
                "n": len(y), "mcc": metrics.matthews_corrcoef(y, p)}
        for k, v in want.items():
            if got[k] != v and (isinstance(v, list) or abs(got[k] - v) > 1e-13):
                json_bad.append((chosen, k, v, got[k]))
        square = [row[:len(chosen)] for row in got["confusion"]]
        if square != metrics.confusion_matrix(y, p, labels=chosen).tolist():
            json_bad.append((chosen, "confusion", square))
check_none("reports and matrices with labels=", text_bad)
check_none("of which many have a micro average, and many an accuracy", [] if 20 < micro < 150 else [micro])
check_none("numbers of --json with labels=", json_bad)
finish()
