#!/usr/bin/python3
"""split-stratified --compat sklearn against Debian's python3-sklearn, live: rows and their order, and
which sizes are refused. Small classes of equal size make ties in the remainder common."""
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from streams import records  # noqa: E402
from tap import check, finish, skip_all  # noqa: E402

try:
    from sklearn.model_selection import train_test_split
except ImportError:
    skip_all("no python3-sklearn")

rng = random.Random(7)
NAMES = ["positive", "neutral", "negative", "Positive", "a", "B", "é", "中", "z", "10", "9", "a b"]
dir_ = tempfile.TemporaryDirectory()
table = os.path.join(dir_.name, "table.tsv")


def random_size(n):
    kind = rng.random()
    if kind < 0.25:
        return None
    if kind < 0.6:
        return rng.choice([0.1, 0.2, 0.25, 0.3, 1 / 3, 0.5, 0.05, 0.9, round(rng.random(), 3)])
    return rng.randint(0, n + 1) if kind < 0.65 else rng.randint(1, max(1, n // 2))


def random_labels():
    names = rng.sample(NAMES, rng.randint(2, 5))
    size = rng.choice([2, 5, 10, 60])
    equal = rng.random() < 0.5
    count = rng.randint(2, 2 + size)
    y = [name for name in names for _ in range(count if equal else rng.randint(rng.choice([1, 2, 2, 2]), 1 + 2 * size))]
    rng.shuffle(y)
    return names, y


def ours(y, names, train, test, seed, per_class):
    with open(table, "w") as f:
        f.writelines(f"{label}\trow {i}\n" for i, label in enumerate(y))
    args = ["split-stratified", "-q", "--compat", "sklearn", "--header", "no", "--label", "1", "--seed", str(seed)]
    args += ["--train", repr(train)] if train is not None else []
    args += ["--test", repr(test)] if test is not None else []
    args += ["--per-class", "--labels", ",".join(names)] if per_class else []
    run = subprocess.run(args + [table], capture_output=True)
    if run.returncode:
        return None, run
    rows = records(run.stdout)[1]
    return tuple([r["id"] for r in rows if r["split"] == part] for part in ("train", "test")), run


def theirs(y, names, train, test, seed, per_class):
    sizes = {"train_size": train, "test_size": test, "random_state": seed}
    try:
        if not per_class:
            return tuple(train_test_split(list(range(len(y))), stratify=y, **sizes))
        parts = [train_test_split([i for i, v in enumerate(y) if v == name], **sizes) for name in names]
        return tuple([i for p in parts for i in p[k]] for k in (0, 1))
    except ValueError:
        return None


def has_ties(y, n_train):
    """Two classes have the same remainder and not all get a row for it."""
    counts = [y.count(v) for v in set(y)]
    rest = [c / len(y) * n_train % 1 for c in counts]
    return any(rest.count(r) > 1 for r in rest) and round(sum(rest)) > 0


tally = {"split": 0, "refused": 0, "ties": 0}
bad = []
for case in range(400):
    names, y = random_labels()
    per_class = case % 4 == 3
    smallest = min(y.count(v) for v in names)
    n = smallest if per_class else len(y)
    args = (y, names, random_size(n), random_size(n), rng.choice([0, 42, rng.getrandbits(32)]), per_class)
    want = theirs(*args)
    got, run = ours(*args)
    if want != got or run.returncode not in (0, 2, 65):
        bad.append((args, want, got, run.stderr))
    tally["split" if want else "refused"] += 1
    tally["ties"] += bool(want) and not per_class and has_ties(y, len(want[0]))
    if want is None and run.stderr.count(b"\n") != 1:
        bad.append((args, run.stderr))
check("400 random tables", not bad, bad[:1])
check("at least 200 of them are split, with ties, and some refused",
      tally["split"] >= 200 and tally["ties"] >= 20 and tally["refused"] >= 10, tally)
print("#", tally)
finish()
