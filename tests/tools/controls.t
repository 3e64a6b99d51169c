#!/usr/bin/python3
"""Control characters of the data do not reach a terminal: C0, DEL, C1, and those that turn the direction
of writing. Files and pipes get every view to the byte; error lines have none anywhere."""
import json
import os
import pty
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish  # noqa: E402

EVIL = ["\x1b[2J", "\x07", "\x08", "\x0b", "\r", "\x7f", "\x85", "\x9b31m", "\x9d0;x\x9c", "\u202e", "\u2066", "\u2069"]
FINE = ["é", "中", "\u00a0", "\u200f", "\u2028", "😀", "שלום"]
TEXT = "a\tb" + "".join(e + "." for e in EVIL) + "".join(FINE)


def bad_in(data):
    """What a terminal might obey in the bytes; lines may end in CR LF there."""
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return [c for c in text if (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f" or c in "\u202e\u2066\u2069"
            or "\udc80" <= c <= "\udc9f"]


def on_terminal(*command):
    main, side = pty.openpty()
    with subprocess.Popen(command, stdout=side, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as p:
        os.close(side)
        data = b""
        while True:
            try:
                part = os.read(main, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            data += part
        err = p.stderr.read()
    os.close(main)
    return p.returncode, data, err


folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)
record = {"id": 0, "text": TEXT, "label": TEXT, TEXT: 1, "pred": "none"}
subprocess.run(["peek", "--from-jsonl", "--kind", "predictions", "-o", "s.zst"], input=json.dumps(record).encode(), check=True)
views = [["--jsonl"], ["--jsonl", "--with-header"], ["--text", "text"], ["--tsv", "text," + TEXT], ["--csv", "label"],
         ["--header"], ["--chain"], ["--verify"]]
for view in views:
    piped = subprocess.run(["peek", *view, "s.zst"], capture_output=True, check=True).stdout
    rc, shown, err = on_terminal("peek", *view, "s.zst")
    check(f"peek {view[0]} on a terminal", rc == 0 and not bad_in(shown) and (len(shown) > 20), (rc, shown, err))
    if view[0] in ("--jsonl", "--text", "--tsv", "--csv"):
        check(f"peek {view[0]} in a pipe is exact", "\x9b31m".encode() in piped and "\u202e".encode() in piped, piped)
rc, shown, err = on_terminal("peek", "--jsonl", "s.zst")
check("what a terminal gets of --jsonl is JSON of the same", json.loads(shown) == record, shown)
check("text that is none of these is as it was", "".join(FINE).encode() in shown, shown)
for report in ([], ["--tsv"]):
    rc, shown, err = on_terminal("score", *report, "s.zst")
    ours = re.sub(rb"\x1b\[(48;5;[0-9]+;38;5;[0-9]+|0)m", b"", shown)    # shades of the matrix
    check(f"score {report} on a terminal", rc == 0 and not bad_in(ours), (rc, shown, err))
    rc, shown, err = on_terminal("env", "NO_COLOR=1", "score", *report, "s.zst")
    check("... and without colours", rc == 0 and not bad_in(shown), (rc, shown, err))

name = "no-\x1b[2J\x9b31m\u202e-such"
open("t.txt", "w").write("{text} {completion}")
open("verbalizer", "w", encoding="utf-8", newline="").write(f"{TEXT}\t\nup\tup\n")
errors = [
    ["peek", name], ["peek", b"no-\x9b-\xe9-such"], ["score", name], ["promptify", "-t", name], ["promptify", "-t", "t.txt", name],
    ["split-stratified", name], ["tokenize", "-m", name, name], ["peek", "--text", name, "s.zst"], ["peek", f"--{name}"],
    ["score", "--require", f"{name}>=0", "s.zst"], ["score", "--labels", name, "--labels", "x", "s.zst"],
    ["promptify", "-t", "t.txt", "--verbalizer", "verbalizer", "s.zst"],
    ["peek", "--from-jsonl", "--labels", "up", "--labels", "x", "evil.jsonl"],
]
open("evil.jsonl", "w").write(json.dumps({"label": TEXT}) + "\n")
for command in errors:
    p = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    line = p.stderr
    check(f"the error line of {command[0]}",
          p.returncode not in (0, 1) and line.count(b"\n") == 1 and not bad_in(line), (command, line))
rows = "".join(f'"{e}","{TEXT}"\n' for e in ("a", "b", "c", "a", "b", "c")).replace("\r", " ")
open("rows.csv", "w", encoding="utf-8", newline="").write("text,label\n" + rows)
p = subprocess.run(["split-stratified", "--audit", "--train", ".5", "--test", ".5", "rows.csv", "-o", "split.zst"], capture_output=True)
check("an audit", p.stderr.count(b"row 1") and not bad_in(p.stderr), p.stderr)
line = subprocess.run(["peek", "é中-\x85.zst".encode() + b"\xe9"], capture_output=True).stderr
check("the rest of a name is as it is, bytes of other encodings too", "é中-?.zst".encode() + b"\xe9" in line, line)
finish()
