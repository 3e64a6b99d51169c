#!/usr/bin/env python3
"""tokenize against Hugging Face's tokenizers, one thread each, on English texts of 1,000 characters.

    python tests/perf/rivals/tokenize.py [SHARED] [BIN]

Needs the tokenizers library and zstd. Runs are interleaved, medians of five. Ours is the whole tool:
start, reading lines, ids, compressing and writing a stream; theirs is the encode loop alone.
"""
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, __version__  # noqa: E402

root = Path(__file__).resolve().parents[3]
shared = Path(sys.argv[1]) if len(sys.argv) > 1 else root.parent / "shared"
tools = Path(sys.argv[2]) if len(sys.argv) > 2 else root / "build/release/bin"
model = shared / "data/phi-2"


def texts():
    out = []
    for path in sorted((shared / "data/corpus").glob("*.zst")):
        text = subprocess.run(["zstdcat", path], check=True, capture_output=True).stdout.decode()
        text = " ".join(text.replace("<|endoftext|>", " ").split())
        out += [text[i:i + 1000] for i in range(0, len(text), 1000)]
    return out[::2]


def rival(tokenizer, lines):
    cpu, wall = time.process_time(), time.time()
    for line in lines:
        tokenizer.encode(line, add_special_tokens=False)
    return time.process_time() - cpu, time.time() - wall


def ours(command):
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.time() - wall


def main():
    lines, tokenizer = texts(), Tokenizer.from_file(str(model / "tokenizer.json"))
    megabytes = sum(len(line.encode()) for line in lines) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        plain, done = Path(folder) / "lines", Path(folder) / "done.zst"
        plain.write_text("\n".join(lines) + "\n")
        tokens = [tools / "tokenize", "-m", model, "-j1"]
        runs = {"tokenizers, encode loop": [], "tokenize --lines": [], "tokenize --lines --count": []}
        for _ in range(5):
            runs["tokenizers, encode loop"].append(rival(tokenizer, lines))
            runs["tokenize --lines"].append(ours([*tokens, "--lines", plain, "-o", done, "--force"]))
            runs["tokenize --lines --count"].append(ours([*tokens, "--lines", plain, "--count"]))
    print(f"{len(lines)} texts, {megabytes:.1f} MB, tokenizers {__version__}")
    base = [statistics.median(r[i] for r in runs["tokenizers, encode loop"]) for i in (0, 1)]
    for name, r in runs.items():
        cpu, wall = (statistics.median(x[i] for x in r) for i in (0, 1))
        print(f"{name:26} {megabytes / cpu:7.1f} MB per CPU second ({base[0] / cpu:4.1f}x)"
              f" {megabytes / wall:7.1f} MB/s ({base[1] / wall:4.1f}x)")


main()
