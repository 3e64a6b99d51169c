#!/usr/bin/python3
"""score against Debian's python3-sklearn: --report sklearn to the character on random label sets,
--report seed likewise, and the numbers of --json."""
import json
import os
import random
import subprocess
import sys
import warnings

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, skip_all  # noqa: E402

try:
    import numpy as np
    from sklearn import metrics
except ImportError:
    skip_all("no python3-sklearn")
warnings.filterwarnings("ignore")
rng = random.Random(20240107)

NAMES = ["positive", "negative", "neutral", "a", "B", "ham", "spam", "none of these", "long label name here",
         "überrascht", "中立", "0", "1", "10", "2"] + [f"label-{i:02d}" for i in range(30)]


def random_case():
    """Labels and predictions; some classes are never true, some never predicted, some are none."""
    kind = rng.random()
    names = rng.sample(NAMES, 1 if kind < 0.05 else rng.randint(32, 40) if kind > 0.97
                       else rng.randint(16, 30) if kind > 0.92 else rng.randint(2, 7))
    n = rng.randint(1, 12) if kind < 0.3 else rng.randint(13, 300) if kind < 0.92 else 3000
    true = rng.sample(names, rng.randint(1, len(names)))
    pred = rng.sample(names, rng.randint(1, len(names))) + (["none"] if rng.random() < 0.4 else [])
    right = rng.random()
    y = [rng.choice(true) for _ in range(n)]
    p = [t if rng.random() < right else rng.choice(pred) for t in y]
    return y, p


def score(cases, *options, labels=None):
    rows = [{"case": str(i), "id": k, "label": t, "pred": q}
            for i, (y, p) in enumerate(cases) for k, (t, q) in enumerate(zip(y, p))]
    text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    stream = subprocess.run(["peek", "--from-jsonl", "--kind", "predictions", "--labels", ",".join(labels or NAMES)],
                            input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    return subprocess.run(["score", "--by", "case", *options], input=stream, stdout=subprocess.PIPE,
                          check=True).stdout.decode()


def reports(out, n):
    """The report of each case, without the headings."""
    parts = ("\n" + out).split("\ncase=")[1:]
    assert len(parts) == n
    return [p.split("\n", 1)[1] for p in parts]


for digits in (2, 0, 3, 14):
    cases = [random_case() for _ in range(90)]
    got = reports(score(cases, "--report", "sklearn", "--digits", str(digits)), len(cases))
    bad = []
    for i, (y, p) in enumerate(cases):
        want = f"{metrics.classification_report(y, p, digits=digits)}\n{metrics.confusion_matrix(y, p)}\n"
        if got[i] != want:
            bad.append((want, got[i]))
    check(f"90 random label sets with --digits {digits}", not bad, bad[:1])


def evaluate(y_true, y_pred):
    """What the article's notebook prints, from its own description."""
    code = {"positive": 2, "neutral": 1, "none": 1, "negative": 0}
    y, p = (np.array([code[v] for v in side]) for side in (y_true, y_pred))
    out = f"Accuracy: {metrics.accuracy_score(y, p):.3f}\n"
    for label in sorted(set(y.tolist())):
        out += f"Accuracy for label {label}: {metrics.accuracy_score(y[y == label], p[y == label]):.3f}\n"
    out += f"\nClassification Report:\n{metrics.classification_report(y, p)}\n"
    return out + f"\nConfusion Matrix:\n{metrics.confusion_matrix(y, p, labels=[0, 1, 2])}\n"


three = ["positive", "neutral", "negative"]
cases = []
for _ in range(40):
    true = rng.sample(three, rng.randint(1, 3))
    n = rng.randint(1, 200)
    cases.append(([rng.choice(true) for _ in range(n)], [rng.choice(three + ["none"]) for _ in range(n)]))
got = reports(score(cases, "--report", "seed", labels=three), len(cases))
bad = [(evaluate(*c), g) for c, g in zip(cases, got) if evaluate(*c) != g]
check("the article's evaluate() on 40 random sets", not bad, bad[:1])


def close(a, b):
    return a == b or (a is None and np.isnan(b)) or (a is not None and abs(a - b) <= 1e-13 * max(1, abs(b)))


cases = [random_case() for _ in range(60)]
bad = []
for line, (y, p) in zip(score(cases, "--json").splitlines(), cases):
    m = json.loads(line)
    labels = sorted(set(y) | (set(p) - {"none"}))
    want = {
        "n": len(y), "none": p.count("none"),
        "accuracy": metrics.accuracy_score(y, p),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, p),
        "macro_f1": metrics.f1_score(y, p, labels=labels, average="macro"),
        "weighted_f1": metrics.f1_score(y, p, labels=labels, average="weighted"),
        "mcc": metrics.matthews_corrcoef(y, p),
        "kappa": metrics.cohen_kappa_score(y, p),
    }
    for i, per in enumerate(zip(*metrics.precision_recall_fscore_support(y, p, labels=labels))):
        for key, value in zip(("precision", "recall", "f1", "support"), per):
            if not close(m["per_label"][labels[i]][key], value):
                bad.append((labels[i], key, m["per_label"][labels[i]][key], value))
    bad += [(k, m[k], v) for k, v in want.items() if not close(m[k], v)]
    rows = [m["confusion"][NAMES.index(a)][NAMES.index(b)] for a in labels for b in labels]
    if rows != metrics.confusion_matrix(y, p, labels=labels).ravel().tolist():
        bad.append("confusion")
check("numbers of --json on 60 random label sets", not bad, bad[:3])
finish()
