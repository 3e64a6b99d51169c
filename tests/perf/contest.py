"""Contestants that take turns: programs that answer one number a line, and commands that are timed."""
import os
import statistics
import subprocess
import time

LOG = os.environ.get("BENCH_LOG", os.devnull)   # what contestants have to say, in full


class Missing(Exception):
    """Why a contestant has no number: a library or an instruction set that is not there."""


class Program:
    """Started at the first question; answers every line with a number, or with "- why not"."""

    def __init__(self, *command, env=None):
        self.command, self.env, self.process = command, env, None

    def ask(self, *words):
        if not self.process:
            if not os.path.exists(self.command[0]):
                raise Missing("not installed")
            with open(LOG, "a") as log:
                self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                                env={**os.environ, **(self.env or {})}, stderr=log)
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise Missing("failed")
        if answer.startswith("-"):
            raise Missing(answer[1:].strip())
        return float(answer)

    def close(self):
        if self.process:
            try:
                self.process.stdin.close()
            except BrokenPipeError:             # it has failed by itself
                pass
            self.process.wait()
            self.process = None

    def question(self, *words):
        """To be asked later; a word that is a function is called then, for data that takes time to make."""
        return lambda: self.ask(*(w() if callable(w) else w for w in words))


def run(*command, **options):
    """Runs a command whose output does not matter: seconds, and peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    text = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        with open(LOG, "a") as log:
            print(*command, text, sep="\n", file=log)
        raise Missing((text.strip().splitlines() or ["failed"])[-1][:60])
    return seconds, usage.ru_maxrss / 1000


class Case:
    """One line of the table. OURS, each of RIVALS and each of LIMITS is a function that does the
    work once and returns a number in UNIT; a larger one is better unless SMALLER."""

    def __init__(self, name, unit, ours, rivals=None, limits=None, smaller=False, runs=5):
        self.name, self.unit, self.smaller, self.runs = name, unit, smaller, runs
        self.ours, self.rivals, self.limits = ours, rivals or {}, limits or {}

    def measure(self, runs=None):
        """All take turns; medians. A contestant that is missing says why instead."""
        takers = {("ours", "ours"): self.ours}
        takers.update({("rivals", k): f for k, f in self.rivals.items()})
        takers.update({("limits", k): f for k, f in self.limits.items()})
        got, why = {k: [] for k in takers}, {}
        for _ in range(runs or self.runs):
            for key, once in takers.items():
                if key not in why:
                    try:
                        got[key].append(once())
                    except Missing as reason:
                        why[key] = str(reason)
        row = {"case": self.name, "unit": self.unit, "smaller_is_better": self.smaller, "runs": runs or self.runs,
               "ours": None, "rivals": {}, "limits": {}}
        for (kind, name), values in got.items():
            value = why.get((kind, name)) or statistics.median(values)
            if kind == "ours":
                row["ours"] = value
            else:
                row[kind][name] = value
        return row

