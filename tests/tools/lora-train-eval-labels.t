#!/usr/bin/python3
"""--eval-labels: its accuracy is what predict --mode labels and score say of the adapter of that step."""
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import streams  # noqa: E402
from tap import check, finish, root  # noqa: E402

tiny = os.path.join(root, "pipelines/tiny")
folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)

# answers of one token; of several, equally many, that begin alike; that are the beginning of another
PLAIN = [" a", " b", " c", " d"]
LONG = [" xqz", " xqj", " xjk", " zqk"]
ODD = [" a", " a b", " a b c d e f g h", " a c"]
LABELS = ["w", "x", "y", "z"]


def tool(*words, data=None, text=True):
    return subprocess.run(words, check=True, capture_output=True, text=text, input=data).stdout


def refused(name, code, says, *words):
    done = subprocess.run(words, capture_output=True, text=True)
    check(name, done.returncode == code and says in done.stderr and done.stderr.count("\n") == 1 and not os.path.exists("no"),
           (done.returncode, done.stderr))


def lines(name):
    with open(name) as f:
        return [{k: v for k, v in json.loads(x).items() if k != "tokens_per_s"} for x in f]


def records(labels=LABELS, n=40):
    """Prompts that end in any token are answered in any way."""
    rng = random.Random(7)
    return [{"id": i, "ids": [rng.randrange(500) for _ in range(rng.randint(4, 30))], "n_prompt": 3 + i % 2 * rng.randint(-2, 0),
             "label": rng.choice(labels), "split": "eval" if i % 2 else "train"} for i in range(n)]


def predict(model, name, options, *adapter):
    tool("predict", "-q", "-m", model, *adapter, name, "--mode", "labels", "--only", "split=eval", *options, "--force", "-o", "predictions")


def stream(name, rows, labels=LABELS, answers=None):
    with open(name, "wb") as f:
        f.write(streams.stream(rows, labels=labels, answers=answers))
    return name


def predicted(model, name, adapter, options):
    predict(model, name, options, "-a", adapter)
    said = json.loads(tool("score", "--json", "predictions"))
    return said["accuracy"], said["n"]


def answered(model, name, labels, answers, options):
    """A stream whose eval records have the label that the base model chooses."""
    predict(model, stream("first", records(labels), labels, answers), options)
    said = {r["id"]: r["pred"] for r in map(json.loads, tool("peek", "--jsonl", "predictions").splitlines())}
    return stream(name, [{**r, "label": said.get(r["id"], r["label"])} for r in records(labels)], labels, answers)


def train(model, records_of, *options):
    tool("lora-train", "-q", "-m", model, records_of, "--r", "4", "--learning-rate", "2e-2", "--gradient-accumulation-steps", "2",
         "--max-steps", "6", "--eval-strategy", "steps", "--eval-steps", "2", "--logging-steps", "1", "--metrics", "metrics",
         "-o", "tuned", "--force", *options)
    return lines("metrics")


def check_answers(name, model, answers, options=(), labels=LABELS):
    """How many accuracies there were."""
    same = [x for x in options if x not in ("--loss", "completion")]
    data = answered(model, "data", labels, answers, same)
    plain = train(model, data, *options)
    tensors = tool("peek", "--tensors", "tuned")
    got = train(model, data, "--eval-labels", "--save-steps", "2", *options)
    check(f"{name}: the adapter's tensors and all other numbers are those without it",
          tool("peek", "--tensors", "tuned") == tensors
          and plain == [{k: v for k, v in x.items() if k not in ("eval_accuracy", "eval_records")} for x in got])
    want = [(n, *predicted(model, data, f"tuned.step-{n}", same)) for n in (2, 4, 6)]
    got = [(x["step"], x["eval_accuracy"], x["eval_records"]) for x in got if "eval_loss" in x]
    check(f"{name}: accuracies {got}", got == want, want)
    still = train(model, data, "--eval-labels", *options, "--learning-rate", "0")
    check(f"{name}: the base model's are its own", [x["eval_accuracy"] for x in still if "eval_loss" in x] == [1, 1, 1])
    return len({x[1] for x in got})


for arch in "phi", "llama", "mistral":
    extra = ["--sliding-window", "9"] if arch == "mistral" else []
    tool("mkmodel", "--arch", arch, "--hidden", "64", "--layers", "2", "--heads", "4", "--vocab", "512", "--tokenizer", tiny, *extra,
         "-o", arch + "/")
