#!/usr/bin/python3
"""Streams that are wrong in one way each, with every checksum right: refused with one line, exit 65
and no output, before memory is taken for what they promise."""
import gzip
import hashlib
import os
import resource
import subprocess
import sys
import tempfile

import cbor2
import zstandard

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, root  # noqa: E402

SEAL = bytes.fromhex("5e2a4d1820000000")
HEADER = {"format": "slmtools stream", "version": 1, "kind": "examples", "chain": []}
RECORD = b"\xa1\x61a\x01"


def frame(content, **parameters):
    p = zstandard.ZstdCompressionParameters.from_level(1, write_checksum=True, **parameters)
    c = zstandard.ZstdCompressor(compression_params=p).compressobj()  # the size stays unknown: so the window stays
    return c.compress(content) + c.flush()


def promising(content):
    """A frame whose first block promises a seal."""
    c = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    first = c.compress(content[:3]) + c.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    assert first[6:] == b"\x18\0\0" + content[:3]
    return first + c.compress(content[3:]) + c.flush()


def header(**changes):
    return b"\xd9\xd9\xf7" + cbor2.dumps({k: v for k, v in {**HEADER, **changes}.items() if v is not None})


def end(before, records=1, **changes):
    e = {"": "end", "inputs": [], "records": records, "sha256": hashlib.sha256(before).digest(), **changes}
    return cbor2.dumps({k: v for k, v in e.items() if v is not None})


def stream(body=RECORD, head=None, tail=b"", **changes):
    before = (header() if head is None else head) + body
    return frame(before + end(before, **changes) + tail)


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def peek(data, *options):
    return subprocess.run(["peek", *options], input=data, capture_output=True, preexec_fn=LIMIT)


def refused(name, data, says, code=65):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        got = peek(data, "--jsonl", "-o", out)
        text = got.stderr.decode()
        ok = got.returncode == code and text.count("\n") == 1 and says in text and not os.listdir(folder)
        check(name, ok, f"exit {got.returncode}: {text} {os.listdir(folder)}")


def taken(name, data, wants=b'{"a": 1}\n'):
    got = peek(data, "--jsonl")
    check(name, got.returncode == 0 and got.stdout == wants, f"exit {got.returncode}: {got.stderr} {got.stdout[:200]}")


# The sanitizers reserve terabytes of addresses: there the limit would stop the program itself.
LIMIT = None if "asan" in os.environ.get("BUILD", "") else limit_memory

good = header() + RECORD
whole = good + end(good)
taken("a plain stream", stream())
taken("two frames", frame(whole[:30]) + frame(whole[30:]))
taken("an empty frame between", frame(whole[:30]) + frame(b"") + frame(whole[30:]))
taken("a foreign skippable frame", frame(whole) + b"\x50\x2a\x4d\x18\x03\0\0\0abc")
taken("skippable frames between", frame(whole[:30]) + b"\x50\x2a\x4d\x18\x03\0\0\0abc" + frame(whole[30:]))
taken("a seal", (s := promising(whole)) + SEAL + hashlib.sha256(s).digest())
taken("a seal that is not promised", (s := frame(whole)) + SEAL + hashlib.sha256(s).digest())
taken("unknown keys in header and end", stream(head=header(more=[1, {"x": 2}]), other={"y": 1}))
taken("an integer longer than needed", stream(b"\xa1\x61a\x19\x00\x01"))
taken("a wide window", frame(whole, window_log=27))
taken("a window that zstd wants to be asked for", frame(whole, window_log=28))
taken("skippable frames first, as pzstd puts them", b"\x50\x2a\x4d\x18\x04\0\0\0\x40\0\0\0" + frame(whole))
taken("the table of the seekable format", frame(whole) + SEAL[:4] + b"\x11\0\0\0" + b"x" * 17)
taken("16 levels", stream(b"\xa1\x61a" + b"\x81" * 16 + b"\x01"), b'{"a": ' + b"[" * 16 + b"1" + b"]" * 16 + b"}\n")

refused("no zstd", b"text,label\n", "does not begin with a zstd frame")
refused("zstd of something else", frame(b"text,label\nx,y\n"), "not a record stream")
refused("an empty frame only", frame(b""), "not a record stream")
if LIMIT:
    refused("a window that there is no memory for", frame(whole, window_log=31), "its zstd window has 2048 MiB", 71)
