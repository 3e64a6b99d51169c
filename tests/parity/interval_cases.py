"""200 pairs of runs for make-intervals and intervals.t: made up the same way everywhere, from random.random() alone."""
import hashlib
import random
import struct

LABELS = ["c0", "c1", "c2", "c3", "c4"]
# resamples and seed of 50 cases each
BATCHES = [(50, 0), (99, 42), (120, 7), (200, 4294967295)]
ECE_BINS = 15


def float32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


class Source(random.Random):
    def below(self, n):
        return int(self.random() * n)


def scores(s, top, odd):
    """Five probabilities, the largest at TOP; ODD: tenths, which lie on the edges of bins."""
    if odd:
        high = 5 + s.below(6)
        values = [0.0] * 5
        values[(top + 1) % 5] = float32((10 - high) / 10)
        values[top] = float32(high / 10)
        return values
    raw = [s.random() ** 3 for _ in LABELS]
    best = raw.index(max(raw))
    raw[best], raw[top] = raw[top], raw[best]
    return [float32(v / sum(raw)) for v in raw]


def one_run(s, truth, classes, skill, none):
    pred, probabilities = [], []
    for t in truth:
        top = t if s.random() < skill else s.below(classes)
        probabilities.append(scores(s, top, s.random() < 0.1))
        pred.append(-1 if s.random() < none else top)
    return pred, probabilities


def case(i):
    """Truth, and for runs a and b what is predicted (-1: none) with its probabilities; the class that is looked at."""
    s = Source(1000 + i)
    n = i + 1 if i < 12 else int(2000 ** s.random()) + 1 if i % 50 else 2000
    classes = 1 + s.below(5)
    skew = s.random() * 3
    truth = [int(classes * s.random() ** (1 + skew)) for _ in range(n)]
    skill = [0.0, 1.0, s.random()][min(s.below(6), 2)]
    runs = [one_run(s, truth, classes, k, [0, 0, 0.2][s.below(3)]) for k in (skill, min(1, skill + s.random() * 0.3))]
    return truth, runs, s.below(classes)


def digest(values):
    return hashlib.sha256(" ".join(map(repr, values)).encode()).hexdigest()[:16]
