"""Reads and writes our record streams with Debian's python3-cbor2 and python3-zstandard alone."""
import array
import hashlib
import io
import json
import sys

import cbor2
import zstandard

ARRAYS = {64: "B", 69: "H", 70: "I", 71: "Q", 78: "i", 79: "q", 85: "f", 86: "d"}     # RFC 8746, little-endian


def plain(value):
    """Typed arrays as lists."""
    if isinstance(value, cbor2.CBORTag) and value.tag in ARRAYS:
        numbers = array.array(ARRAYS[value.tag], value.value)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers.tolist()
    return value


def read(data):
    """(header, records, end) of a stream's bytes."""
    raw = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    f, items, at = io.BytesIO(raw), [], 0
    while f.tell() < len(raw):
        at = f.tell()
        items.append(cbor2.load(f))
    end = items.pop()
    assert end[""] == "end" and end["sha256"] == hashlib.sha256(raw[:at]).digest() and end["records"] == len(items) - 1
    return items[0], [{k: plain(v) for k, v in r.items()} for r in items[1:]], end


def write(kind, records, labels=None):
    """The bytes of a stream."""
    header = {"format": "slmtools stream", "version": 1, "kind": kind, "chain": []}
    if labels:
        header["labels"] = labels
    raw = cbor2.dumps(cbor2.CBORTag(55799, header), canonical=True)
    raw += b"".join(cbor2.dumps(r, canonical=True) for r in records)
    end = {"": "end", "records": len(records), "sha256": hashlib.sha256(raw).digest(), "inputs": []}
    return zstandard.ZstdCompressor(write_checksum=True).compress(raw + cbor2.dumps(end, canonical=True))


def main():
    """stream.py read < STREAM prints records as JSON lines; stream.py write KIND [LABELS] < JSON lines."""
    if sys.argv[1] == "read":
        for record in read(sys.stdin.buffer)[1]:
            print(json.dumps(record, ensure_ascii=False))
    else:
        records = [json.loads(line) for line in sys.stdin]
        sys.stdout.buffer.write(write(sys.argv[2], records, sys.argv[3].split(",") if len(sys.argv) > 3 else None))


if __name__ == "__main__":
    main()
