"""Random tables, written by Python's csv module in every dialect it has, and read back by split-stratified
and promptify: each comes back as it was, or with a warning, or is refused in one line.

csv-dialects.py FOLDER COUNT SEED [keep]: prints what went wrong, then a count of each outcome.
"""
import csv
import io
import json
import random
import subprocess
import sys
from pathlib import Path

WORDS = "profit rose fell sharply sales shrank text label news title orders up down margin worse better company".split()
NAMES = [("text", "label"), ("Text", "Label"), ("sentence", "sentiment"), ("utterance", "emotion"), ("comment_text", "toxic"),
         ("v2", "v1"), ("Body text", "Class"), ("what they said", "how it felt"), ("Tweet (en)", "rating/5"), ("q1", "q2"),
         ("alpha", "beta"), (" text ", " label"), ("0", "1"), ("text", "good"), ("review", "label"), ("speech", "mood")]
CLASSES = [["positive", "negative"], ["0", "1"], ["1", "2", "3", "4", "5"], ["good", "bad", "so-so"], ["label", "text"],
           ["very good", "not so good"], ["emotion", "joy", "anger"], ["ham", "spam"], ["grün", "blau"], ["+", "-"],
           ["a;b", "c|d"], ["x,y", "z"], ["sentiment", "rating/5", "toxic"], [" left", "right "], ['"quoted"', "plain"]]
HOSTILE = [",", ";", "|", "\t", '"', '""', "'", "\n", "\r\n", "\r", "\\", "\\n", "\\\\", '\\"', " ", "  ", "é", "日本", "☃", "{", "[", "#", "sep=;"]
USUAL = '"text","label"'


def sentence(r, words):
    return " ".join(r.choice(WORDS) for _ in range(words))


def text_maker(r):
    """One kind of text for all rows of a table."""
    kind = r.randrange(7)
    if kind == 0:
        return lambda: r.choice(WORDS)
    if kind == 1:
        return lambda: str(r.randrange(10 ** r.randint(1, 9)))
    if kind == 2:
        return lambda: "".join(r.choice(HOSTILE + WORDS) for _ in range(r.randint(0, 6)))
    if kind == 3:
        return lambda: '"' + sentence(r, r.randint(1, 4)) + r.choice(['"', '" he said', "", '",'])
    if kind == 4:
        one = r.choice(",;|\t")
        return lambda: sentence(r, 3) + one + sentence(r, 2)
    if kind == 5:
        return lambda: r.choice(["", sentence(r, 2), r.choice(HOSTILE) + sentence(r, 2) + r.choice(HOSTILE)])
    return lambda: sentence(r, r.randint(3, 9)) + r.choice(["", " .", ", they said", "!"])


class Table:
    def __init__(self, r, path):
        self.path = path
        self.texts, self.labels = text_maker(r), list(r.choice(CLASSES))
        self.rows = r.choice([1, 2, 3, 4, 5, 8, 12, 20, 60])
        self.columns = r.choice([2, 2, 2, 3, 4, 5, 9])
        places = list(range(self.columns))
        r.shuffle(places)
        self.text, self.label = places[:2]
        self.names = self.header(r)
        self.expected = self.fill(r)
        self.options = self.choose_options(r)
        self.write(r)

    def header(self, r):
        """Names of the columns, None: there are none in the file."""
        pair = r.choice(NAMES)
        names = [r.choice(["", "id", "Unnamed: 0", "note", "note", "split date", "x", "source"]) for _ in range(self.columns)]
        names[self.text], names[self.label] = pair
        self.plain_header = pair == NAMES[0]
        return names if r.random() < 0.7 else None

    def fill(self, r):
        """The cells, and what each row should become."""
        if r.random() < 0.1:
            self.labels.append("")
        index = r.random() < 0.5
        self.cells, expected = [], []
        for i in range(self.rows):
            row = [r.choice(["", "x", str(i), sentence(r, 2)]) for _ in range(self.columns)]
            if index:
                row[0] = str(i)
            row[self.text], row[self.label] = self.texts().rstrip("\r"), r.choice(self.labels)
            if i == 0 and r.random() < 0.2:
                row[self.label] = "only here"
            self.cells.append(row)
            expected.append((row[self.text], row[self.label]))
        return expected

    def choose_options(self, r):
        options = []
        how = r.randrange(3)
        if how == 1:
            options += ["--text", str(self.text + 1), "--label", str(self.label + 1)]
        elif how == 2 and self.names:
            options += ["--text", self.names[self.text].strip(), "--label", self.names[self.label].strip()]
        if r.random() < 0.2:
            options += ["--header", "yes" if self.names else "no"]
        return options

    def write(self, r):
        delimiter, end = r.choice(",,;|\t"), r.choice(["\n", "\n", "\r\n", "\r\n", "\r", "\r\r\n"])
        quoting = r.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE])
        how = {"delimiter": delimiter, "quoting": quoting, "lineterminator": end}
        self.rfc = quoting != csv.QUOTE_NONE
        if quoting == csv.QUOTE_NONE:
            how["escapechar"] = "\\"
        elif r.random() < 0.15:
            how.update(doublequote=False, escapechar="\\")
            self.rfc = False
        out = io.StringIO()
        if r.random() < 0.05:
            out.write(f"sep={delimiter}{end}")
        csv.writer(out, **how).writerows(([self.names] if self.names else []) + self.cells)
        encoding = r.choice(["utf-8"] * 5 + ["utf-8-sig", "utf-8-sig", "latin-1", "utf-16", "cp1252"])
        self.bytes = out.getvalue().encode(encoding, "replace")
        self.unicode = encoding.startswith("utf-8")
        self.path = self.path.with_suffix(r.choice([".csv", ".csv", ".tsv" if delimiter == "\t" else ".csv", ".txt"]))
        self.path.write_bytes(self.bytes)
        if r.random() < 0.15:
            self.options += ["--delimiter", "tab" if delimiter == "\t" else delimiter]
        self.expected = [tuple(x.encode(encoding, "replace").decode(encoding) for x in pair) for pair in self.expected]
        if encoding in ("latin-1", "cp1252") and r.random() < 0.5:
            self.options += ["--encoding", {"latin-1": "latin-1", "cp1252": "windows-1252"}[encoding]]

    def is_ordinary(self):
        """Whether there is no excuse: usual names, quotation marks by RFC 4180, UTF-8, and nothing strange in the cells."""
        cells = [x for row in self.cells for x in row]
        return (self.names is not None and self.plain_header and self.rfc and self.unicode and self.rows >= 4 and
                "" not in [label for _, label in self.expected] and not any("\\" in x or "\r" in x for x in cells))


