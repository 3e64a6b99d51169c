#!/usr/bin/python3
"""score's intervals, bootstrap, McNemar and calibration are SciPy's, statsmodels' and scikit-learn's, on 200 pairs of
runs (interval_cases.py). Expected values: intervals.json, made by make-intervals."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
import interval_cases as cases  # noqa: E402
from tap import check_none, finish  # noqa: E402

recorded = json.loads((here / "intervals.json").read_text())["cases"]


def write(path, run, some):
    lines, at = [], 0
    for i, (truth, runs, _) in some:
        for t, p, s in zip(truth, *runs[run]):
            lines.append({"id": at, "case": i, "label": cases.LABELS[t], "pred": "none" if p < 0 else cases.LABELS[p],
                          "scores": s})
            at += 1
    text = "".join(json.dumps(line) + "\n" for line in lines)
    subprocess.run(["peek", "--from-jsonl", "--kind", "predictions", "--labels", ",".join(cases.LABELS), "-o", path],
                   input=text.encode(), check=True)


def reports(batch, folder):
    resamples, seed = cases.BATCHES[batch]
    some = [(i, cases.case(i)) for i in range(50 * batch, 50 * batch + 50)]
    paths = [f"{folder}/{name}{batch}.zst" for name in "ab"]
    for run, path in enumerate(paths):
        write(path, run, some)
    out = subprocess.run(["score", "--json", "--by", "case", "--bootstrap", str(resamples), "--seed", str(seed), *paths],
                         stdout=subprocess.PIPE, check=True).stdout
    return [(json.loads(line), *case) for line, (_, case) in zip(out.splitlines(), some)]


def ours(m, c):
    """What answers() of make-intervals records."""
    a, name = m["a"], cases.LABELS[c]
    bins = a["calibration"]
    out = {"accuracy": a["accuracy_interval"], "mcnemar": m["mcnemar_p"], **a["per_label_intervals"][name],
           "calibration": cases.digest([b["accuracy"] for b in bins] + [b["confidence"] for b in bins])}
    if m["n"] > 1:
        boot = a["bootstrap"]
        out.update(boot_accuracy=boot["accuracy"], boot_difference=m["difference"]["accuracy"]["interval"],
                   boot_p=m["difference"]["accuracy"]["p"],
                   boot_macro_f1=boot["macro_f1"], boot_f1=boot["f1"][name], boot_brier=boot["brier"])
    return out


def close(a, b, far):
    if isinstance(b, list):
        return all(close(x, y, far) for x, y in zip(a, b))
    return a == b if a is None or b is None else abs(a - b) <= far * max(1, abs(b))


got = {}
with tempfile.TemporaryDirectory() as scratch:
    for b in range(len(cases.BATCHES)):
        for k, (m, truth, runs, c) in enumerate(reports(b, scratch)):
            got[50 * b + k] = (m, ours(m, c))
# how far each may be: SciPy's quantiles have come to round differently; what is recorded with 12 digits is that far
EXPECTED = {
    "accuracy": ("Wilson's interval of accuracy", 0), "precision": ("of a label's precision", 0), "recall": ("of its recall", 0),
    "calibration": ("calibration_curve", 0), "mcnemar": ("McNemar's exact p", 1e-11),
    "boot_accuracy": ("bootstrap of accuracy, draw by draw", 4e-15),
    "boot_difference": ("bootstrap of the difference, in pairs", 4e-15), "boot_p": ("its p", 1e-11), "boot_macro_f1": ("bootstrap of macro_f1", 1e-11),
    "boot_f1": ("bootstrap of a label's f1", 1e-11), "boot_brier": ("bootstrap of brier", 1e-11)}
for key, (name, far) in EXPECTED.items():
    pairs = [(i, found[key], recorded[i][key]) for i, (_, found) in got.items() if key in recorded[i]]
    same = [pair for pair in pairs if pair[1] == pair[2] or not isinstance(pair[2], str) and close(*pair[1:], far)]
    check_none(f"{name}, {len(pairs)} times", [pair for pair in pairs if pair not in same] + [key] * (not pairs))
check_none("ece from the bins", [(i, m["a"]["ece"]) for i, (m, _) in got.items() if abs(
    m["a"]["ece"] - sum(b["n"] * abs(b["accuracy"] - b["confidence"]) for b in m["a"]["calibration"]) / m["n"]) > 1e-12])
check_none("200 cases", [] if len(got) == len(recorded) == 200 else [len(got)])
finish()
