#!/usr/bin/python3
"""Every tool on tiny inputs, and one call of the C library after the other fails (inject.c): the exit
code is right, standard error has one line, nobody dies of a signal or hangs, an output is whole or
not there, and nothing else is left.

    faults.py [--all | --sample N] [--cases REGEX] [--faults REGEX] [--call N] [-j JOBS]

--sample N takes N calls of each kind, the same in every run; --call N only that one, and shows what
was said. Needs BUILD (build/release), in whose bin are the tools. Prints TAP."""
import argparse
import concurrent.futures
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", f"{ROOT}/build/release"))
LIMIT_S = 60
DATA, NOINPUT, NODEVICE, MEMORY, CREATE, IO = 65, 66, 69, 71, 73, 74

# What fails: the injector's classes and how, and the exit codes that are right. 0 is where the result
# is the same as without the fault.
FAULTS = {
    "memory": ("memory:12", {0, MEMORY}),
    "memory-on": ("memory:12+", {0, MEMORY}),
    "write-full": ("write:28", {0, IO}),
    "write-full-on": ("write:28+", {0, IO}),
    "read": ("read:5", {0, IO}),
    "open": ("open:13", {0, NOINPUT, CREATE, IO}),
    "open-many": ("open:24", {0, NOINPUT, CREATE, IO}),
    "close": ("close:5", {0, IO}),  # what was synced before is safe
    "rename": ("rename:5", {0, CREATE, IO}),
    "map": ("map:12", {0, MEMORY}),
    "stat": ("stat:5", {0, NOINPUT, CREATE, IO}),
    "thread": ("thread:11", {0, MEMORY}),
    "thread-on": ("thread:11+", {0, MEMORY}),
    "mkdir": ("mkdir:28", {0, CREATE}),
    "seek": ("seek:5", {0, NOINPUT, IO}),
    "sync": ("sync:5", {0, IO, CREATE}),
    "room": ("room:28", {0, CREATE, IO}),
    "interrupted": ("read,write:4", {0}),
    "short": ("read,write:short", {0}),
    "short-on": ("read,write:short+", {0}),
}


class Case:
    """A command. {in} is the folder of inputs; it runs in an empty folder, where its outputs come to be.
    STAYS: files that are written while it runs, times of day in them: they may be there after a failure. BEFORE: what is there already as "out". OUTPUTS: how
    many there are; when one of several fails, another may have got its name."""

    def __init__(self, name, command, stdin=None, stays=(), before=None, outputs=1):
        self.name, self.command, self.stdin = name, command, stdin
        self.stays, self.before, self.outputs = stays, before, outputs


CASES = [
    Case("split", "split-stratified --per-class --train 4 --test 2 --eval 2 {in}/rows.csv -o out"),
    Case("split-zip", "split-stratified --train 6 --test 2 {in}/rows.zip -o out"),
    Case("split-gzip", "split-stratified --train 6 --test 2 {in}/rows.csv.gz -o out"),
    Case("split-sklearn", "split-stratified --compat sklearn --train 6 --test 4 {in}/rows.jsonl -o out"),
    Case("promptify", "promptify -t financial-sentiment {in}/rows.zst -o out"),
    Case("promptify-table", "promptify -t {in}/t.txt --text 2 --label 1 {in}/rows.csv -o out"),
    Case("tokenize", "tokenize -m {in}/model {in}/prompts.zst -o out"),
    Case("tokenize-pipe", "tokenize -m {in}/model", stdin="prompts.zst"),
    Case("tokenize-lines", "tokenize -j 2 -m {in}/model.tar.zst --lines {in}/lines -o out --force", before="lines"),
    Case("tokenize-count", "tokenize -m {in}/files --lines --count {in}/lines"),
    Case("tokenize-decode", "tokenize -m {in}/model/tokenizer.json --decode {in}/tokens.zst -o out"),
    Case("mkmodel", "mkmodel --arch phi --hidden 32 --layers 1 --heads 2 --vocab 300 -o out/"),
    Case("quantize-folder", "quantize-nf4 {in}/model -o out/ --force", before="old"),
    Case("quantize-tar", "quantize-nf4 --double-quant {in}/model.tar -o out.tar --report report", outputs=2),
    Case("quantize-zst", "quantize-nf4 {in}/model.tar.zst -o out.tar.zst"),
    Case("dequantize", "quantize-nf4 --dequantize {in}/nf4 -o out.tar"),
    Case("lora-train", "lora-train -j 2 -m {in}/nf4 {in}/tokens.zst --max-steps 2 --gradient-accumulation-steps 2"
         " --metrics metrics -o out.tar.zst", stays=("metrics",), outputs=2),
    Case("lora-train-checkpoint", "lora-train -m {in}/model {in}/tokens.zst --max-steps 2 --gradient-accumulation-steps 1"
         " --checkpoint check --save-steps 1 -o out.tar.zst", stays=("check",), outputs=2),
    Case("lora-train-folder", "lora-train -m {in}/model {in}/tokens.zst --max-steps 1 --gradient-accumulation-steps 1"
         " --init-adapter {in}/adapter.tar.zst -o out/"),
    Case("predict", "predict -j 2 -m {in}/nf4 -a {in}/adapter.tar.zst {in}/tokens.zst -o out"),
    Case("predict-generate", "predict -m {in}/model.tar --mode generate --max-new-tokens 2 {in}/tokens.zst -o out"),
    Case("predict-loss", "predict --mode loss -m {in}/nf4.tar.zst {in}/tokens.zst -o out"),
    Case("score", "score {in}/predictions.zst -o out"),
    Case("score-sklearn", "score --report sklearn {in}/predictions.zst"),
    Case("score-json", "score --json {in}/predictions.zst -o out"),
    Case("score-two", "score --bootstrap 5 --name a --name b {in}/predictions.zst {in}/predictions.zst -o out"),
    Case("score-page", "score --html page {in}/predictions.zst -o out", outputs=2),
    Case("score-summary", "score --summary {in}/predictions.zst --tsv -o out"),
    Case("peek-jsonl", "peek --jsonl {in}/tokens.zst -o out"),
    Case("peek-tsv", "peek --tsv id,text {in}/rows.zst"),
    Case("peek-from-jsonl", "peek --from-jsonl --kind examples {in}/rows.jsonl -o out"),
    Case("peek-tensors", "peek --tensors {in}/model.tar.zst"),
    Case("peek-diff", "peek --diff {in}/model {in}/model.tar"),
    Case("peek-verify", "peek --verify {in}/tokens.zst"),
]

