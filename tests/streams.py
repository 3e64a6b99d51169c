#!/usr/bin/python3
"""The record stream of share/doc/stream-format.md, written from that page alone, with Debian's
python3-cbor2 and python3-zstandard.

As a program: streams.py read  < stream       prints header, records and end map as JSON lines
              streams.py write < those lines  writes a stream, with a choice of its own wherever the
                                              page leaves one: two frames, fields in any order, no seal
"""
import array
import hashlib
import io
import json
import sys

import cbor2
import zstandard

TYPED = {64: "B", 69: "H", 70: "I", 71: "Q", 78: "i", 79: "q", 85: "f", 86: "d"}  # RFC 8746
SEAL = bytes.fromhex("5e2a4d1820000000")


def items(data, ours=False):
    """Header, records and end map of a whole stream; fails when anything is not as the page says.
    OURS: no field came from another program, so every value is in deterministic encoding as well."""
    content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    file = io.BytesIO(content)
    assert content[:3] == b"\xd9\xd9\xf7", "no tag 55799"
    header, records = cbor2.load(file), []
    assert header["format"] == "slmtools stream" and header["version"] == 1, header
    while True:
        before = file.tell()
        item = cbor2.load(file)
        names = [cbor2.dumps(name) for name in item]
        assert names == sorted(names), f"names out of order: {item}"
        assert not ours or content[before:file.tell()] == cbor2.dumps(item, canonical=True), f"not deterministic: {item}"
        if next(iter(item), None) == "":
            break
        records.append(item)
    assert file.read() == b"", "data behind the end map"
    assert item[""] == "end" and item["records"] == len(records), item
    assert item["sha256"] == hashlib.sha256(content[:before]).digest(), "another digest"
    if data[6:9] == b"\x18\0\0":  # the first block is raw and holds three bytes: a seal is promised
        assert data[-40:] == SEAL + hashlib.sha256(data[:-40]).digest(), "another seal"
    return header, records, item


def records(data):
    """Header and records of a whole stream."""
    return items(data)[:2]


def end(data):
    """The end map."""
    return items(data)[2]


def numbers(value):
    """A typed array as a list."""
    return list(array.array(TYPED[value.tag], value.value))


def plain(value):
    """Any value as JSON has it."""
    if isinstance(value, cbor2.CBORTag):
        return numbers(value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value.hex() if isinstance(value, bytes) else value


def typed(name, value):
    """Lists of token ids as uint32 arrays, of scores as float32 arrays; anything else as it is."""
    if name in ("scores", "logits"):
        return cbor2.CBORTag(85, array.array("f", value).tobytes())
    if isinstance(value, list) and all(isinstance(v, int) and v >= 0 for v in value):
        return cbor2.CBORTag(70, array.array("I", value).tobytes())
    return value


def write(header, rows, order=lambda fields: fields, inputs=()):
    """The bytes of a stream."""
    first = b"\xd9\xd9\xf7" + cbor2.dumps(header)
    rest = b"".join(cbor2.dumps({k: typed(k, v) for k, v in order(list(row.items()))}) for row in rows)
    last = {"": "end", "inputs": list(inputs), "records": len(rows), "sha256": hashlib.sha256(first + rest).digest()}
    pack = zstandard.ZstdCompressor(write_checksum=True).compress
    return pack(first) + pack(rest + cbor2.dumps(last))


def stream(rows, kind="tokens", labels=None, answers=None):
    """A stream with these records."""
    header = {"format": "slmtools stream", "version": 1, "kind": kind, "chain": []}
    names = {"labels": labels, "answers": answers}
    return write({**header, **{k: v for k, v in names.items() if v}}, rows)


if __name__ == "__main__":
    if sys.argv[1:] == ["read"]:
        head, rows, last = items(sys.stdin.buffer.read(), ours=True)
        for one in head, *rows, last:
            print(json.dumps(plain(one), ensure_ascii=False))
    else:
        head, *rows, last = [json.loads(line) for line in sys.stdin]
        sys.stdout.buffer.write(write(head, rows, order=reversed))
