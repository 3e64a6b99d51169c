#!/usr/bin/python3
"""What is not what its name says is called by its name: as a table, a stream, weights, a config, a tokenizer,
a model, an adapter. And what only looks like it is taken."""
import gzip
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, root, run, write  # noqa: E402

scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


def says(done, what, code=65):
    text = done.stderr.decode(errors="replace")
    return done.returncode == code and what in text and text.count("\n") == 1 and not done.stdout


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in members.items():
            z.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return out.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 666776\n"
THINGS = {
    "a git-lfs pointer": LFS,
    "a web page": b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
    "an XML document": b"\xef\xbb\xbf<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
    "a pickle": pickle.dumps({"weight": [1.0]}, protocol=2),
    "compressed with xz": b"\xfd7zXZ\0\0\4",
    "compressed with bzip2": b"BZh91AY&SY" + bytes(16),
    "a 7-Zip archive": b"7z\xbc\xaf\x27\x1c\0\4",
    "a RAR archive": b"Rar!\x1a\x07\x01\0",
    "a GGUF file": b"GGUF\3\0\0\0" + bytes(16),
    "an ONNX model": b"\x08\x08\x12\x07pytorch\x1a\x052.1.0",
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(8),
    "a NumPy array": b"\x93NUMPY\x01\0",
    "a Parquet file": b"PAR1\x15\4\x15\x10",
    "a PDF document": b"%PDF-1.7\n%\xe2\xe3\n",
    "an SQLite database": b"SQLite format 3\0\x10\0",
    "UTF-16": "text,label\na,b\n".encode("utf-16"),
}
PACKED = {
    "compressed with gzip": gzip.compress(b"{}"),
    "a pickle": zipped(archive__data_dot_pkl=b"\x80\2}q\0."),
    "a zip archive": zipped(config_dot_json=b"{}"),
}

for what, content in THINGS.items():
    path = write("news.csv", content)
    wrong = [(c, d.stderr) for c in (["split-stratified", "--train", ".5", "--test", ".5"], ["promptify", "-t", write("t.txt", b"{text}")])
             for d in [run(*c, path)] if not says(d, "news.csv: is " + what)]
    check(f"{what} as a table", not wrong, wrong)
    inner = write("news.zip", zipped(news_dot_csv=content))
    check("... in an archive", says(d := run("promptify", "-t", "t.txt", inner), f"{inner}/news.csv: is {what}"), d.stderr)

for what, content in {**THINGS, **PACKED}.items():
    check(f"{what} as a stream", says(d := run("score", write("x.zst", content)), f"x.zst: not a record stream: it is {what}"), d.stderr)
    check("... on a pipe", says(d := run("peek", "--count", data=content), f"it is {what}"), d.stderr)
    if what != "a GGUF file":  # these are weights, under any name
        check(f"{what} as weights", says(d := run("peek", "--tensors", write("x.safetensors", content)), f"x.safetensors: is {what}"), d.stderr)
    check(f"{what} as a tokenizer", says(d := run("tokenize", "--lines", "-m", write("tokenizer.json", content), data=b"a\n"),
                                         f"not JSON but {what}"), d.stderr)

subprocess.run(["mkmodel", "--vocab", "512", "--tokenizer", os.path.join(root, "pipelines", "tiny"), "-o", "m"], check=True)
for what in ("a git-lfs pointer", "a web page", "compressed with gzip"):
    content = {**THINGS, **PACKED}[what]
    for name, command in (("config.json", ["quantize-nf4", "broken", "-o", "q/"]), ("model.safetensors", ["quantize-nf4", "broken", "-o", "q/"]),
                          ("generation_config.json", ["predict", "-m", "broken", "none.zst"])):
        shutil.copytree("m", "broken", dirs_exist_ok=True)
        write(f"broken/{name}", content)
        d = run(*command)
        check(f"{what} as {name}", name in d.stderr.decode() and what in d.stderr.decode() and d.returncode == 65 and not os.path.exists("q"), d.stderr)
        shutil.rmtree("broken")
for name in ("vocab.json", "merges.txt"):
    os.makedirs("old", exist_ok=True)
    write("old/vocab.json", json.dumps({chr(c): i for i, c in enumerate([*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)])}).encode())
    write("old/merges.txt", b"#version: 0.2\n")
    write(f"old/{name}", LFS)
    check(f"a git-lfs pointer as {name}", says(d := run("tokenize", "--lines", "-m", "old", data=b"a\n"), "a git-lfs pointer"), d.stderr)
    shutil.rmtree("old")
