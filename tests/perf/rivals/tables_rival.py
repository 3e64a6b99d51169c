"""pandas and scikit-learn: seconds to read, split and write a table, to make prompts of its rows, and to report a
million labels. With words on the command line the case of that name, once."""
import subprocess
import sys
import time

from serve import serve


def split(path, out):
    import pandas
    from sklearn.model_selection import train_test_split
    start = time.perf_counter()
    table = pandas.read_csv(path)
    parts = train_test_split(table, train_size=0.8, test_size=0.2, stratify=table["label"], random_state=42)
    for name, part in zip(("train", "test"), parts):
        part.to_csv(f"{out}.{name}.csv", index=False)
    return time.perf_counter() - start


def prompt(path, template, out):
    """As the article does it: a function for every row."""
    import pandas
    text = open(template).read().replace("{completion}", "{label}")
    start = time.perf_counter()
    table = pandas.read_csv(path)
    prompts = pandas.DataFrame(table.apply(lambda row: text.format(text=row["text"], label=row["label"]), axis=1), columns=["text"])
    prompts.to_csv(out, index=False)
    return time.perf_counter() - start


def program(*words):
    """A case as a program of its own, from its start to its end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, __file__, *words], check=True)
    return time.perf_counter() - start


def report(n):
    import numpy
    from sklearn.metrics import classification_report, confusion_matrix
    names = numpy.array(["positive", "neutral", "negative"])
    i = numpy.arange(int(n))
    label, pred = list(names[i * 7 % 3]), list(names[(i * 7 + (i % 4 == 0)) % 3])
    start = time.perf_counter()
    classification_report(label, pred)
    confusion_matrix(label, pred)
    return time.perf_counter() - start


cases = {"split": split, "prompt": prompt, "report": report, "program": program}
if sys.argv[1:]:
    cases[sys.argv[1]](*sys.argv[2:])
else:
    serve(cases)
