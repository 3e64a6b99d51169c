"""What the tests in Python share: TAP, where things are, and programs that are run. lib.sh is the same for those in shell."""
import os
import subprocess
import sys

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
shared = os.path.abspath(os.environ.get("SHARED", os.path.join(root, "..", "shared")))
count = failed = 0


def _plain(text):
    """One line that does nothing to a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def check(name, good, detail=""):
    """DETAIL is said when the test fails."""
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {_plain(name)}{'' if good else ': ' + _plain(detail)[-600:]}", flush=True)


def check_none(name, wrong):
    """WRONG: a list of what is not as it should be; the first of it is said."""
    check(name, not wrong, list(wrong)[:3])


def skip(name, why):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {why}", flush=True)


def skip_all(why):
    """Ends a test of which nothing can be run here."""
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


def finish():
    """The last call of every test: without it, whoever runs them counts a failure."""
    print(f"1..{count}")
    sys.exit(failed > 0)


def run(*command, data=None, timeout=None, **env):
    """A program as it ended, with DATA as its standard input and ENV beside the environment."""
    return subprocess.run(command, input=data, capture_output=True, timeout=timeout, env={**os.environ, **env})


def good(*command, data=None):
    """Standard output of a program that has to succeed."""
    done = run(*command, data=data)
    if done.returncode:
        sys.exit(f"Bail out! {' '.join(map(str, command))}: exit {done.returncode}, {done.stderr.decode(errors='replace')}")
    return done.stdout


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, content):
    """Gives PATH."""
    with open(path, "wb") as f:
        f.write(content)
    return path
