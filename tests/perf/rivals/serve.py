"""The rivals' side of tests/perf/contest.py: answers every line with one number, or "- why not"."""
import os
import sys
import time


def serve(cases):
    """CASES: name to a function of the line's other words that does the work once and returns a number."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)                               # what libraries print is no answer
    for line in sys.stdin:
        name, *words = line.split()
        try:
            answers.write(f"{cases[name](*words):.6g}\n")
        except ImportError as e:
            answers.write(f"- {e.name or 'library'} not installed\n")
        except Exception as e:                  # a rival that fails is a missing number, not our failure
            answers.write(f"- {type(e).__name__}\n")
        answers.flush()


def clock(step, least=0.1):
    """Seconds of one STEP: done once before, then for LEAST seconds."""
    step()
    start, n = time.perf_counter(), 0
    while True:
        step()
        n += 1
        took = time.perf_counter() - start
        if took >= least:
            return took / n