tool("quantize-nf4", "-q", "phi", "-o", "phi.nf4/")
moved = [
    check_answers("Phi in NF4, short answers", "phi.nf4", PLAIN),
    check_answers("Phi in NF4, long answers", "phi.nf4", LONG),
    check_answers("Phi in NF4, answers in answers, completions alone", "phi.nf4", ODD, ["--loss", "completion"]),
    check_answers("Llama, long answers", "llama", LONG),
    check_answers("a window that is shorter than a prompt", "mistral", LONG),
    check_answers("in bfloat16", "phi.nf4", LONG, ["--compute-dtype", "bfloat16"]),
    check_answers("on ref", "phi", ODD, ["--device", "ref"]),
    check_answers("a hundred labels, so that a batch holds few records", "phi.nf4", None, [], [f"l{i:02}" for i in range(100)]),
    check_answers("labels without answers", "phi", None),
]
check("accuracies change", sum(n > 1 for n in moved) > 4, moved)

stream("plain", records(), answers=PLAIN)
stream("bare", records())
done = subprocess.run(["lora-train", "-m", "phi", "bare", "--max-steps", "1", "--eval-labels", "-o", "guessed"], capture_output=True, text=True)
check("says that answers are guessed",
      done.returncode == 0 and done.stderr.count("names no answers: each label is scored by a space and its name") == 1, done.stderr)
check("the last line says it", ", eval accuracy 0." in done.stderr and " of 20)" in done.stderr, done.stderr)

done = subprocess.run(["lora-train", "-m", "phi", "plain", "--max-steps", "1", "--eval-labels", "--only", "split=train", "-o", "unseen"],
                      capture_output=True, text=True)
check("says that there is nothing to evaluate",
      done.returncode == 0 and "warning: no record's split is eval: nothing is evaluated" in done.stderr, done.stderr)

# what makes no sense
go = ["lora-train", "-q", "-m", "phi", "-o", "no", "--max-steps", "2", "--eval-labels"]
refused("no evaluations", 2, "leave out --eval-strategy no", *go, "plain", "--eval-strategy", "no")
refused("an evaluation that never comes", 2, "lower --eval-steps", *go, "plain", "--eval-strategy", "steps", "--eval-steps", "3")
refused("--max-length within the prompt", 65, "--max-length leaves nothing of the completion", *go, "plain", "--max-length", "3")


def variant(name, change):
    rows = records()
    change(rows[1])
    return stream(name, rows)


refused("a record without a label", 65, "no field 'label', which --eval-labels goes by", *go, variant("a", lambda r: r.pop("label")))
refused("a record without a completion", 65, "no n_prompt: there is no completion; leave out --eval-labels", *go,
        variant("b", lambda r: r.pop("n_prompt")))
refused("an empty completion", 65, "the completion is empty; leave out --eval-labels", *go,
        variant("c", lambda r: r.update(n_prompt=len(r["ids"]))))
refused("an empty prompt", 65, "its prompt has no tokens", *go, variant("d", lambda r: r.update(n_prompt=0)))
tool("mkmodel", "--hidden", "64", "--layers", "2", "--heads", "4", "--vocab", "512", "-o", "mute/")
refused("a model without a tokenizer", 66, "mute: the model has no tokenizer, which labels need", *[x if x != "phi" else "mute" for x in go], "plain",
        "--trust-tokens")
many = ["x"] + [f"label number {i}" for i in range(300)]
refused("more answers than a batch takes", 65, "give them shorter answers", *go, stream("many", records(["x"]), many))
refused("a stream without labels", 65, "names no labels, which --eval-labels is about", *go, stream("unlabelled", records(), None))
# what labels stand for belongs to a run, where it is looked at
go = ["lora-train", "-q", "-m", "phi", "--max-steps", "2", "--checkpoint", "run", "-o", "finished"]
tool(*go, "plain", "--eval-labels")
stream("other", records(), answers=ODD)
done = subprocess.run([*go, "other", "--eval-labels", "--resume"], capture_output=True, text=True)
check("other answers are another run", done.returncode == 65 and "digest of the labels was " in done.stderr, done.stderr)
tool(*go, "plain", "--force")
tool(*go, "other", "--resume")
check("but not where nobody looks", True)
finish()
