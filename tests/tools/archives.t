#!/usr/bin/python3
"""Tables, models and adapters in archives, as people, Macs and other programs make them, and as they arrive: cut, joined,
encrypted, with names in all languages, with more in them than anyone wants to unpack."""
import io
import os
import shutil
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import gzip
import sys

import zstandard

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, read, run, shared, skip  # noqa: E402

sanitized = "asan" in os.environ.get("BUILD", "")
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)
TABLE = b"text,label\n" + b"".join(b"Row %d rose,%s\n" % (i, (b"a", b"b")[i % 2]) for i in range(8))


def write(path, content):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)
    return path


def refused(d, code, says):
    text = d.stderr.decode(errors="replace")
    return d.returncode == code and says in text and text.count("\n") == 1 and not d.stdout


write("t.txt", b"{text}")


def prompts(path, *more, data=None, **env):
    return run("promptify", "-t", "t.txt", path, *more, data=data, **env)


def rows(path, *more, **env):
    """Number of prompts, as a file and on a pipe."""
    got = []
    for d in (prompts(path, *more, **env), prompts("-", *more, data=read(path), **env)):
        got.append(int(run("peek", "--count", data=d.stdout).stdout) if d.returncode == 0 else d.stderr.decode())
    return got


def taken(name, path, *more, n=8, **env):
    check(name, (got := rows(path, *more, **env)) == [n, n], got)


def not_taken(name, path, code, says, *more):
    check(name, refused(d := prompts(path, *more), code, says), d)
    check("... on a pipe", refused(d := prompts("-", *more, data=read(path)), code, says), d)


def zipped(path, members, method=zipfile.ZIP_DEFLATED, comment=b""):
    with zipfile.ZipFile(path, "w", method) as z:
        z.comment = comment
        for name, content in members.items():
            z.writestr(zipfile.ZipInfo(name) if name.endswith("/") else name, content)
    return path


def tarred(path, members, mode="w", format=tarfile.PAX_FORMAT):
    with tarfile.open(path, mode, format=format) as t:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                t.addfile(info)
            else:
                info.size = len(content)
                t.addfile(info, io.BytesIO(content))
    return path


# ---- names ----
for lang in ("C", "POSIX", "C.UTF-8", "xx_YY.ISO-8859-1"):
    taken(f"a name that is not ASCII, LC_ALL={lang}", zipped("z.zip", {"däta/néws 新闻.csv": TABLE}), LC_ALL=lang)
    taken("... in a tar", tarred("z.tar", {"däta/néws 新闻.csv": TABLE}), LC_ALL=lang)
taken("... in an old tar", tarred("z.tar", {"néws.csv": TABLE}, format=tarfile.GNU_FORMAT))
raw = read(zipped("raw.zip", {"n__ws.csv": TABLE})).replace(b"n__ws", b"n\x82ws-"[:5])
taken("a name of an old Windows", write("raw.zip", raw))
two = zipped("two.zip", {"néws.csv": TABLE, "other.csv": TABLE[:TABLE.index(b"Row 4")], "liste.txt": b"x"})
not_taken("two tables are named", two, 65, "holds 2 tables: 'néws.csv', 'other.csv'; choose one with --member")
taken("... and either can be chosen", two, "--member", "néws.csv")
taken("... the other", two, "--member", "other.csv", n=4)
not_taken("no member of that name", two, 66, "has no member 'news.csv'; it holds 'néws.csv', 'other.csv', 'liste.txt'", "--member", "news.csv")

# ---- what Macs add, and what is no file ----
mac = {"d/": b"", "d/news.csv": TABLE, "d/.DS_Store": b"\0\0\0\1Bud1", "__MACOSX/": b"", "__MACOSX/d/": b"", "__MACOSX/d/._news.csv": b"\0\5\x16\7"}
taken("a zip of a Mac", zipped("mac.zip", mac))
taken("a tar of a Mac", tarred("mac.tar", {"./._news.csv": b"\0\5\x16\7", "./news.csv": TABLE}))
not_taken("only what a Mac adds", zipped("macs.zip", {"__MACOSX/._news.csv": b"\0"}), 65, "holds no table (.csv, .tsv, .jsonl), it holds nothing")
not_taken("a table that is a link", tarred("link.tar", {"news.csv": "../other.csv"}), 65, "news.csv: is a link or a device")


