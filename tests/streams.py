"""Reads and writes our streams with Debian's python3-zstandard and python3-cbor2, knowing nothing else of us."""
import hashlib
import io
import struct

import cbor2
import zstandard


def items(data):
    """Everything in a stream: header, records, end map."""
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True)
    plain = io.BytesIO(reader.read())
    header = cbor2.load(plain)
    header = header.value if isinstance(header, cbor2.CBORTag) else header
    rest = []
    while plain.tell() < len(plain.getbuffer()):
        rest.append(cbor2.load(plain))
    assert rest[-1]["records"] == len(rest) - 1, rest[-1]
    return header, rest[:-1], rest[-1]


def records(data):
    """Header and records of a whole stream; fails without its end map."""
    return items(data)[:2]


def end(data):
    """The end map."""
    return items(data)[2]


def stream(rows, kind="tokens", labels=None):
    """The bytes of a stream with these records; lists of integers become typed arrays."""
    header = {"format": "slmtools stream", "version": 1, "kind": kind, "chain": []}
    if labels:
        header["labels"] = labels
    plain = cbor2.dumps(cbor2.CBORTag(55799, header), canonical=True)
    for row in rows:
        row = {k: cbor2.CBORTag(70, struct.pack(f"<{len(v)}I", *v)) if isinstance(v, list) else v
               for k, v in row.items()}
        plain += cbor2.dumps(row, canonical=True)
    end = {"": "end", "records": len(rows), "sha256": hashlib.sha256(plain).digest(), "inputs": [],
           "sealed": False}
    plain += cbor2.dumps(end, canonical=True)
    return zstandard.ZstdCompressor(write_checksum=True).compress(plain)


def numbers(value):
    """A typed array (RFC 8746, little-endian) as a list."""
    kind = {64: "B", 69: "H", 70: "I", 85: "f", 86: "d"}[value.tag]
    return list(struct.unpack(f"<{len(value.value) // struct.calcsize(kind)}{kind}", value.value))
