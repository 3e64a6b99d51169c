#!/usr/bin/python3
"""promptify -t financial-sentiment writes what the article's f-strings give, for all 1,950 rows."""
import os
import subprocess
import sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
shared = os.environ.get("SHARED", os.path.join(root, "..", "shared"))
data = os.path.join(shared, "data", "financial-news", "archive.zip")
if not os.path.exists(data):
    print("1..0 # SKIP no ../shared beside the project")
    sys.exit(0)
sys.path.insert(0, os.path.join(root, "tests"))
from streams import records


def article(text, label):
    """The function of the article; its source is indented by twelve spaces, which are in the prompt."""
    head = f"""The sentiment of the following phrase: '{text}' is 
            \n\n Positive
            \n Negative
            \n Neutral
            \n Cannot be determined
            \n\nSolution: The correct option is"""
    return f"{head} {label}".strip() if label else head.strip()


split = subprocess.run(["split-stratified", "-q", "--recipe", "seed", data], stdout=subprocess.PIPE, check=True).stdout
out = subprocess.run(["promptify", "-t", "financial-sentiment"], input=split, stdout=subprocess.PIPE, check=True).stdout
header, rows = records(out)
tests = [r for r in rows if r["split"] == "test"]
others = [r for r in rows if r["split"] != "test"]
checks = [
    ("1,950 records", len(rows) == 1950),
    ("prompt and completion of train and eval",
     all(r["prompt"] + r["completion"] == article(r["text"], r["label"]) for r in others)),
    ("the completion is a space and the label", all(r["completion"] == " " + r["label"] for r in others)),
    ("prompt of test", all(r["prompt"] == article(r["text"], None) for r in tests)),
    ("test has no completion", len(tests) == 900 and not any("completion" in r for r in tests)),
    ("the chain names both tools", [c["tool"] for c in header["chain"]] == ["split-stratified", "promptify"]),
]
for i, (name, good) in enumerate(checks, 1):
    print(f"{'ok' if good else 'not ok'} {i} - {name}")
print(f"1..{len(checks)}")
sys.exit(not all(good for _, good in checks))