def patched(path, flags=0, method=None, at=0):
    """A zip whose first file says that it is encrypted, or of another method."""
    b = bytearray(read(path))
    for magic, flag_at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        i = b.index(magic, at) + flag_at
        b[i] |= flags
        if method is not None:
            struct.pack_into("<H", b, i + 2, method)
    return write("patched.zip", bytes(b))


plain = zipped("plain.zip", {"news.csv": TABLE})
not_taken("an encrypted table", patched(plain, flags=1), 65, "news.csv: is encrypted; make the archive without a password")
not_taken("deflate64", patched(plain, method=9), 65, "deflation-64-bit")
not_taken("a method that nobody knows", patched(plain, method=77), 65, "ompression method")
taken("a zip with a comment", zipped("comment.zip", {"news.csv": TABLE}, comment=b"made by hand" * 100))
taken("a stored table", zipped("stored.zip", {"news.csv": TABLE}, zipfile.ZIP_STORED))

# ---- cut, joined, changed ----
tar = read(tarred("x.tar", {"a.txt": b"x" * 700, "news.csv": TABLE, "b.txt": b"y" * 5000}))
between = [1536, 2560, 2560 + 512 + 5120, 2560 + 512 + 5120 + 512]  # behind a.txt, the table, b.txt, and half of the end mark


def packings(content):
    yield "tar", content
    yield "tar.zst", zstandard.ZstdCompressor(write_checksum=True).compress(content)
    yield "tar.gz", gzip.compress(content)
    yield "frames.tar.zst", b"".join(zstandard.compress(content[i:i + 512]) for i in range(0, len(content), 512))


for how, content in packings(tar):
    taken(f"a whole {how}", write(f"whole.{how}", content))
for n in between:
    for how, content in packings(tar[:n]):
        for more in ((), ("--member", "news.csv")):
            not_taken(f"a {how} cut at {n} of {len(tar)} {' '.join(more)}", write(f"cut.{how}", content), 65, "no end mark: it is cut", *more)
for how, content in packings(tar):
    for n in (len(content) // 3, len(content) - 3):
        if how != "tar":
            check(f"a {how} of which {n} bytes are left", refused(d := prompts(write("c", content[:n])), 65, "get it again"), d)
not_taken("two tars in one", write("two.tar", tar + tar), 65, "something behind the archive's end")
not_taken("two compressed tars in one", write("two.tar.zst", b"".join(zstandard.compress(t) for t in (tar, tar))), 65, "something behind the archive's end")
whole = read(zipped("x.zip", {"a.txt": b"x" * 700, "news.csv": TABLE, "b.txt": os.urandom(5000)}))
directory = whole.index(b"PK\1\2")
for n in (directory - 2000, directory, directory + 30, len(whole) - 22, len(whole) - 2):
    not_taken(f"a zip of which {n} of {len(whole)} bytes are there", write("cut.zip", whole[:n]), 65, "")
not_taken("a zip without its directory", write("cut.zip", whole[:directory]), 65, "get it again")

# ---- zstd as others make it ----
skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc"
parts = [zstandard.compress(TABLE[:40]), zstandard.compress(TABLE[40:])]
taken("skippable frames before, between and behind", write("s.csv.zst", skippable + skippable.join(parts) + skippable))
taken("the table of the seekable format", write("k.csv.zst", b"".join(parts) + b"\x5e\x2a\x4d\x18\x11\0\0\0" + bytes(13) + b"\xb1\xea\x92\x8f"))


def long(content, log):
    c = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters.from_level(1, window_log=log)).compressobj()
    return c.compress(content) + c.flush()


taken("a window of 2 GiB", write("l.csv.zst", long(TABLE, 31)))
d = prompts("l.csv.zst", "-v")
check("... is told under -v", b"window of 2048 MiB" in d.stderr, d.stderr)
write("l.zst", long(subprocess.run(["zstd", "-dc"], input=prompts("plain.zip").stdout, capture_output=True).stdout, 31))
check("... of a stream", (d := run("peek", "--count", "l.zst")).stdout == b"8\n", d)

# ---- models ----
subprocess.run(["mkmodel", "--hidden", "32", "--heads", "2", "--layers", "1", "--vocab", "300", "-o", "m"], check=True)
model = {name: read(f"m/{name}") for name in sorted(os.listdir("m"))}
want = run("peek", "--tensors", "m").stdout


