"""Texts and ids for parts.t and make-parts, from tests/unit/test_tokens_random.test, and digests of answers."""
import hashlib
import struct
import subprocess
from functools import lru_cache

SOME = ["", " ", "  ", "a", " a", "\u2581", " \u2581 a", "the foo bar", "\t\tthe\n\n  foo ", "e\u0301 \u00e9 o\u0308 \u00f6 \u1100\u1161\u11a8",
        "1234567 12, 0003", "x\u180ey\u200bz\u0085", "'S 'ſ 'LL'd", "\U00011de0\U00016ff4 5", "<s> <s>the", "[MASK]  bar<|endoftext|> a",
        "\U00040000\u0000\u0004", "a" * 3000, "the " * 500, "\u65e5\u672c\u8a9e" * 50, "\u0323\u0301" * 40 + "a\u0301\u0323" * 40]


def dump(build, *args):
    program = build / "tests/unit/test_tokens_random.test"
    data, at = subprocess.run([program, *map(str, args)], check=True, capture_output=True).stdout, 0
    while at < len(data):
        n, = struct.unpack_from("<I", data, at)
        yield data[at + 4:at + 4 + n]
        at += 4 + n


@lru_cache
def texts(build):
    return SOME + [x.decode() for x in dump(build, "--texts", 0, 1000)]


@lru_cache
def ids(build, vocab):
    return [list(struct.unpack(f"<{len(x) // 4}I", x)) for x in dump(build, "--ids", 0, 300, vocab)]


def digest(answers):
    sha = hashlib.sha256()
    for a in answers:
        a = a if isinstance(a, bytes) else struct.pack(f"<{len(a)}I", *a)
        sha.update(struct.pack("<I", len(a)) + a)
    return sha.hexdigest()[:32]
