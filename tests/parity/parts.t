#!/usr/bin/python3
"""Every part of a tokenizer.json that is here does what it does with Hugging Face, alone and in lists: ids, ids with
special tokens, decoded texts. Expected digests: parts.json, made by make-parts."""
import json
import os
import sys
import tempfile
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent)]
import parts_cases  # noqa: E402
import parts_texts  # noqa: E402
import streams  # noqa: E402
from tap import check, check_none, finish, good  # noqa: E402

build = Path(os.environ.get("BUILD", here.parent.parent / "build/release"))


def run(path, stream, *options):
    return streams.records(good("tokenize", "-m", path, *options, data=stream))[1]


def answers(path, case):
    vocab = 1 + max([*case["model"]["vocab"].values(), *(a["id"] for a in case["added_tokens"])])
    texts = streams.stream([{"id": i, "text": x} for i, x in enumerate(parts_texts.texts(build))], "prompts")
    ids = streams.stream([{"id": i, "ids": x} for i, x in enumerate(parts_texts.ids(build, vocab))], "tokens")
    encoded = lambda *options: parts_texts.digest(streams.numbers(r["ids"]) for r in run(path, texts, *options))
    return {"ids": encoded(), "special": encoded("--add-special-tokens"),
            "text": parts_texts.digest(r["text"].encode() for r in run(path, ids, "--decode", "--trust-tokens"))}


recorded, cases = json.loads((here / "parts.json").read_text()), dict(parts_cases.all_cases())
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "tokenizer.json"
    for name, case in cases.items():
        path.write_text(json.dumps(case))
        check_none(name, [k for k, v in answers(path, case).items() if v != recorded.get(name, {}).get(k)])
check("every case is recorded", list(recorded) == list(cases))
finish()