def under(folder, **more):
    return {**{f"{folder}{name}": content for name, content in model.items()}, **more}


def lists(name, path):
    for d in (run("peek", "--tensors", path, LC_ALL="C"), run("peek", "--tensors", "-", data=read(path), LC_ALL="C")):
        check(name, d.stdout == want, d.stderr)
        name = "... on a pipe"


for name, files in {
        "a model": under(""), "a model in a folder": under("phi/"), "a folder that is not ASCII": under("mödell/"),
        "beside a README": {"README.md": b"#", **under("phi/"), "license.txt": b"x"},
        "from a Mac": {"phi/": b"", **under("phi/"), "__MACOSX/": b"", "__MACOSX/phi/._config.json": b"\0", "phi/.DS_Store": b"\0"},
        "two folders deep": {"a/b/": b"", **under("a/b/")},
        "with checkpoints inside": {**under("phi/"), **under("phi/checkpoint-5/"), "phi/onnx/config.json": b"{}"}}.items():
    lists(f"{name}, zip", zipped("m.zip", files))
    lists(f"{name}, tar", tarred("m.tar", {n: c for n, c in files.items() if not n.endswith("/")}))
    lists(f"{name}, tar.gz", tarred("m.tar.gz", {n: c for n, c in files.items() if not n.endswith("/")}, "w:gz"))
d = run("peek", "--tensors", zipped("both.zip", {**under("phi/"), **under("ph2/")}))
check("two models are named", refused(d, 65, "holds two models, 'phi/' and 'ph2/'") or refused(d, 65, "holds two models, 'ph2/' and 'phi/'"), d)
for bad in ("../config.json", "/etc/config.json", "a/../../config.json"):
    check(f"a file called {bad}", refused(d := run("peek", "--tensors", tarred("m.tar", {**under(""), bad: b"{}"})), 65, "is not allowed"), d)
patch = patched(zipped("m.zip", under("m/")), flags=1)
check("an encrypted model", refused(d := run("peek", "--tensors", patch), 65, "config.json' is encrypted"), d)
whole = read(tarred("m.tar", under("m/")))
last = len(whole.rstrip(b"\0"))
last += -last % 512
offset = tarfile.open("m.tar").getmembers()[-1].offset
for n in (offset, last, last + 512):
    for how, content in packings(whole[:n]):
        if how == "frames.tar.zst":
            continue
        path = write(f"cut.{how}", content)
        check(f"a model's {how} cut at {n}", refused(d := run("peek", "--tensors", path), 65, "it is cut"), d)
        check("... on a pipe", refused(d := run("peek", "--tensors", "-", data=content), 65, "it is cut"), d)
        check("... as an adapter", refused(d := run("predict", "-m", "m", "-a", path, "none"), 65, "it is cut") or b"none: cannot open" in d.stderr, d)
empty = zipped("empty.zip", {})
check("a zip without files is no model", refused(d := run("peek", "--tensors", empty), 65, "empty.zip: is a zip without files"), d)
check("... nor a table", refused(d := run("split-stratified", empty), 65, "empty.zip: is a zip without files"), d)
check("... on a pipe", refused(d := run("split-stratified", "-", data=read(empty)), 65, "is a zip without files"), d)
z = read(zipped("m.zip", under("m/")))
for n in (z.index(b"PK\1\2"), len(z) - 5):
    check(f"a model's zip cut at {n}", refused(d := run("peek", "--tensors", write("cut.zip", z[:n])), 65, "zip without its end"), d)
    check("... on a pipe", refused(d := run("peek", "--tensors", "-", data=z[:n]), 65, "get it again"), d)

# ---- bombs, and what has no end ----


