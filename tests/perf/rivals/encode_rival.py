"""tokenizers and tiktoken, one thread: MB/s of encoding a file of texts, a line each."""
import os
import time
from functools import lru_cache
from pathlib import Path

from serve import serve

os.environ["TOKENIZERS_PARALLELISM"] = "false"


@lru_cache
def lines(path):
    return Path(path).read_text().splitlines()


@lru_cache
def encoder(library, model):
    if library == "tokenizers":
        from tokenizers import Tokenizer
        t = Tokenizer.from_file(f"{model}/tokenizer.json")
        return lambda text: t.encode(text, add_special_tokens=False)
    import json

    import tiktoken
    with open(f"{model}/tokenizer.json") as f:
        vocab = json.load(f)["model"]["vocab"]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in printable]
    byte = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(rest)}
    ranks = {bytes(byte[c] for c in word): rank for word, rank in vocab.items() if all(c in byte for c in word)}
    pattern = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
    return tiktoken.Encoding("model", pat_str=pattern, mergeable_ranks=ranks, special_tokens={}).encode_ordinary


def encode(library, model, path):
    texts, one = lines(path), encoder(library, model)
    start = time.perf_counter()
    for text in texts:
        one(text)
    return os.path.getsize(path) / 1e6 / (time.perf_counter() - start)


serve({name: lambda *words, name=name: encode(name, *words) for name in ("tokenizers", "tiktoken")})