def commands(tables):
    """One shell for all: how a process is started costs more than what it does."""
    for number, t in enumerate(tables):
        words = " ".join("'" + o.replace("'", "'\\''") + "'" for o in t.options)
        tool = f"promptify -t {t.path.parent}/t" if number % 4 == 3 else "split-stratified --train 0.5 --test 0.5"
        t.tool = tool.split()[0]
        yield f"{tool} {words} {t.path} >{t.path}.zst 2>{t.path}.err; echo $? >{t.path}.rc; peek --jsonl {t.path}.zst >{t.path}.out 2>&1; true"


def outcome(t):
    """right, warned, refused; else what is wrong."""
    def read(suffix):
        return Path(f"{t.path}{suffix}").read_bytes().decode(errors="replace")

    code, err = int(read(".rc")), read(".err").splitlines()
    warnings = [line for line in err if ": warning: " in line and "in more than one part" not in line
                and "its column 'id' becomes" not in line and " has no row of " not in line and "all rows have the label" not in line]
    errors = [line for line in err if ": error: " in line]
    if code:
        return "refused" if code in (2, 65) and len(errors) == 1 else f"exit {code} with {len(errors)} errors: {err}"
    records = sorted((json.loads(line) for line in read(".out").split("\n") if line), key=lambda x: x["id"])
    got = [(x["text"], x.get("label", "")) for x in records]
    if got == t.expected:
        return "warned" if warnings else "right"
    if warnings:
        return "wrong but warned"
    at = next((i for i, (a, b) in enumerate(zip(got, t.expected)) if a != b), min(len(got), len(t.expected)))
    return f"silently wrong: {len(got)} records of {len(t.expected)}; {at}: {got[at:at + 1]} is {t.expected[at:at + 1]}"


def main():
    folder, count, seed = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    (folder / "t").write_text("{text}")
    tables = [Table(random.Random(f"{seed}/{i}"), folder / f"{i}") for i in range(count)]
    subprocess.run(["sh"], input="\n".join(commands(tables)), text=True, check=True)
    counts = {}
    for t in tables:
        what = outcome(t)
        kind = what.split(":")[0].split(" with")[0]
        if t.is_ordinary() and what not in ("right", "warned"):
            kind = "ordinary table not right"
        if kind not in ("right", "warned", "refused", "wrong but warned"):
            print(f"# {t.path.name} {t.tool} {t.options}: {what} {t.bytes[:300]!r} {Path(f'{t.path}.err').read_bytes()[:300]}")
        counts[kind] = counts.get(kind, 0) + 1
    print(" ".join(f"{k.replace(' ', '-')}={v}" for k, v in sorted(counts.items())))
    wrong = set(counts) - {"right", "warned", "refused", "wrong but warned"}
    sys.exit(bool(wrong) or counts.get("right", 0) * 3 < count)


main()