os.mkdir("a")
write("a/adapter_config.json", LFS)
write("a/adapter_model.safetensors", LFS)
check("a git-lfs pointer as an adapter", says(d := run("peek", "--tensors", "a"), "adapter_model.safetensors: is a git-lfs pointer"), d.stderr)
for what in ("a git-lfs pointer", "a web page", "a 7-Zip archive"):
    for command in (["peek", "--tensors", "m.tar.zst"], ["tokenize", "--lines", "-m", "m.tar.zst"], ["predict", "-m", "m.tar.zst"]):
        write("m.tar.zst", THINGS[what])
        check(f"{what} as a model: {command[0]}", says(d := run(*command, data=b"a\n"), f"m.tar.zst: is {what}"), d.stderr)

# what only looks like it
for name, content in {"a header PAR1": b"PAR1,text,label\n1,one,a\n2,two,b\n", "a header GGUF": b"GGUF,text,label\n1,one,a\n2,two,b\n",
                      "web pages as texts": b"text,label\n<html>one,a\n<!doctype html>two,b\n"}.items():
    d = run("promptify", "-t", "t.txt", "-o", "p.zst", "--force", write("ok.csv", content))
    check(f"{name} is a table", d.returncode == 0 and run("peek", "--count", "p.zst").stdout == b"2\n", d.stderr)
d = run("promptify", "-t", "t.txt", "--lines", "-o", "p.zst", "--force", write("page.html", THINGS["a web page"]))
check("lines of a web page are lines", d.returncode == 0 and run("peek", "--count", "p.zst").stdout in (b"2\n", b"3\n"), d.stderr)

# files of a model as editors save them, and numbers as only some programs spell them
plain = run("peek", "--tensors", "m").stdout
shutil.copytree("m", "marked")
for name in sorted(os.listdir("m")):
    if name.endswith(".json"):
        with open(f"m/{name}", "rb") as f:
            write(f"marked/{name}", b"\xef\xbb\xbf" + f.read().replace(b"\n", b"\r\n"))
d = run("quantize-nf4", "marked", "-o", "q.tar")
check("byte order marks in a model's JSON", d.returncode == 0, d.stderr)
ids = [run("tokenize", "--lines", "-m", m, data=b"Profit rose\n") for m in ("m", "marked")]
check("... and its tokenizer's", [x.returncode for x in ids] == [0, 0], ids)
write("old.json", json.dumps({chr(c): i for i, c in enumerate([*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)])}).encode())
os.mkdir("old")
with open("old.json", "rb") as f:
    write("old/vocab.json", b"\xef\xbb\xbf" + f.read())
write("old/merges.txt", b"\xef\xbb\xbf#version: 0.2\r\n")
check("... in vocab.json and merges.txt", (d := run("tokenize", "--lines", "-m", "old", data=b"a\n")).returncode == 0, d.stderr)


def weights(shape, offsets=b"[0, 16]", metadata=b""):
    header = b'{' + metadata + b'"a": {"dtype": "F32", "shape": ' + shape + b', "data_offsets": ' + offsets + b"}}"
    return run("peek", "--tensors", write("n.safetensors", struct.pack("<Q", len(header)) + header + bytes(16)))


for shape in (b"[4]", b"[2, 2]", b"[ 4 ]"):
    check(f"a shape {shape}", (d := weights(shape, metadata=b'"__metadata__": {"shape": "[4.0]"}, ')).returncode == 0, d.stderr)
for shape in (b"[2.0, 2]", b"[2, 2e0]", b"[0.4e1]", b"[4.]", b"[-4]", b'["4"]'):
    check(f"a shape {shape}", (d := weights(shape)).returncode == 65 and not d.stdout and d.stderr.count(b"\n") == 1, d.stderr)
check("offsets [0, 1.6e1]", says(d := weights(b"[4]", b"[0, 1.6e1]"), "its 'data_offsets' is not spelt in whole numbers"), d.stderr)
header = b"{" + b",".join(b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % i for i in range((1 << 18) + 1)) + b"}"
check("too many tensors", says(d := run("peek", "--tensors", write("n.safetensors", struct.pack("<Q", len(header)) + header)), "more than 262144 tensors"), d.stderr)
write("m/config.json", b"[" + b"0," * ((1 << 23) + 1) + b"0]")
check("too many values", says(d := run("quantize-nf4", "m", "-o", "none/"), "more than 8388608 values"), d.stderr)
finish()