refused("a window of more than 2 GiB", frame(whole, window_log=31).replace(b"\xa8", b"\xa9", 1), "zstd")
refused("skippable frames only", b"\x50\x2a\x4d\x18\x04\0\0\0\x40\0\0\0", "not a record stream")
refused("a seal that is missing before another's table", promising(whole) + SEAL[:4] + b"\x11\0\0\0" + b"x" * 17, "the seal is missing")
refused("compressed with gzip", gzip.compress(whole), "it is compressed with gzip")
refused("a header without its tag", stream(head=header()[3:]), "not a record stream")
refused("another tag", stream(head=b"\xd9\xd9\xf8" + header()[3:]), "not a record stream")
refused("another format", stream(head=header(format="x")), "format is not")
refused("a later version", stream(head=header(version=2)), "format version 2; this program knows version 1")
refused("a version that is a text", stream(head=header(version="1")), "'version' is a text")
refused("an unknown kind", stream(head=header(kind="songs")), "unknown kind 'songs'")
for key in HEADER:
    refused(f"a header without {key}", stream(head=header(**{key: None})), f"no '{key}'")
refused("a label twice", stream(head=header(labels=["a", "b", "a"])), "label 'a' twice")
refused("a label that is a number", stream(head=header(labels=["a", 1])), "the header: one of the labels: is an unsigned")
refused("labels that are a text", stream(head=header(labels="a")), "the header: field 'labels' is a text; it should be an array")
refused("a label with a zero byte", stream(head=header(labels=["a", "b\0"])), "holds a zero byte")
refused("fewer answers than labels", stream(head=header(labels=["a", "b"], answers=[" a"])), "1 answers for 2 labels")
refused("answers without labels", stream(head=header(answers=[" a"])), "1 answers for 0 labels")
refused("a header key twice", stream(head=b"\xd9\xd9\xf7\xa6" + cbor2.dumps(HEADER)[1:] + b"\x64kind\x66tokens" * 2), "the header: field 'kind' is there twice")
refused("a header with 2^63 keys", frame(b"\xd9\xd9\xf7\xbb\x80" + b"\0" * 7), "larger than 64 MiB")

# The digest is told, and its key is longer than it needs to be: the text must outlive what it is read with.
other = header(kind="tokens", chain=[{"tool": "x", "options": [], "version": "1", "tokenizer": "abcd" * 16}])
other = stream(b"\xa1\x63ids\xd8\x45\x42\x01\x00", other.replace(b"\x69tokenizer", b"\x78\x09tokenizer"))
got = subprocess.run(["tokenize", "--decode", "-m", os.path.join(root, "pipelines/tiny")], input=other, capture_output=True)
check("the tokenizer of a chain", got.returncode == 65 and b"another tokenizer (abcdabcd...)" in got.stderr, got.stderr)

refused("a field twice", stream(b"\xa2\x61a\x01\x61a\x02"), "field 'a' is there twice")
refused("a field without a name", stream(b"\xa2\x61a\x01\x60\x02"), "name is empty")
refused("a field named by a number", stream(b"\xa1\x01\x02"), "must be a text")
refused("a record that is an array", stream(b"\x81\x01"), "an array where a record should be")
refused("a record that is tagged", stream(b"\xd9\xd9\xf7\xa0"), "a tagged value where a record should be")
refused("an indefinite map", stream(b"\xbf\x61a\x01\xff"), "indefinite length")
refused("an indefinite array", stream(b"\xa1\x61a\x9f\x01\xff"), "field 'a': an indefinite length")
refused("an indefinite text", stream(b"\xa1\x61a\x7f\x61x\xff"), "indefinite length")
refused("a name that is no UTF-8", stream(b"\xa1\x61\xff\x01"), "not valid UTF-8")
refused("a text that is no UTF-8", stream(b"\xa1\x61a\x62\xc0\x80"), "not valid UTF-8")
refused("a surrogate", stream(b"\xa1\x61a\x63\xed\xa0\x80"), "not valid UTF-8")
refused("no UTF-8 deep inside", stream(b"\xa1\x61a\x81\xa1\x01\x61\xff"), "not valid UTF-8")
refused("a reserved head", stream(b"\xa1\x61a\x1c"), "no CBOR item")
refused("an unassigned simple value", stream(b"\xa1\x61a\xf0"), "no CBOR item")
refused("17 levels", stream(b"\xa1\x61a" + b"\x81" * 17 + b"\x01"), "nested more than 16")
refused("17 tags", stream(b"\xa1\x61a" + b"\xc1" * 17 + b"\x01"), "nested more than 16")
refused("a million levels", stream(b"\xa1\x61a" + b"\x81" * 1000000 + b"\x01"), "nested more than 16")
refused("1,025 fields", stream(cbor2.dumps({str(i): i for i in range(1025)})), "more than 1024 fields")
refused("2^32 fields", stream(b"\xbb\0\0\0\x01\0\0\0\0"), "larger than 64 MiB")
refused("a byte string of 2^64-1", stream(b"\xa1\x61a\x5b" + b"\xff" * 8), "larger than 64 MiB")
refused("a text of 1 GiB", stream(b"\xa1\x61a\x7a\x40\0\0\0"), "larger than 64 MiB")
refused("an array of 2^60", stream(b"\xa1\x61a\x9b\x10" + b"\0" * 7), "larger than 64 MiB")
refused("a text that ends early", frame(good + b"\xa1\x61a\x65x"), "cut short inside a record")
refused("65 MiB that really come", stream(b"\xa1\x61a\x9a\0\1\x04\0" + (b"\x59\x03\xfd" + bytes(1021)) * (65 << 10)), "larger than 64 MiB")
for tag, what in (69, "uint16"), (70, "uint32"), (85, "float32"), (71, "uint64"):
    refused(f"half an element of {what}", stream(cbor2.dumps({"a": cbor2.CBORTag(tag, b"abc")})), what)
    refused(f"a {what} array that is a text", stream(cbor2.dumps({"a": cbor2.CBORTag(tag, "abcd")})), what)

