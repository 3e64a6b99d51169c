#!/usr/bin/python3
"""Ids equal Hugging Face's on every text of the data set, its prompts, the Big List of Naughty Strings
and the GPT-2 test vectors, through the tool. Digests: tokens-texts.txt, made by make-tokens."""
import hashlib
import json
import struct
import subprocess
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
import streams  # noqa: E402
import texts  # noqa: E402
from tap import check, finish, shared  # noqa: E402

shared = Path(shared)
MODEL = {"phi-2": shared / "data/phi-2", "gpt-2": shared / "data/tokenizers/gpt2"}


def run(records, model, *options):
    """The records that tokenize makes of RECORDS, typed arrays as lists."""
    kind = "tokens" if "--decode" in options else "prompts"
    done = subprocess.run(["tokenize", "-m", MODEL[model], *options], input=streams.stream(records, kind), capture_output=True)
    assert done.returncode == 0, done.stderr
    return [{k: streams.numbers(v) if k == "ids" else v for k, v in r.items()} for r in streams.records(done.stdout)[1]]


def digest(ids):
    return hashlib.sha256(b"".join(struct.pack(f"<{len(i) + 1}I", len(i), *i) for i in ids)).hexdigest()[:32]


def check_sets():
    recorded = {line.split()[0]: line.split()[1:] for line in open(here / "tokens-texts.txt")}
    sets = list(texts.sets(shared))
    check("every set has a recorded digest", len(sets) == len(recorded))
    for name, model, lines in sets:
        out = run([{"id": i, "text": t} for i, t in enumerate(lines)], model)
        ids = [r["ids"] for r in out]
        said = [str(len(ids)), str(sum(map(len, ids))), digest(ids)]
        check(f"{name}: {said[1]} ids", said == recorded[name], f"{said}, recorded {recorded[name]}")
        text = [r["text"] for r in run(out, model, "--decode")]
        check(f"{name}: decoding gives the texts back", text == list(lines))


def check_vectors():
    """The vectors bring their own ids: made by others."""
    out = run([{"id": i, "text": t} for i, t in enumerate(texts.vectors(shared))], "gpt-2")
    lines = (shared / "data/tokenizers/vectors/ggml-vocab-gpt-2.gguf.out").read_text().split("\n")
    want = [[int(x) for x in line.split()] for line in lines]
    got = [r["ids"] for r in out]
    wrong = [i for i, g in enumerate(got) if i < len(want) and g != want[i]]
    check("the ids of the GPT-2 test vectors", not wrong and len(got) >= 46, f"wrong: {wrong}")


def check_article():
    """The first training prompt of the article has 71 ids, the prompt part of it 70."""
    rows = texts.financial(shared)
    label, text = rows[3683]
    out, = run([{"id": 0, "prompt": texts.PROMPT.format(text), "completion": " " + label}], "phi-2")
    check("first training prompt: 71 ids, 70 of them prompt", len(out["ids"]) == 71 and out["n_prompt"] == 70,
       f"{len(out['ids'])} and {out['n_prompt']}")
    check("its first ids", out["ids"][:8] == [464, 15598, 286, 262, 1708, 9546, 25, 705], str(out["ids"][:8]))


def check_article_counts():
    """The article's split: how many ids its 900 training and 900 test prompts have (NUMERICS, part E)."""
    rows, split = texts.financial(shared), json.loads((shared / "golden/golden_split.json").read_text())
    train = [{"id": i, "prompt": texts.PROMPT.format(rows[i][1]), "completion": " " + rows[i][0]} for i in split["train"]]
    test = [{"id": i, "prompt": texts.PROMPT.format(rows[i][1])} for i in split["test"]]
    for name, records, want in (("training", train, (44, 113, 62420)), ("test", test, (43, 113, 61663))):
        n = [len(r["ids"]) for r in run(records, "phi-2")]
        check(f"the article's {name} prompts: {want}", (min(n), max(n), sum(n)) == want, f"{min(n)} {max(n)} {sum(n)}")


if all(p.exists() for p in MODEL.values()):
    check_sets()
    check_vectors()
    check_article()
    check_article_counts()
    finish()
else:
    print("1..0 # SKIP ../shared is not there")