SETUP = """
head -n 40 "{root}/pipelines/tiny/headlines.csv" >rows.csv
zip -q rows.zip rows.csv
gzip -n <rows.csv >rows.csv.gz
printf '{{text}} is{{completion}}\\n' >t.txt
cut -d, -f2- rows.csv >lines
mkmodel --arch phi --hidden 32 --layers 1 --heads 2 --vocab 512 --tokenizer "{root}/pipelines/tiny" -o model/
(cd model && tar -cf ../model.tar *) && zstd -q model.tar -o model.tar.zst
mkdir files && python3 - model/tokenizer.json files <<'IN'
import json, sys
t = json.load(open(sys.argv[1], encoding="utf-8"))
json.dump(t["model"]["vocab"], open(sys.argv[2] + "/vocab.json", "w"))
merges = [m if isinstance(m, str) else " ".join(m) for m in t["model"]["merges"]]
open(sys.argv[2] + "/merges.txt", "w", encoding="utf-8").write("\\n".join(["#version: 0.2", *merges, ""]))
json.dump({{"tokenizer_class": "GPT2Tokenizer"}}, open(sys.argv[2] + "/tokenizer_config.json", "w"))
IN
split-stratified --per-class --train 4 --test 2 --eval 2 rows.csv -o rows.zst
peek --jsonl rows.zst -o rows.jsonl
promptify -t financial-sentiment rows.zst -o prompts.zst
tokenize -m model prompts.zst -o tokens.zst
quantize-nf4 model -o nf4/
quantize-nf4 model -o nf4.tar.zst
lora-train -q -m nf4 tokens.zst --max-steps 1 --r 4 -o adapter.tar.zst
predict -q -m nf4 tokens.zst -o predictions.zst
cp -R nf4 old
"""


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("FAULT", "OMP_"))}
    return {**env, "PATH": f"{BUILD}/bin:/usr/bin:/bin", "SLMTOOLS_SHARE": f"{ROOT}/share", "LC_ALL": "C.UTF-8",
            "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "2", **more}


def digest_tree(folder):
    """{name: digest} of what is in FOLDER, folders walked."""
    found = {}
    for where, folders, files in os.walk(folder):
        for name in files:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                found[os.path.relpath(path, folder)] = hashlib.sha256(f.read()).hexdigest()
        for name in folders:
            if not os.listdir(os.path.join(where, name)):
                found[os.path.relpath(os.path.join(where, name), folder)] = "an empty folder"
    return found


class Outcome:
    def __init__(self, code, out, err, files, calls):
        self.code, self.out, self.err, self.files, self.calls = code, out, err, files, calls


class Runner:
    def __init__(self, work):
        self.work, self.inputs = work, f"{work}/in"
        os.mkdir(self.inputs)
        subprocess.run(["sh", "-euc", SETUP.format(root=ROOT)], cwd=self.inputs, env=environment(), check=True)

    def put_before(self, case, folder):
        if case.before:
            source = f"{self.inputs}/{case.before}"
            copy = shutil.copytree if os.path.isdir(source) else shutil.copyfile
            copy(source, f"{folder}/out")

    def run(self, case, fault):
        """CASE once, with FAULT ("write:28:3") in its way."""
        room = tempfile.mkdtemp(dir=self.work)
        folder, temporary, count = f"{room}/run", f"{room}/tmp", f"{room}/count"
        os.mkdir(folder)
        os.mkdir(temporary)
        self.put_before(case, folder)
        env = environment(LD_PRELOAD=f"{BUILD}/tests/fault/inject.so", FAULT=fault, FAULT_COUNT=count, TMPDIR=temporary)
        command = case.command.replace("{in}", self.inputs).split()
        try:
            with open(f"{self.inputs}/{case.stdin}" if case.stdin else os.devnull, "rb") as stdin:
                done = subprocess.run(command, cwd=folder, env=env, stdin=stdin, capture_output=True, timeout=LIMIT_S)
            code, out, err = done.returncode, done.stdout, done.stderr.decode(errors="replace")
        except subprocess.TimeoutExpired:
            code, out, err = "hangs", b"", ""
        try:
            with open(count, encoding="ascii") as f:
                calls = {name: int(n) for name, n in map(str.split, f)}
        except OSError:  # killed
            calls = {}
        files = {**digest_tree(folder), **{f"TMPDIR/{k}": v for k, v in digest_tree(temporary).items()}}
        shutil.rmtree(room)
        return Outcome(code, out, err, files, calls)


def complaints(case, codes, plain, before, got):
    """What is wrong with GOT, where PLAIN is the outcome without a fault and BEFORE what was there."""
    if got.code == 127 and got.err.strip() == "out of memory":
        return  # the dynamic loader, for a table of symbols while it opens libarchive: nobody can catch that
    if got.code not in codes:
        yield f"exit {got.code}" if got.code != "hangs" else "hangs"

    def finished(files):
        return {name: digest for name, digest in files.items() if name not in case.stays}

    left = finished(got.files)
    if got.code == 0:
        if left != finished(plain.files) or got.files.keys() != plain.files.keys() or got.out != plain.out:
            yield "success, and another result"
        return
    whole = case.outputs > 1 and left.items() <= plain.files.items()  # the other one failed
    if left != before and not whole:
        yield f"left {sorted(set(left.items()) ^ set(before.items()))}"
    errors = [line for line in got.err.splitlines() if ": error: " in line]
    if got.code != "hangs" and len(errors) != 1:
        yield f"{len(errors)} errors"


def choose(calls, case, fault, options):
    """The numbers of the calls that fail in their turn."""
    if options.call:
        return [options.call]
    if options.all or calls <= options.sample:
        return range(1, calls + 1)
    return sorted(random.Random(f"{case.name} {fault}").sample(range(1, calls + 1), options.sample))


def check(runner, case, fault, plain, options, pool):
    """One kind of fault in one command, whose outcome is PLAIN without: how many calls there are, how
    many were made to fail, [complaint]."""
    how, codes = FAULTS[fault]
    names, how = how.split(":")
    how, on = how.rstrip("+"), "+" if how.endswith("+") else ""
    calls = sum(plain.calls[name] for name in names.split(","))
    nothing = tempfile.mkdtemp(dir=runner.work)
    runner.put_before(case, nothing)
    before = digest_tree(nothing)
    numbers = list(choose(calls, case, fault, options))
    wrong = []
    for n, got in zip(numbers, pool.map(lambda k: runner.run(case, f"{names}:{how}:{k}{on}"), numbers)):
        if options.call:
            print(f"# exit {got.code}: {got.err}")
        found = list(complaints(case, codes, plain, before, got))
        if found:
            wrong.append(f"call {n}: {'; '.join(found)}: {got.err.strip()!r}")
    return calls, len(numbers), wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sample", type=int, default=2)
    parser.add_argument("--cases", default="")
    parser.add_argument("--faults", default="")
    parser.add_argument("--call", type=int, default=0)
    parser.add_argument("-j", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    tests = bad = runs = 0
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(options.j) as pool:
        runner = Runner(work)
        for case in filter(lambda c: re.search(options.cases, c.name), CASES):
            plain = runner.run(case, "all:0:0")
            if plain.code != 0:
                sys.exit(f"{case.name} without a fault: exit {plain.code}: {plain.err}")
            for fault in filter(lambda f: re.fullmatch(options.faults or ".*", f), FAULTS):
                calls, run, wrong = check(runner, case, fault, plain, options, pool)
                tests += 1
                runs += run
                bad += len(wrong)
                print(f"{'not ok' if wrong else 'ok'} {tests} - {case.name}: {fault}, {run} of {calls} calls", flush=True)
                for line in wrong[:20]:
                    print(f"# {line}", flush=True)
    print(f"# {runs} runs, {bad} wrong")
    print(f"1..{tests}")
    return bad > 0


sys.exit(main())
