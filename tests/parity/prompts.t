#!/usr/bin/python3
"""promptify -t financial-sentiment writes what the article's f-strings give, for all 1,950 rows."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from streams import records  # noqa: E402
from tap import check, finish, good, shared, skip_all  # noqa: E402

data = os.path.join(shared, "data", "financial-news", "archive.zip")
if not os.path.exists(data):
    skip_all("no ../shared beside the project")


def article(text, label):
    """The function of the article; its source is indented by twelve spaces, which are in the prompt."""
    head = f"""The sentiment of the following phrase: '{text}' is 
            \n\n Positive
            \n Negative
            \n Neutral
            \n Cannot be determined
            \n\nSolution: The correct option is"""
    return f"{head} {label}".strip() if label else head.strip()


split = good("split-stratified", "-q", "--recipe", "seed", data)
header, rows = records(good("promptify", "-t", "financial-sentiment", data=split))
tests = [r for r in rows if r["split"] == "test"]
others = [r for r in rows if r["split"] != "test"]
check("1,950 records", len(rows) == 1950, len(rows))
check("prompt and completion of train and eval", all(r["prompt"] + r["completion"] == article(r["text"], r["label"]) for r in others))
check("the completion is a space and the label", all(r["completion"] == " " + r["label"] for r in others))
check("prompt of test", all(r["prompt"] == article(r["text"], None) for r in tests))
check("test has no completion", len(tests) == 900 and not any("completion" in r for r in tests))
check("the chain names both tools", [c["tool"] for c in header["chain"]] == ["split-stratified", "promptify"], header["chain"])
finish()
