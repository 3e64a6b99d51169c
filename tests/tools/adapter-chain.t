#!/usr/bin/python3
"""How an adapter was made: its chain, where it goes to, and what is taken for one."""
import json
import os
import re
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import streams  # noqa: E402
from tap import check, finish, root  # noqa: E402

folder = tempfile.TemporaryDirectory()
os.chdir(folder.name)


def run(*words, **more):
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, **more)


def tool(*words, **more):
    done = run(*words, **more)
    if done.returncode:
        sys.exit(f"{words}: {done.stderr}")
    return done.stdout


def chain(path):
    return tool("peek", "--chain", path).splitlines()


def content(path):
    with open(path, "rb") as f:
        return f.read()


def header_of(path):
    data = content(path)
    n, = struct.unpack("<Q", data[:8])
    return json.loads(data[8:8 + n]), data[8 + n:]


def with_chain(name, text):
    """The adapter "one" with another chain; None: without one."""
    header, data = header_of("one/adapter_model.safetensors")
    header["__metadata__"].pop("slmtools_chain")
    if text is not None:
        header["__metadata__"]["slmtools_chain"] = text
    os.makedirs(name, exist_ok=True)
    head = json.dumps(header).encode()
    for file, written in ("adapter_model.safetensors", struct.pack("<Q", len(head)) + head + data), ("adapter_config.json", content("one/adapter_config.json")):
        with open(f"{name}/{file}", "wb") as f:
            f.write(written)
    return name


def refused(name, words, *texts, code=65):
    done = run(*words, "-o", "nothing")
    check(name,
          done.returncode == code and done.stderr.count("\n") == 1 and all(t in done.stderr for t in texts) and not os.path.exists("nothing"),
          done)


tool("mkmodel", "--arch", "phi", "--hidden", 64, "--layers", 2, "--heads", 4, "--vocab", 512, "--seed", 1, "--tokenizer",
     os.path.join(root, "pipelines/tiny"), "-o", "MODEL.tar")
os.rename("MODEL.tar", "MODEL")
with open("DATA", "wb") as f:
    f.write(content(os.path.join(root, "pipelines/tiny/headlines.csv")))
subprocess.run("split-stratified --labels positive,neutral,negative --train 14 --test 6 --eval 4 --per-class DATA |"
               "promptify -t financial-sentiment | tokenize -m MODEL -o data", shell=True, check=True)
BEFORE = [x for x in chain("data") if not x.startswith("input ")]
STREAM = subprocess.run("zstd -dc data | sha256sum", shell=True, capture_output=True, text=True).stdout.split()[0]
TRAIN = ["lora-train", "-q", "-m", "MODEL", "--r", 4, "--max-steps", 2, "--preset", "seed", "data"]

# ---- in the adapter ----
tool(*TRAIN, "-o", "one/")
got = chain("one")
check("an adapter has the chain of its records, the training, and what went in", got[:-2] == [*BEFORE, f"lora-train {got[3].split()[1]} preset=seed r=4 max-steps=2"] and re.fullmatch("input model [0-9a-f]{64}", got[-2])
       and got[-1] == f"input stream {STREAM}", got)
metadata = header_of("one/adapter_model.safetensors")[0]["__metadata__"]
check("its metadata are texts, as the format asks", all(isinstance(x, str) for x in metadata.values()), metadata)
kept = json.loads(metadata["slmtools_chain"])
check("as JSON, like a stream's", [x["tool"] for x in kept] == ["split-stratified", "promptify", "tokenize", "lora-train"] and kept[3]["options"] == ["preset=seed", "r=4", "max-steps=2"]
       and kept[3]["inputs"][1] == {"what": "stream", "sha256": STREAM} and len(kept[2]["tokenizer"]) == 64, kept)
tool(*TRAIN, "-o", "again/", "-j", 3, "-v", "--metrics", "metrics", "--plot", "plot.svg", "--checkpoint", "checkpoint", "--save-steps", 1, "--save-total-limit", 1)
check("what changes no number is not in it: the same bytes",
      content("one/adapter_model.safetensors") == content("again/adapter_model.safetensors"))
check("adapters saved on the way have it too", chain("again.step-2") == got, chain("again.step-2"))
tool(*TRAIN, "-o", "one.tar.zst", "-l", 9)
check("in an archive, and in the file of tensors alone", chain("one.tar.zst") == got and chain("one/adapter_model.safetensors") == got)