refused("a chain that is a map", stream(head=header(chain={"tool": "x"})), "the header: field 'chain' is a map; it should be an array")
refused("a chain of texts", stream(head=header(chain=["x"])), "the header: the chain: a text where a record should be")
refused("a digest that is a text", stream(sha256="x" * 32), "'sha256' is not 32 bytes")
refused("an empty name alone", frame(good + b"\xa1\x60\x01"), "the end map's mark is not 'end'")
refused("no end map", frame(good), "ends after 1 records without an end map")
refused("a header only", frame(header()), "ends after 0 records without an end map")
refused("half an end map", frame(whole[:-5]), "cut short")
refused("a wrong count", stream(records=2), "counts 2 records, there are 1")
refused("a wrong digest", stream(sha256=b"x" * 32), "does not fit the records")
refused("a short digest", stream(sha256=b"x" * 31), "'sha256' is not 32 bytes")
refused("no digest", stream(sha256=None), "no 'sha256'")
refused("no count", stream(records=None), "no 'records'")
refused("another mark", frame(good + end(good).replace(b"\x63end", b"\x63End")), "not 'end'")
refused("a record behind the end", stream(tail=RECORD), "behind the end map")
refused("a byte behind the end", stream(tail=b"\0"), "behind the end map")
refused("a second stream behind", stream() + stream(), "behind the end map")
refused("bytes behind the frame", stream() + b"garbage", "zstd")
refused("a seal that is missing", promising(whole), "the seal is missing")
refused("a seal that does not fit", promising(whole) + SEAL + b"x" * 32, "does not fit")
refused("a seal that nobody promised and that does not fit", frame(whole) + SEAL + b"x" * 32, "does not fit")
refused("a seal with something behind", (s := frame(whole)) + SEAL + hashlib.sha256(s).digest() + b"x", "behind the seal")
refused("half a seal", promising(whole) + SEAL + b"x" * 10, "cut short in the seal")
refused("nothing at all", b"", "empty", 66)

def not_written(name, data, says, tool=("promptify", "-t", "financial-sentiment")):
    """The tool takes it, and would add what no reader takes."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        got = subprocess.run([*tool, "-o", out], input=data, capture_output=True)
        text = got.stderr.decode()
        check(name, got.returncode == 65 and text.count("\n") == 1 and says in text and not os.listdir(folder), text)


chain = [{"tool": "x", "version": str(i), "options": []} for i in range(1024)]
row = {"text": "a", "label": "positive", **{str(i): i for i in range(1022)}}
not_written("1,024 entries in the chain", stream(head=header(chain=chain), records=0, body=b""), "1024 programs")
not_written("1,024 fields", stream(cbor2.dumps(row)), "/out:#0: more than 1024 fields")
not_written("1,024 fields and a split", stream(cbor2.dumps(row)), "standard input:#0: more than 1024 fields", ("split-stratified",))
finish()
