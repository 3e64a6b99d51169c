"""pandas and scikit-learn: seconds to read, split and write a table, and to report a million labels."""
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


serve({"split": split, "report": report})