tool("lora-train", "-q", "-m", "MODEL", "--init-adapter", "one", "--max-steps", 1, "data", "-o", "two.tar")
went = dict(reversed(x.split()[1:]) for x in chain("two.tar")[len(got):] if x.startswith("input "))
check("one that begins with another: that one's chain, then its own",
      chain("two.tar")[:len(got)] == got and list(went.values()) == ["model", "adapter", "stream"], chain("two.tar"))
with open("order", "w") as f:
    f.write("".join(f"{x}\n" for x in tool("peek", "--text", "id", "--only", "split=train", "data").split()[:8]))
tool("lora-train", "-q", "-m", "MODEL", "--order", "order", "data", "-o", "three.tar")
check("--order is an input", "input order " + run("sha256sum", "order").stdout.split()[0] in chain("three.tar"), chain("three.tar"))

# ---- in predictions ----
PREDICT = ["predict", "-q", "-m", "MODEL", "data"]
tool(*PREDICT, "-o", "before.zst")
tool(*PREDICT, "-a", "two.tar", "-a", "one=0.5", "-o", "after.zst")
lines = chain("after.zst")
check("predict takes over the chains of its adapters", lines[:3] == BEFORE and lines[3] == "adapter 1" and [x[2:] for x in lines[4:] if x.startswith("  ")] == chain("two.tar") + got
       and lines.count("adapter 2") == 1 and lines[-5].startswith("predict "), lines)
PROMPTS = "split-stratified -q --labels positive,neutral,negative --train 14 --test 6 --eval 4 --per-class DATA | promptify -q {} | tokenize -m MODEL -o {}"
subprocess.run(PROMPTS.format("-t classify", "classify"), shell=True, check=True)
subprocess.run(PROMPTS.format("-t " + os.path.join(root, "share/templates/financial-sentiment.txt"), "path"), shell=True, check=True)
said = [run("predict", "-m", "MODEL", *words, "-o", f"prompts{i}").stderr for i, words in enumerate((
    ["classify", "-a", "two.tar"], ["classify", "-a", "two.tar", "-q"], ["classify"], ["path", "-a", "two.tar"], ["data", "-a", "two.tar"]))]
check("prompts of another template than an adapter has learned are a warning",
      said == ["predict: warning: two.tar: has learned prompts of promptify --template=financial-sentiment, and those here are of "
               "promptify --template=classify; make them alike\n"] + 4 * [""], said)
subprocess.run("peek --jsonl --with-header after.zst | peek --from-jsonl -o round", shell=True, check=True)
check("also through JSON lines",
      [x for x in chain("round") if not x.startswith(("input ", "peek "))] == [x for x in lines if not x.startswith("input ")])
tool(*PREDICT, "-a", with_chain("none", None), "-a", "one", "-o", "half")
check("one of two has none",
      chain("half")[3:5] == ["adapter 1", "adapter 2"] and [x[2:] for x in chain("half")[5:] if x.startswith("  ")] == got,
      chain("half"))
tool(*PREDICT, "-a", "none", "-o", "plain")
check("an adapter without a chain: predictions as they always were",
      "adapters" not in tool("peek", "--header", "plain"), tool("peek", "--header", "plain"))
refused("peek says of what has none that it has none", ["peek", "--chain", "none"], "none: it does not say how it was made")
refused("also of a model", ["peek", "--chain", "MODEL"], "MODEL: it does not say how it was made")
tool("lora-train", "-q", "-m", "MODEL", "--init-adapter", "none", "--max-steps", 1, "data", "-o", "four.tar")
check("training goes on from one without, too",
      [x.split()[0] for x in chain("four.tar")] == [x.split()[0] for x in BEFORE] + ["lora-train"] + 3 * ["input"])

# ---- the commands of the page ----
tool("score", "before.zst", "after.zst", "--html", "report.html")
commands = run("python3", os.path.join(root, "tests/tools/score-html.py"), "pre", "report.html").stdout
os.mkdir("anew")
for file in "MODEL", "DATA":
    os.link(file, f"anew/{file}")
done = run("sh", "-e", cwd="anew", input=commands)
check("the commands lead from data over both trainings to the same page",
      done.returncode == 0 and content("anew/after.zst") == content("after.zst") and content("anew/report.html") == content("report.html"),
      (commands, done.stderr))
