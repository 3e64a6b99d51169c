#!/usr/bin/python3
"""Every part of a tokenizer.json that is here does what it does with Hugging Face, alone and in lists: ids, ids with
special tokens, decoded texts. Expected digests: parts.json, made by make-parts."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
here = Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent)]
import parts_cases  # noqa: E402
import parts_texts  # noqa: E402
import streams  # noqa: E402

build = Path(os.environ.get("BUILD", here.parent.parent / "build/release"))


def run(path, stream, *options):
    done = subprocess.run(["tokenize", "-m", path, *options], input=stream, capture_output=True)
    assert done.returncode == 0, done.stderr
    return streams.records(done.stdout)[1]


def answers(path, case):
    vocab = 1 + max([*case["model"]["vocab"].values(), *(a["id"] for a in case["added_tokens"])])
    texts = streams.stream([{"id": i, "text": x} for i, x in enumerate(parts_texts.texts(build))], "prompts")
    ids = streams.stream([{"id": i, "ids": x} for i, x in enumerate(parts_texts.ids(build, vocab))], "tokens")
    encoded = lambda *options: parts_texts.digest(streams.numbers(r["ids"]) for r in run(path, texts, *options))
    return {"ids": encoded(), "special": encoded("--add-special-tokens"),
            "text": parts_texts.digest(r["text"].encode() for r in run(path, ids, "--decode", "--trust-tokens"))}


def main():
    bad = 0
    recorded, cases = json.loads((here / "parts.json").read_text()), dict(parts_cases.all_cases())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        for i, (name, case) in enumerate(cases.items(), 1):
            path.write_text(json.dumps(case))
            got = answers(path, case)
            wrong = [k for k in got if got[k] != recorded.get(name, {}).get(k)]
            bad += bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {i} - {name}{': other ' + ', '.join(wrong) if wrong else ''}")
    same = list(recorded) == list(cases)
    print(f"{'ok' if same else 'not ok'} {len(cases) + 1} - every case is recorded\n1..{len(cases) + 1}")
    return bad > 0 or not same


sys.exit(main())
