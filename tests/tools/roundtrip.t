#!/usr/bin/python3
"""What peek writes is read back to the same records: 1,000 random sets of records with hostile text as
JSON lines, CSV and TSV, all in one file and many in files of their own. Tables are also read by Python's
csv module."""
import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish  # noqa: E402

rng = random.Random(20251107)
folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)
open("t.txt", "w").write("{text}")

PIECES = ["\t", "\n", "\r", "\r\n", '"', '""', "'", ",", ";", "|", "\\", "\\t", "\\n", "\\\\", "\ufeff", "\u2028", "\u2029", "\u0085",
          "\u00a0", "\u200f", "\u202e", "שלום", "é", "e\u0301", "中文", "😀", "\U0010ffff", " ", "  ", "=cmd|' /C calc'!A0", "+1", "-1", "@x",
          "#", "sep=;", "null", "NaN", "true", "{", "}", "[1, 2]", "{text}", "\x01", "\x1b[1m", "\x7f", "\x9b", "0", "007", "1e5", "text",
          "label", "id", "<b>", "&amp;", "%s", "$(x)", "`x`", "\x0b", "\x0c", "\x1c", "a", "word", "more words here"]


def text(null=False):
    kind = rng.random()
    if kind < .06:
        return ""
    if kind < .08:
        return rng.choice(PIECES) * rng.randint(1, 3000)
    if kind < .3:
        return rng.choice(PIECES)
    return "".join(rng.choice(PIECES + ["\0"] * null) for _ in range(rng.randint(1, 12)))


def run(*command, data=b""):
    if data.startswith(b"('"):  # what failed before
        return data
    p = subprocess.run(command, input=data, capture_output=True)
    if p.returncode:
        return f"{command}: exit {p.returncode}: {p.stderr.decode()}".encode()
    return p.stdout


def lines(records):
    return "".join(json.dumps(r, ensure_ascii=rng.random() < .5) + "\n" for r in records).encode()


def parsed(out):
    try:
        return [json.loads(line) for line in out.decode().split("\n") if line]
    except ValueError:
        return out


def any_value(depth=0):
    kind = rng.randrange(10 if depth < 3 else 8)
    if kind < 3:
        return text(null=True)
    if kind == 3:
        return rng.choice([0, 1, 23, 24, 255, 65535, 65536, 2**32, 2**53 + 1, 2**63, 2**64 - 1, -1, -2**63])
    if kind == 4:
        return rng.choice([0.0, -0.0, 1.5, 1e-300, 1e300, 0.1, rng.random()])
    if kind < 8:
        return rng.choice([None, True, False])
    if kind == 8:
        return [any_value(depth + 1) for _ in range(rng.randrange(4))]
    return {text(null=True): any_value(depth + 1) for _ in range(rng.randrange(4))}


def json_record(i):
    r = {"id": i, "text": text(null=True)}
    for _ in range(rng.randrange(4)):
        r["_" + text(null=True)] = any_value()  # no field with a type of its own
    return r


def first_difference(got, want):
    if isinstance(got, bytes):
        return got
    bad = [(g, w) for g, w in zip(got, want) if g != w]
    return bad[:1] or (len(got), len(want))


# ---- JSON lines ----
sets = [[json_record(i) for i in range(rng.randint(1, 4))] for _ in range(1000)]
want = [r for s in sets for r in s]
stream = run("peek", "--from-jsonl", data=lines(want))
once = run("peek", "--jsonl", data=stream)
check("1,000 sets as JSON lines", parsed(once) == want, first_difference(parsed(once), want))
again = run("peek", "--jsonl", data=run("peek", "--from-jsonl", data=once))
check("the second time to the same bytes", once == again)

# ---- tables ----
COLUMNS = ["text", "label", "note", "more"]


def table_record(i):
    return {"id": i, "text": text(), "label": rng.choice(["up", "down"]) if rng.random() < .5 else text() or "x", "note": text(), "more": text()}


def read_back(path, *options):
    """The records that promptify makes of a table, without what it adds."""
    got = parsed(run("peek", "--jsonl", data=run("promptify", "-t", "t.txt", "--completion", "none", *options, path)))
    if not isinstance(got, bytes):
        for r in got:
            r.pop("prompt", None)
    return got


def by_python(data, delimiter):
    rows = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter, strict=True))
    return rows[0], rows[1:]


csv.field_size_limit(1 << 30)
sets = [[table_record(i) for i in range(rng.randint(1, 5))] for _ in range(1000)]
together = [r for s in sets for r in s]
for i, r in enumerate(together):
    r["id"] = i
stream = run("peek", "--from-jsonl", data=lines(together))
plain = [[r[c] for c in COLUMNS] for r in together]
for form, delimiter in (("csv", ","), ("tsv", "\t")):
    data = run("peek", f"--{form}", ",".join(COLUMNS), data=stream)
    head, rows = by_python(data, delimiter)
    bad = [(a, b) for a, b in zip(rows, plain) if a != b]
    check(f"1,000 sets as {form}, read by Python", head == COLUMNS and rows == plain, bad[:1] or len(rows))
    open(f"all.{form}", "wb").write(data)
    got = read_back(f"all.{form}", "--header", "yes", "--text", "text", "--label", "label")
    check(f"1,000 sets as {form}", got == together, first_difference(got, together))
    few = [r for r in together if r["label"] in ("up", "down")]
    open(f"few.{form}", "wb").write(run("peek", f"--{form}", "text,label,note", data=run("peek", "--from-jsonl", data=lines(few))))
    split = parsed(run("peek", "--jsonl", data=run("split-stratified", "--train", ".5", "--test", ".5", "--text", "text", "--label", "label",
                                                   "--header", "yes", f"few.{form}")))
    key = lambda r: (r["text"], r["label"], r["note"])  # noqa: E731
    check(f"{form} through split-stratified", not isinstance(split, bytes) and sorted(map(key, split)) == sorted(map(key, few)),
          first_difference(split, few))

bad = []
for i in range(int(os.environ.get("SETS", 60))):  # each a file of its own: nothing about it may be guessed wrong
    s = [dict(r, id=k) for k, r in enumerate(rng.choice(sets))]
    form = ("csv", "tsv")[i % 2]
    columns = ["text", "label"] + rng.sample(["note", "more"], rng.randrange(3))
    rng.shuffle(columns)
    open(f"one.{form}", "wb").write(run("peek", f"--{form}", ",".join(columns), data=run("peek", "--from-jsonl", data=lines(s))))
    want = [{k: v for k, v in r.items() if k in columns + ["id"]} for r in s]
    got = read_back(f"one.{form}", "--text", "text", "--label", "label")
    if got != want:
        bad.append((form, columns, first_difference(got, want)))
check("sets in files of their own", not bad, (len(bad), bad[:1]))
one = [{"id": i, "text": t} for i, t in enumerate(["", "a", "", " ", "\n", '"'])]
for form in ("csv", "tsv"):
    open(f"single.{form}", "wb").write(run("peek", f"--{form}", "text", data=run("peek", "--from-jsonl", data=lines(one))))
    got = read_back(f"single.{form}", "--header", "yes")
    check(f"a single column as {form}, empty values too", got == one, got)
zero = run("peek", "--csv", "text", data=run("peek", "--from-jsonl", data=b'{"text":"a\\u0000b"}\n'))
check("U+0000 is refused where a table would lose it", b"exit 65" in zero and b"field 'text': holds U+0000" in zero, zero)
finish()
