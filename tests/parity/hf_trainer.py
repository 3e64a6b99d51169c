"""The order of training records, written out from Hugging Face's sources in plain Python.

transformers 4.36 (Trainer's inner loop, LengthGroupedSampler), accelerate 0.25 (SeedableRandomSampler) and
torch's CPU generator, which is MT19937 as numpy has it. order.t holds this to recorded results of the real
libraries and lora-train to this, in random cases.
"""
import math

import numpy


class Generator:
    """torch.Generator: 32-bit words of MT19937."""

    def __init__(self, seed):
        self.source = numpy.random.RandomState(seed & 0xFFFFFFFF)
        self.words = iter(())

    def u32(self):
        for word in self.words:
            return word
        self.words = iter(numpy.frombuffer(self.source.bytes(4096), dtype="<u4").tolist())
        return next(self.words)

    def base_seed(self):
        """What every DataLoader iterator draws: one int64."""
        self.u32()
        self.u32()

    def randperm(self, n):
        r = list(range(n))
        for i in range(n - 1):
            z = self.u32() % (n - i)
            r[i], r[i + z] = r[i + z], r[i]
        return r


def grouped(generator, lengths, window):
    """get_length_grouped_indices; WINDOW is the batch size it is given."""
    n = len(lengths)
    size = (min(n // (window * 4), 50) or 1) * window
    order = generator.randperm(n)
    mega = [sorted(order[i:i + size], key=lambda k: lengths[k], reverse=True) for i in range(0, n, size)]
    longest = [lengths[m[0]] for m in mega]
    at = longest.index(max(longest))
    mega[0][0], mega[at][0] = mega[at][0], mega[0][0]
    return [k for m in mega for k in m]


def run(lengths, batch=1, accum=8, group=False, flush=False, seed=42, epochs=4.0, max_steps=0, evaluate="epoch",
        eval_steps=1):
    """A list of steps: (epoch, whether an evaluation follows, records)."""
    g, n = Generator(seed), len(lengths)
    micros = math.ceil(n / batch)
    updates = math.ceil(micros / accum) if flush else max(micros // accum, 1)
    want = max_steps or math.ceil(epochs * updates)
    steps, window, total, epoch = [], [], 0, 0
    while len(steps) < want:
        g.base_seed()
        order = grouped(g, lengths, batch * accum) if group else Generator(seed + epoch).randperm(n)
        for i in range(micros):
            window += order[i * batch:(i + 1) * batch]
            total += 1
            last = i + 1 == micros
            if flush:
                sync = (i + 1) % accum == 0 or last
            else:
                sync = total % accum == 0 or (micros <= accum and last)
            if not sync:
                continue
            steps.append([epoch + (i + 1) / micros, False, window])
            window = []
            if evaluate == "steps" and len(steps) % eval_steps == 0:
                steps[-1][1] = True
                g.base_seed()
            if len(steps) == want:
                break
        if evaluate == "epoch":
            steps[-1][1] = True
            g.base_seed()
        epoch += 1
    return steps


def rate(kind, peak, warmup, steps, taken):
    """transformers' get_*_schedule*."""
    if kind == "constant":
        return peak
    if taken < warmup:
        return peak * (taken / max(1, warmup))
    if kind == "constant_with_warmup":
        return peak
    if kind == "linear":
        return peak * max(0.0, (steps - taken) / max(1, steps - warmup))
    return peak * max(0.0, 0.5 * (1.0 + math.cos(math.pi * 0.5 * 2.0 * ((taken - warmup) / max(1, steps - warmup)))))
