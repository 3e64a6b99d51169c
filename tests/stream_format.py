#!/usr/bin/python3
"""The record stream of share/doc/stream-format.md, written from that page alone.

stream_format.py read   < stream > JSON lines: the header, the records, the end map
stream_format.py write  < JSON lines as read prints them > stream, with a choice of its own for
                          everything the page leaves open: two frames, no seal, fields in any order
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


def plain(value):
    """A value as JSON has it."""
    if isinstance(value, cbor2.CBORTag):
        return list(array.array(TYPED[value.tag], value.value))
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value.hex() if isinstance(value, bytes) else value


def read(data):
    """Yields header, records and end map, checked."""
    content = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    file = io.BytesIO(content)
    assert content[:3] == b"\xd9\xd9\xf7"
    header, end, records = cbor2.load(file), None, 0
    assert header["format"] == "slmtools stream" and header["version"] == 1
    yield header
    while end is None:
        before = file.tell()
        item = cbor2.load(file)
        if next(iter(item), None) == "":
            end = item
        else:
            records += 1
            assert content[before:file.tell()] == cbor2.dumps(item, canonical=True), "not deterministic"
            yield item
    assert file.read() == b"", "data behind the end map"
    assert end[""] == "end" and end["records"] == records
    assert end["sha256"] == hashlib.sha256(content[:before]).digest()
    assert content[before:] == cbor2.dumps(end, canonical=True), "not deterministic"
    if end.get("sealed"):
        assert data[-40:] == SEAL + hashlib.sha256(data[:-40]).digest()
    yield end


def write(header, records):
    def field(name, value):
        if name in ("ids", "output_ids"):
            return cbor2.CBORTag(70, array.array("I", value).tobytes())
        if name in ("scores", "logits"):
            return cbor2.CBORTag(85, array.array("f", value).tobytes())
        return value

    parts = [b"\xd9\xd9\xf7" + cbor2.dumps(header)]
    parts += [cbor2.dumps({k: field(k, v) for k, v in reversed(r.items())}) for r in records]
    end = {"": "end", "records": len(records), "inputs": [], "sha256": hashlib.sha256(b"".join(parts)).digest()}
    pack = zstandard.ZstdCompressor(level=1, write_checksum=True).compress
    return pack(b"".join(parts[:2])) + pack(b"".join(parts[2:]) + cbor2.dumps(end))


if sys.argv[1:] == ["read"]:
    for one in read(sys.stdin.buffer.read()):
        print(json.dumps(plain(one), ensure_ascii=False))
else:
    first, *rest = [json.loads(line) for line in sys.stdin]
    sys.stdout.buffer.write(write(first, [r for r in rest if "" not in r]))
