"""Reads our streams with Debian's python3-zstandard and python3-cbor2, knowing nothing else of us."""
import io

import cbor2
import zstandard


def records(data):
    """Header and records of a whole stream; fails without its end map."""
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True)
    plain = io.BytesIO(reader.read())
    header = cbor2.load(plain)
    header = header.value if isinstance(header, cbor2.CBORTag) else header
    items = []
    while plain.tell() < len(plain.getbuffer()):
        items.append(cbor2.load(plain))
    end = items.pop()
    assert end["records"] == len(items), end
    return header, items
