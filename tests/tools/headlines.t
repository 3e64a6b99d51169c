#!/usr/bin/python3
"""share/data/headlines.csv keeps what the guide beside it promises: its sizes, texts that are clean and
unlike each other, no word that gives the label away; and split-stratified reads it without a warning."""
import collections
import csv
import io
import math
import os
import re
import subprocess
import sys
import tempfile
import unicodedata

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from tap import check, finish, root  # noqa: E402

table = os.path.join(root, "share/data/headlines.csv")
LABELS = open(os.path.join(root, "share/labels/financial-sentiment"), encoding="utf-8").read().split()
CUES = ("rose fell profit loss losses sales orders order costs cost debt prices record lower higher up down "
        "cut dividend shares growth increased new plant expects strong weak not no report margin").split()


def words(text):
    return re.findall(r"[^\W_]+(?:[.,'’-][^\W_]+)*", text.lower())


def unclean(text):
    return (text != text.strip() or "  " in text or unicodedata.normalize("NFC", text) != text
            or any(unicodedata.category(c)[0] == "C" for c in text) or re.search(r" [.,;:%]|\s\s|[^\S ]", text))


def five_grams(texts):
    for text in texts:
        w = words(text)
        yield from (tuple(w[i:i + 5]) for i in range(len(w) - 4))


def lopsided(rows):
    """The cue words that stand in one class only, or, if 12 texts have one, to more than 85 % in one."""
    found = {}
    for cue in CUES:
        count = collections.Counter(label for label, text in rows if cue in words(text))
        n = sum(count.values())
        if len(count) < 2 or (n >= 12 and max(count.values()) > 0.85 * n):
            found[cue] = dict(count)
    return found


def by_words_alone(rows, folds=5):
    """The share that naive Bayes over the words gets right, trained on the other folds."""
    seen = collections.Counter()
    fold = []
    for label, _ in rows:
        fold.append(seen[label] % folds)
        seen[label] += 1
    right = 0
    for k in range(folds):
        count = {label: collections.Counter() for label in LABELS}
        for (label, text), f in zip(rows, fold):
            if f != k:
                count[label].update(set(words(text)))
        known = len(set().union(*count.values()))
        total = {label: sum(count[label].values()) + known for label in LABELS}
        for (label, text), f in zip(rows, fold):
            if f == k:
                right += label == max(LABELS, key=lambda c: sum(
                    math.log((count[c][w] + 1) / total[c]) for w in set(words(text))))
    return right / len(rows)


raw = open(table, "rb").read()
text = raw.decode("utf-8", errors="replace")
check("UTF-8 without a byte order mark, rows end with LF",
      text.encode() == raw and raw.isascii() is False and text[0] != "\ufeff" and b"\r" not in raw and raw[-1:] == b"\n")
parsed = list(csv.reader(io.StringIO(text, newline=""), strict=True))
written = io.StringIO()
csv.writer(written, lineterminator="\n").writerows(parsed)
check("quoted where it must be and nowhere else", written.getvalue() == text)
check("the columns are label and text", parsed[0] == ["label", "text"] and all(len(r) == 2 for r in parsed), parsed[0])
rows = [tuple(r) for r in parsed[1:]]
texts = [t for _, t in rows]
per_label = collections.Counter(label for label, _ in rows)
check("900 rows, 300 of each label of financial-sentiment", per_label == {label: 300 for label in LABELS}, per_label)
check("no text is there twice, in whatever letters", len({" ".join(words(t)) for t in texts}) == len(rows))
check("no control characters, no double or outer spaces, composed letters", not any(map(unclean, texts)),
      [t for t in texts if unclean(t)][:3])
lengths = [len(t.split()) for t in texts]
check("6 to 45 words, short and long ones", (min(lengths), max(lengths)) == (6, 45) and
      sum(n < 11 for n in lengths) > 45 and sum(n > 24 for n in lengths) > 45, (min(lengths), max(lengths)))
length = {label: sum(n for n, r in zip(lengths, rows) if r[0] == label) / 300 for label in LABELS}
check("no label's texts are longer than another's by a tenth", max(length.values()) < 1.1 * min(length.values()), length)
grams = collections.Counter(five_grams(texts))
shared = sum(n for n in grams.values() if n > 1)
check("under 2 % of the runs of five words are in more than one text", shared < 0.02 * sum(grams.values()),
      f"{shared} of {sum(grams.values())}")
firsts = collections.Counter(tuple(words(t)[:3]) for t in texts)
check("few texts begin with the same three words", max(firsts.values()) <= 4, firsts.most_common(3))
check("every run of 30 rows has all labels", all(len({r[0] for r in rows[i:i + 30]}) == 3 for i in range(0, 900, 30)))
check("no cue word gives the label away", not lopsided(rows), lopsided(rows))
rate = by_words_alone(rows)
check("words alone get more than half right and less than three quarters", 0.5 < rate < 0.75, rate)

guide = open(os.path.join(root, "share/data/headlines.md"), encoding="utf-8").read()
quoted = re.findall(r'"([^"]{15,}?)"', " ".join(guide.split()))
check("what the guide quotes is in the data", len(quoted) > 6 and not [q for q in quoted if q not in text],
      [q for q in quoted if q not in text])
check("the guide names the licence", "CC0 1.0 Universal" in guide)

with tempfile.TemporaryDirectory() as scratch:
    out = os.path.join(scratch, "split.zst")
    split = ["split-stratified", "--audit", "--per-class", "--train", "200", "--test", "50", "--eval", "40", table]
    done = subprocess.run(split + ["-o", out], capture_output=True, text=True)
    check("split-stratified reads it without a warning, and its audit finds nothing",
          done.returncode == 0 and done.stderr == "split-stratified: audit: rows=900 labels=3 duplicates=0 conflicts=0 "
          "overlap=0\n", (done.returncode, done.stderr))
    listed = subprocess.run(["peek", "--tsv", "split,label", out], capture_output=True, text=True).stdout
    parts = collections.Counter(listed.split("\n")[1:-1])
    wanted = {f"{part}\t{label}": n for part, n in (("train", 200), ("test", 50), ("eval", 40)) for label in LABELS}
    check("200, 50 and 40 of each label", parts == wanted, parts)
    peeked = subprocess.run(["peek", "--header", out], capture_output=True, text=True).stdout
    check("its labels stand in the order of the set", '"labels": ["positive", "neutral", "negative"]' in peeked, peeked)
    asked = subprocess.run(["promptify", "-t", "financial-sentiment", out, "-o", os.path.join(scratch, "prompts.zst")],
                           capture_output=True, text=True)
    check("the template of that name takes it", asked.returncode == 0 and not asked.stderr, asked.stderr)
    plan = subprocess.run(["make", "-s", "-n", "install", f"DESTDIR={scratch}"], cwd=root, capture_output=True, text=True,
                          env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}).stdout
    check("make install takes it along", re.search(r"cp -R [^\n]*share/data\b", plan), plan[-300:])
finish()