def promise(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


bombs = {"4 GiB of config.json": (promise("config.json", 4 << 30), "of JSON are more than the 256 MiB"),
         "six files of 2 GiB": (promise("x0.bin", 2 << 30), "more than 250 times as many")}
for name, (start, says) in bombs.items():
    path = write("bomb.tar.zst", zstandard.compress(start + bytes(1 << 20)))
    check(name, refused(d := run("peek", "--tensors", path), 65, says), d)
check("... a promise on a pipe, which keeps none", (d := run("peek", "--tensors", "-", data=read(path))).returncode == 65, d)
os.mkdir("big")
shutil.copytree("m", "big", dirs_exist_ok=True)
os.truncate("big/config.json", 4 << 30)
check("... in a folder", refused(d := run("quantize-nf4", "big", "-o", "q/"), 65, "of JSON are more than the 256 MiB"), d)
for device in ("/dev/zero", "/dev/null", "/dev/full"):
    check(f"-m {device}", refused(d := run("predict", "-m", device, "none"), 65, f"{device}: is a device"), d)
    check(f"-a {device}", (d := run("predict", "-m", "m", "-a", device, "none")).returncode in (65, 66) and d.stderr.count(b"\n") == 1, d)
check("-m /proc/self/mem", (d := run("predict", "-m", "/proc/self/mem", "none")).returncode in (65, 66) and d.stderr.count(b"\n") == 1, d)
for source in ("cat /dev/zero", "yes", "cat /dev/urandom", f"sh -c 'cat m.tar; cat /dev/zero'"):
    d = run("sh", "-c", f"{source} 2>/dev/null | timeout 20 predict -m - none")
    check(f"-m - of {source}", d.returncode == 65 and d.stderr.count(b"\n") == 1, d)
check("a table of /dev/zero", (d := run("timeout", "20", "promptify", "-t", "t.txt", "/dev/zero")).returncode in (65, 66) and not d.stdout, d)

# ---- a read that fails ----
FAIL = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
ssize_t read(int fd, void *to, size_t n)
{
    static int left = -1;

    if (left < 0)
        left = atoi(getenv("FAIL_READ"));
    if (fd > 2 && left-- == 0) {
        left = 0;
        errno = EIO;
        return -1;
    }
    return syscall(SYS_read, fd, to, n);
}
"""
if sanitized:
    skip("a read that fails", "the sanitizers come first")
else:
    write("fail.c", FAIL.encode())
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", "fail.so", "fail.c"], check=True)
    big = {"a.txt": os.urandom(3 << 20), "news.csv": TABLE, "b.txt": os.urandom(3 << 20)}
    for path in (zipped("r.zip", big), tarred("r.tar", big), tarred("r.tar.gz", big, "w:gz"), write("r.csv.gz", gzip.compress(TABLE)),
                 write("r.tar.zst", zstandard.compress(read("r.tar"))), write("r.csv.zst", zstandard.compress(TABLE))):
        got = set()
        for n in range(0, 40):
            d = prompts(path, LD_PRELOAD=os.path.abspath("fail.so"), FAIL_READ=str(n))
            got.add(d.returncode)
            if d.returncode == 0:
                break
            if not refused(d, 74, "cannot read: Input/output error"):
                got.add(d.stderr)
        check(f"a read of {path} that fails", got == {0, 74}, got)

# ---- the cases beside the project ----
field = os.path.join(shared, "cases", "field")
faults = os.path.join(shared, "cases", "faults")
if os.path.isdir(field) and os.path.isdir(faults):
    for name, n in (("z20-nonascii-name.zip", 8), ("z59-long31.jsonl.zst", 8)):
        taken(name, os.path.join(field, name), n=n)
    not_taken("z27", os.path.join(field, "z27-html.zip"), 65, "is a web page")
    not_taken("z50", os.path.join(field, "z50-two-one-nonascii.zip"), 65, "'néws.csv', 'other.csv'")
    for name in ("x01-model-macosx.zip", "x04-model-utf8-folder.zip"):
        d = run("peek", "--tensors", os.path.join(field, name))
        check(name, d.returncode == 0 and d.stdout.count(b"\n") > 10, d)
    check("y02", (d := run("peek", "--count", os.path.join(field, "y02-pzstd.zst"))).stdout == b"66\n", d)
    check("s16", refused(d := run("peek", "--tensors", os.path.join(field, "s16-lfs.safetensors")), 65, "a git-lfs pointer"), d)
    for name, says in (("x.cut.tar.zst", "it is cut"), ("mbomb.tar.zst", "of JSON"), ("multi.tar.zst", "250 times")):
        check(name, refused(d := run("peek", "--tensors", os.path.join(faults, name)), 65, says), d)
else:
    skip("the cases beside the project", f"{field} is not there")
finish()
