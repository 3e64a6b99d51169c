#!/usr/bin/python3
"""--recipe seed gives the rows and the order of the article's split (golden_split.json)."""
import json, os, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from streams import records  # noqa: E402
from tap import check, finish, shared, skip_all  # noqa: E402

golden = os.path.join(shared, "golden", "golden_split.json")
data = os.path.join(shared, "data", "financial-news")
if not os.path.exists(golden) or not os.path.exists(data):
    skip_all("no ../shared beside the project")

want = json.load(open(golden))
names = {"P": "positive", "N": "neutral", "G": "negative"}

for file in "archive.zip", "all-data.csv":
    run = subprocess.run(["split-stratified", "--recipe", "seed", os.path.join(data, file)],
                         capture_output=True)
    said = run.stderr.decode()
    check(f"{file}: exits 0", run.returncode == 0, said)
    if run.returncode:
        continue
    header, rows = records(run.stdout)
    parts = {part: [r["id"] for r in rows if r["split"] == part] for part in ("train", "eval", "test")}
    check(f"{file}: train rows and order", parts["train"] == want["train"])
    check(f"{file}: eval rows and order", parts["eval"] == want["eval_as_notebook"])
    check(f"{file}: test rows and order", parts["test"] == want["test"])
    check(f"{file}: parts come in the order train, eval, test",
          [r["split"] for r in rows] == ["train"] * 900 + ["eval"] * 150 + ["test"] * 900)
    check(f"{file}: labels", all(r["label"] == names[want["labels"][r["id"]]] for r in rows))
    check(f"{file}: label order", header["labels"] == ["positive", "neutral", "negative"], header)
    check(f"{file}: counts the leak", "14 are train rows and 15 are test rows" in said, said)
    check(f"{file}: counts the rows with U+FFFD", "84 rows have bytes" in said, said)
finish()