check("what two adapters begin with is trained once", commands.count("lora-train") == 2, commands)
tool("score", "half", "--html", "half.html")
commands = run("python3", os.path.join(root, "tests/tools/score-html.py"), "pre", "half.html").stdout
check("what has no chain is a word in capitals",
      re.search(r"predict --model MODEL --adapter ADAPTER --adapter adapter-[0-9a-f]{8}\.tar\.zst >", commands), commands)

# ---- what is no chain ----
ENTRY = {"tool": "x", "version": "1", "options": []}
GOOD = {"what": "model", "sha256": "0" * 64}
for name, bad in (("no JSON", "[{"), ("no array", "{}"), ("a program too many", json.dumps([ENTRY] * 1025)), ("a text for a program", '["x"]'),
                  ("a program without a name", json.dumps([{**ENTRY, "tool": 1}])), ("options that are no texts", json.dumps([{**ENTRY, "options": [1]}])),
                  ("options that are no array", json.dumps([{**ENTRY, "options": "r=4"}])), ("inputs that are no array", json.dumps([{**ENTRY, "inputs": GOOD}])),
                  ("an input of no name", json.dumps([{**ENTRY, "inputs": [{**GOOD, "what": None}]}])),
                  ("a digest that is none", json.dumps([{**ENTRY, "inputs": [{**GOOD, "sha256": "$(touch x)".ljust(64)}]}])),
                  ("a tokenizer that is no text", json.dumps([{**ENTRY, "tokenizer": {}}])), ("U+0000", json.dumps([{**ENTRY, "tool": "\0"}]))):
    with_chain("bad", bad)
    for words in [*PREDICT, "-a", "bad"], ["lora-train", "-q", "-m", "MODEL", "--init-adapter", "bad", "--max-steps", 1, "data"], ["peek", "--chain", "bad"]:
        refused(f"{name}: {words[0]} says so", words, "bad: the chain of programs: ")
with_chain("full", json.dumps([ENTRY] * 1021))
refused("a chain that is full begins no other one", ["lora-train", "-q", "-m", "MODEL", "--init-adapter", "full", "--max-steps", 1, "data"], "full: 1024 programs")
tool(*PREDICT, "-a", with_chain("strange", json.dumps([{**ENTRY, "tool": "a b\n$(touch x)", "options": ["<b>", "input x"], "more": 1, "inputs": [GOOD]}])), "-o", "strange.zst")
check("any text stays text", "  \"a b\\n$(touch x)\" 1 <b> \"input x\"" in chain("strange.zst"), chain("strange.zst"))
tool("score", "strange.zst", "--html", "strange.html")
check("on the page as well", run("python3", os.path.join(root, "tests/tools/score-html.py"), "check", "strange.html").returncode == 0)
check("and in its commands",
      "'a b\n$(touch x)' '--<b>' '--input x' DATA" in run("python3", os.path.join(root, "tests/tools/score-html.py"), "pre", "strange.html").stdout,
      run("python3", os.path.join(root, "tests/tools/score-html.py"), "pre", "strange.html").stdout)


def predictions(adapters, what="adapter"):
    entry = {"tool": "predict", "version": "1", "options": [], "adapters": adapters}
    with open("made", "wb") as f:
        f.write(streams.write({"format": "slmtools stream", "version": 1, "kind": "predictions", "labels": ["a"], "chain": [entry]},
                              [{"id": 0, "label": "a", "pred": "a"}], inputs=[{"what": what, "sha256": bytes(32)}]))
    return "made"


for name, adapters in (("a text", "x"), ("texts", ["x"]), ("programs of texts", [["x"]]), ("a digest that is none", [[{**ENTRY, "inputs": [{**GOOD, "sha256": "$" * 64}]}]])):
    refused(f"adapters that are {name}", ["peek", "--chain", predictions(adapters)], "made: ")
tool("score", predictions([[{**ENTRY, "inputs": [GOOD]}]], "adapter=$(touch x)"), "--html", "made.html")
commands = run("python3", os.path.join(root, "tests/tools/score-html.py"), "pre", "made.html").stdout
check("a scale that is none is quoted", "--adapter 'adapter-00000000.tar.zst=$(touch x)'" in commands, commands)
finish()
