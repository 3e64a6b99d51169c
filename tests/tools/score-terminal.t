#!/usr/bin/python3
"""score on a terminal: bars and shades, no line longer than it is wide, NO_COLOR and TERM=dumb respected, and the plain
report through a pipe."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import unicodedata

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish  # noqa: E402


def on_terminal(columns, *words, **env):
    """What a terminal so wide gets; progress is not looked at."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG", "COLUMNS")}
    child = subprocess.Popen(words, stdout=slave, stderr=subprocess.DEVNULL,
                             env={**clean, "TERM": "xterm", "LANG": "C.UTF-8", **env})
    os.close(slave)
    out = b""
    while True:
        try:
            got = os.read(master, 65536)
        except OSError:
            break
        if not got:
            break
        out += got
    assert child.wait() == 0
    os.close(master)
    return out.decode().replace("\r\n", "\n")


def width(line):
    line = re.sub("\033\\[[0-9;]*m", "", line)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def widest(text):
    return max(width(line) for line in text.split("\n"))


def write(path, labels, rows):
    text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows)
    options = [word for label in labels for word in ("--labels", label)]
    subprocess.run(["peek", "--from-jsonl", "--kind", "predictions", *options, "-o", path], input=text.encode(), check=True)
    return path


with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    few = ["up", "中立", "down"]
    a = write("before.zst", few, [{"id": i, "label": few[i % 3], "pred": few[i % 2]} for i in range(60)])
    b = write("after.zst", few, [{"id": i, "label": few[i % 3], "pred": few[i % 3] if i % 7 else "none"} for i in range(60)])
    many = [f"label-{i}" for i in range(100)]
    c = write("many.zst", many, [{"id": i, "label": many[i % 100], "pred": many[i * 7 % 100]} for i in range(500)])
    long = ["x" * 300, "y" * 300 + "\x1b[31m", "z"]
    d = write("long.zst", long, [{"id": i, "label": long[i % 3], "pred": long[i * i % 3]} for i in range(9)])

    plain = subprocess.run(["score", a], stdout=subprocess.PIPE, check=True).stdout.decode()
    check("a pipe gets no escapes and no bars", "\033" not in plain and "█" not in plain, plain)
    check("TERM=dumb: as through a pipe", on_terminal(80, "score", a, TERM="dumb") == plain)
    check("no TERM: as through a pipe", on_terminal(80, "score", a, TERM="") == plain)
    text = on_terminal(80, "score", a)
    check("bars and shades", "█" in text and "\033[48;5;" in text, text)
    check("every count of the matrix is there", re.search(r"up +\S* +10 .* +10 .* +0", text), text)
    uncoloured = on_terminal(80, "score", a, NO_COLOR="1")
    check("NO_COLOR: the same without escapes", uncoloured == re.sub("\033\\[[0-9;]*m", "", text), uncoloured)
    check("without UTF-8 bars are #", "####" in on_terminal(80, "score", a, LANG="C"))
    check("-o FILE is no terminal", on_terminal(80, "score", a, "-o", "out.txt") == "" and open("out.txt").read() == plain)
    check("--json is as ever", on_terminal(80, "score", "--json", a).startswith('{"n": 60,'))
    for columns in (40, 80, 132):
        for words in ([a], [b], ["--bootstrap", "20", a], [a, b], ["--by", "label", a], [c], [d]):
            text = on_terminal(columns, "score", *words)
            check(f"{columns} columns: score {' '.join(words)}", widest(text) <= columns, text)
        text = on_terminal(columns, "score", "--summary", a, b, c, d)
        check(f"{columns} columns: --summary", widest(text) <= columns and "accuracy" in text, text)
    text = on_terminal(40, "score", c)
    check("100 labels: the most frequent confusions", "100 labels do not fit" in text and re.search("5 +label-1 +label-7", text), text)
    check("a label is not obeyed", "\033[31m" not in on_terminal(80, "score", d))
    check("what is left out of a summary is told", "more columns: --tsv" in on_terminal(40, "score", "--summary", a, b))
    text = on_terminal(80, "score", "--bootstrap", "100", a, b)
    check("two runs: a bar each, and the sentence", text.count("█") > 20 and "is more often right than" in text, text)
finish()
