#!/usr/bin/python3
"""Other models' tokenizers, through the tool: ids of every text of the data set and of the Big List of Naughty
Strings by digests that Hugging Face's library gave (../shared/golden), and test vectors that others made.
SmolLM2's is read from the file that SMOLLM2 names (a model), or the one in the cache."""
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
import streams  # noqa: E402
from tap import check, finish, shared  # noqa: E402

shared = Path(shared)


def small_model():
    """What SMOLLM2 names, or what has been fetched before: nothing is downloaded here."""
    if "SMOLLM2" in os.environ:
        return os.environ["SMOLLM2"]
    done = subprocess.run([here.parent.parent / "pipelines/smollm2/fetch"], capture_output=True, text=True,
                          env={**os.environ, "PIP": "false"})
    return done.stdout.strip() if done.returncode == 0 else "/nowhere"


MODEL = {"tinyllama": shared / "data/models/tinyllama-1.1b-chat", "phi-3": shared / "data/models/phi-3-mini-4k-derivative",
         "qwen2.5": shared / "data/models/qwen2.5-0.5b-instruct", "smollm2": Path(small_model())}


def run(model, records, *options):
    kind = "tokens" if "--decode" in options else "prompts"
    done = subprocess.run(["tokenize", "-m", MODEL[model], *options], input=streams.stream(records, kind), capture_output=True)
    assert done.returncode == 0, done.stderr
    return streams.records(done.stdout)[1]


def ids_of(model, texts, *options):
    return [streams.numbers(r["ids"]) for r in run(model, [{"id": i, "text": x} for i, x in enumerate(texts)], *options)]


def check_digests(model, name, texts, recorded):
    """A line of ids a text, as the library's."""
    ids = ids_of(model, texts)
    sha = hashlib.sha256("".join(" ".join(map(str, i)) + "\n" for i in ids).encode()).hexdigest()
    said = (sum(map(len, ids)), sha)
    check(f"{model}, {name}: {said[0]} ids", said == (recorded["tokens"], recorded["sha256"]), f"{said}, recorded {recorded}")
    back = run(model, [{"id": i, "ids": x} for i, x in enumerate(ids)], "--decode", "--trust-tokens")
    changed = [x for r, x in zip(back, texts) if r["text"] != x]
    check(f"{model}, {name}: decoding gives the texts back, but for a few odd ones",
          len(changed) <= len(texts) // 50, str(changed[:3]))


def check_sets():
    data = (shared / "data/financial-news/all-data.csv").read_bytes().decode("latin-1")
    sets = {"fin": [text for _, text in csv.reader(io.StringIO(data, newline=""))],
            "blns": (shared / "corpora/blns/blns.txt").read_bytes().decode().split("\n")}
    recorded = json.loads((shared / "golden/tokens/digests.json").read_text())
    recorded |= {f"smollm2/{k}": v for k, v in json.loads((shared / "golden/smollm2/tokens.json").read_text()).items()}
    for key, want in recorded.items():
        model, name = key.split("/")
        if MODEL[model].exists():
            check_digests(model, name, sets[name], want)
        else:
            print(f"# the model is not in the cache: {key} is left out")


def check_vectors(model, name):
    folder = shared / "data/tokenizers/vectors"
    texts = (folder / f"ggml-vocab-{name}.gguf.inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
    want = [[int(x) for x in line.split()] for line in (folder / f"ggml-vocab-{name}.gguf.out").read_text().split("\n")]
    got = ids_of(model, texts)
    wrong = [i for i, g in enumerate(got) if i < len(want) and g != want[i]]
    check(f"the ids of the {name} test vectors with {model}", not wrong and len(got) >= 46, f"wrong: {wrong}")


if shared.exists():
    check_sets()
    check_vectors("tinyllama", "llama-spm")
    check_vectors("phi-3", "phi-3")
    check("the template puts a mark in front", ids_of("tinyllama", ["Hello"], "--add-special-tokens") == [[1, 15043]])
    finish()
else:
    print("1..0 # SKIP ../shared is not there")
