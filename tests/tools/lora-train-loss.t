#!/usr/bin/python3
"""What the loss of a step and of an evaluation is a mean of: held to predict's losses of single records."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, root  # noqa: E402

model = os.path.join(root, "tests/golden/phi-tiny/nf4")
folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)


def tool(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def lines(text):
    return [json.loads(x) for x in text.splitlines()]


def losses(what, *options):
    """Summed loss and number of tokens of each record, by id."""
    tool("predict", "-q", "-m", model, "--mode", "loss", "--loss", what, *options, "data", "--force", "-o", "losses")
    return {r["id"]: (r["loss"] * r["n_loss"], r["n_loss"], r) for r in lines(tool("peek", "--jsonl", "losses"))}


def train(*options):
    """The metrics of a run, and the steps it planned."""
    words = ["lora-train", "-q", "-m", model, "data", "--r", "4", *options]
    planned = [x["ids"] for x in lines(tool(*words, "--plan", "-")) if "ids" in x]
    tool(*words, "--logging-steps", "1", "--metrics", "metrics", "-o", "adapter", "--force")
    with open("metrics") as f:
        return lines(f.read()), planned


def split(ids, batch):
    return [ids[i:i + batch] for i in range(0, len(ids), batch)]


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def near(a, b):
    return abs(a - b) <= 2e-6 * abs(b)


def check_step(what, norm, batch):
    """B is zero at first and the first rate is 0, so the first two losses are the base model's."""
    metrics, planned = train("--loss", what, "--loss-norm", norm, "--per-device-train-batch-size", str(batch),
                             "--gradient-accumulation-steps", "3", "--max-steps", "2", "--eval-strategy", "no",
                             "--lora-dropout", "0")
    single = losses(what, "--only", "split=train")
    for got, ids in zip(metrics, planned):
        sums, counts = [single[i][0] for i in ids], [single[i][1] for i in ids]
        if norm == "micro":
            want = mean(sum(single[i][0] for i in m) / sum(single[i][1] for i in m) for m in split(ids, batch))
        elif norm == "tokens":
            want = sum(sums) / sum(counts)
        else:
            want = sum(sums) / sum(len(single[i][2]["ids"]) if what == "all" else single[i][1] for i in ids)
        tokens = sum(len(single[i][2]["ids"]) for i in ids)
        check(f"loss of {what} by {norm}, micro-batches of {batch}, step {got['step']}: {got['loss']} and {want}",
              near(got["loss"], want) and got["tokens"] == tokens)


def check_left_over():
    """61 records in windows of 8 leave 5: under flush a step of 5, under carry the start of the next."""
    for accum, ends in (("flush", [8] * 7 + [5] + [8] * 2), ("carry", [8] * 10)):
        metrics, planned = train("--accum", accum, "--max-steps", "10", "--learning-rate", "0", "--eval-strategy", "no",
                                 "--lora-dropout", "0", "--group-by-length")
        single = losses("all", "--only", "split=train")
        want = [mean(single[i][0] / single[i][1] for i in ids) for ids in planned]
        check(f"left-over micro-batches under {accum}",
              [len(x) for x in planned] == ends and all(near(g["loss"], w) for g, w in zip(metrics, want)))


def check_evaluation():
    """Each batch of 8 has the mean over its tokens, each record its batch's mean; the adapter counts."""
    metrics, _ = train("--max-steps", "4", "--learning-rate", "1e-2", "--eval-strategy", "steps", "--eval-steps", "4")
    single = losses("all", "--only", "split=eval", "-a", "adapter")
    groups = split(list(single.values()), 8)
    want = mean(sum(x[0] for x in g) / sum(x[1] for x in g) for g in groups for _ in g)
    got = metrics[-1]
    check(f"eval_loss {got['eval_loss']} and {want}",
          near(got["eval_loss"], want) and got["eval_tokens"] == sum(x[1] for x in single.values()) and got["step"] == 4)
    check("an evaluation line follows its step's line", [x["step"] for x in metrics] == [1, 2, 3, 4, 4])


rows = []
with open(os.path.join(root, "tests/golden/phi-tiny/records.jsonl")) as f:
    for x in map(json.loads, f):
        x["split"] = "train" if x["id"] < 61 else "eval"
        rows.append(json.dumps(x) + "\n")
with open("rows", "w") as f:
    f.writelines(rows)
tool("peek", "--from-jsonl", "--kind", "tokens", "-o", "data", "rows")
for what in ("all", "completion"):
    for norm in ("micro", "tokens", "tokens-unshifted"):
        check_step(what, norm, 3 if norm == "micro" else 1)
check_step("all", "micro", 1)
check_left_over()
check_evaluation()
finish()
