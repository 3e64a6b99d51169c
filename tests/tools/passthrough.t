#!/usr/bin/python3
"""A tool adds fields and never touches those it does not know: their bytes, whatever encoding they
came in, and the order of the records are the same behind every tool."""
import hashlib
import io
import os
import subprocess
import sys
import tempfile

import cbor2
import zstandard

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, root, run  # noqa: E402

TINY = os.path.join(root, "pipelines", "tiny")
ODD = {  # field: value as it comes, none of it as our tools would write it
    "integer": b"\x18\x01",
    "number": b"\xfb\x3f\xf8\0\0\0\0\0\0",
    "map": b"\xa2\x62zz\x01\x61a\x02",
    "date": b"\xc0\x742013-03-21T20:04:00Z",
    "bytes": b"\x59\0\x03\0\xff\x80",
    "big_endian": b"\xd8\x41\x44\x12\x34\x56\x78",
    "undefined": b"\xf7",
    "least": b"\x3b" + b"\xff" * 8,
    "\U0001d11e": b"\x80",
    "a long name, longer than twenty-three bytes": b"\xf6",
}
TEXTS = ["Profit rose sharply", "Sales fell", "Täglich \U0001d11e", "The company said nothing"]


def make():
    records = []
    for i, text in enumerate(TEXTS):
        odd = [cbor2.dumps(k) + v for k, v in ODD.items()]
        known = [cbor2.dumps(k) + cbor2.dumps(v) for k, v in {"text": text, "label": "neutral", "id": 7 - i}.items()]
        records.append(bytes([0xa0 + len(odd) + len(known)]) + b"".join(odd + known))
    head = cbor2.dumps({"format": "slmtools stream", "version": 1, "kind": "examples", "chain": [],
                        "labels": ["positive", "neutral", "negative"]})
    content = b"\xd9\xd9\xf7" + head + b"".join(records)
    end = {"": "end", "inputs": [], "records": len(records), "sha256": hashlib.sha256(content).digest()}
    return zstandard.ZstdCompressor(write_checksum=True).compress(content + cbor2.dumps(end))


def records_of(stream):
    """Each record as a list of (name, bytes of the value)."""
    content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(stream), read_across_frames=True).read()
    file = io.BytesIO(content)
    cbor2.load(file)
    while True:
        n = content[file.tell()] - 0xa0
        assert 0 <= n < 24
        file.seek(1, 1)
        fields = []
        for _ in range(n):
            name = cbor2.load(file)
            start = file.tell()
            cbor2.load(file)
            fields.append((name, content[start:file.tell()]))
        if fields and fields[0][0] == "":
            return
        yield fields


def failure(stream, adds):
    got = list(records_of(stream))
    if len(got) != len(TEXTS):
        return f"{len(got)} records"
    for i, fields in enumerate(got):
        names = [cbor2.dumps(name) for name, _ in fields]
        if names != sorted(names):
            return f"fields are out of order: {fields}"
        have = dict(fields)
        wrong = [name for name, value in ODD.items() if have.get(name) != value]
        if wrong or have.get("text") != cbor2.dumps(TEXTS[i]) or have.get("id") != cbor2.dumps(7 - i):
            return f"record {i}: {wrong or 'text or id'}"
        if [name for name in adds if name not in have]:
            return f"record {i} has no {adds}"
    return None


with tempfile.TemporaryDirectory() as folder:
    model = os.path.join(folder, "model")
    subprocess.run(["mkmodel", "--layers", "1", "--vocab", "1024", "--tokenizer", TINY, "-o", model], check=True)
    stream = make()
    for adds, command in (
        (["prompt"], ["promptify", "-t", "financial-sentiment"]),
        (["ids"], ["tokenize", "-m", model]),
        (["pred", "scores"], ["predict", "-m", model, "--mode", "labels"]),
        (["loss"], ["predict", "-m", model, "--mode", "loss"]),
        (["output"], ["predict", "-m", model, "--mode", "generate", "--max-new-tokens", "2"]),
    ):
        got = run(*command, data=stream)
        why = f"exit {got.returncode}: {got.stderr}" if got.returncode else failure(got.stdout, adds)
        check(" ".join(command[:1] + command[3:]), why is None, why)
        if command[0] != "predict" and not got.returncode:
            stream = got.stdout
finish()
