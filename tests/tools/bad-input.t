#!/usr/bin/python3
"""What comes in is wrong, or what goes out cannot: each tool says so in one line, with the right exit
code, and leaves no output and no temporary file. Grammar of single formats: hostile-streams.t,
json-suite.t, quantize-nf4.t, tables.t."""
import glob
import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import streams  # noqa: E402
from tap import check_none, finish, read, root, shared, write  # noqa: E402

tiny = os.path.join(root, "pipelines", "tiny")
csv = os.path.join(tiny, "headlines.csv")
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)
rng = random.Random(1)


def wrong(command, codes, says="", data=None, out="out", limit=None):
    """What is not right about how COMMAND with -o OUT fails; [] when all is."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        done = subprocess.run([*command, "-o", os.path.join(folder, out)], input=data, capture_output=True, preexec_fn=limit)
        text, left = done.stderr.decode(errors="replace"), os.listdir(folder)
    ok = done.returncode in codes and text.count("\n") == 1 and text.startswith(command[0] + ": error: ") \
        and says in text and not left and not done.stdout
    return [] if ok else [f"{' '.join(command)}: exit {done.returncode} {left}: {text[-1000:]}"]


def refuses(name, command, code, says="", **more):
    check_none(name, wrong(command, [code], says, **more))


def make(*command, **more):
    subprocess.run(command, check=True, **more)


# ---- what is right ----

make("mkmodel", "--hidden", "32", "--layers", "2", "--heads", "2", "--vocab", "512", "--max-positions", "256", "--seed", "1",
     "--tokenizer", tiny, "-o", "model")
make("split-stratified", "--train", "3", "--test", "3", "--per-class", csv, "-o", "examples.zst")
make("promptify", "-t", "financial-sentiment", "examples.zst", "-o", "prompts.zst")
make("tokenize", "-m", "model", "prompts.zst", "-o", "tokens.zst")
make("predict", "-m", "model", "tokens.zst", "-o", "predictions.zst")
make("lora-train", "-q", "-m", "model", "--r", "2", "--max-steps", "1", "tokens.zst", "-o", "adapter/")
make("quantize-nf4", "model", "-o", "nf4/")
PREDICT = ["predict", "-j1", "-m", "model", "--mode", "loss"]
TRAIN = ["lora-train", "-j1", "-q", "-m", "model", "--r", "2", "--max-steps", "1"]
READERS = {"split-stratified": (["split-stratified"], "examples.zst"),
           "promptify": (["promptify", "-t", "financial-sentiment"], "examples.zst"),
           "tokenize": (["tokenize", "-m", "model"], "prompts.zst"),
           "predict": (PREDICT, "tokens.zst"),
           "lora-train": (TRAIN, "tokens.zst"),
           "score": (["score"], "predictions.zst"),
           "peek": (["peek"], "tokens.zst")}


# ---- streams, for every tool that reads them ----

def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]


def not_streams():
    yield "model/config.json"
    yield "model/model.safetensors"
    if not os.path.exists("model.tar"):
        make("tar", "-C", "model", "-cf", "model.tar", ".")
    yield "model.tar"
    yield write("noise", rng.randbytes(3000))


for name, (tool, file) in READERS.items():
    good = read(file)
    refuses(f"{name}: a missing file", [*tool, "nothing.zst"], 66, "nothing.zst: cannot open: No such file")
    refuses(f"{name}: a folder", [*tool, "."], 66, "is a folder" if name != "peek" else "no model.safetensors")
    refuses(f"{name}: no bytes at all", tool, 66, "empty", data=b"")
    cuts = {2, 20, len(good) // 2, len(good) - 41, len(good) - 1, *rng.sample(range(4, len(good)), 4)}
    check_none(f"{name}: cut short", [w for n in sorted(cuts) for w in wrong(tool, [65], data=good[:n])])
    check_none(f"{name}: a flipped bit",
               [w for n in range(0, len(good), len(good) // 12) for w in wrong(tool, [65], data=flipped(good, n))])
    check_none(f"{name}: something behind", wrong(tool, [65], data=good + b"x") + wrong(tool, [65], data=good + good))
    if name != "peek":      # which looks into models and adapters as well
        check_none(f"{name}: no stream", [w for f in not_streams() for w in wrong([*tool, f], [65])])
    refuses(f"{name}: an option that is none", [*tool, file, "--no-such-option"], 2, "--no-such-option")
    check_none(f"{name}: numbers that are none",
          [w for o in ("--limit", "--threads", "--level", "--seed") for v in ("", "3x", "-1", "1e3", "9" * 20)
           for w in wrong([*tool, file, f"{o}={v}"], [2], o)])
    refuses(f"{name}: --only without a value", [*tool, file, "--only", "split"], 2, "FIELD=VALUE")

small = streams.stream([{"id": 1, "ids": [1, 2, 3]}])
make("peek", "-q", "--from-jsonl", "--kind", "tokens", "-o", "small.zst", input=b'{"id": 1, "ids": [1, 2, 3]}\n')
small = read("small.zst")
check_none("every byte of a small stream, flipped",
           [w for n in range(len(small)) for w in wrong(["peek"], [65], data=flipped(small, n))])
check_none("... and every cut", [w for n in range(1, len(small)) for w in wrong(["peek"], [65], data=small[:n])])

for tool, file, says in ((["tokenize", "-m", "model"], "tokens.zst", "tokens"), (PREDICT, "prompts.zst", "put tokenize in between"),
                         (TRAIN, "examples.zst", "put tokenize in between"), (["score"], "tokens.zst", "predict"),
                         (["promptify", "-t", "financial-sentiment"], "predictions.zst", "predictions")):
    refuses(f"{tool[0]}: a stream of another kind", [*tool, file], 65, says)


# ---- records ----

def record(name, code, says, tools=(PREDICT, TRAIN), labels=None, kind="tokens", **fields):
    data = streams.stream([{"id": 3, "ids": [1, 2]}, {"id": 7, **fields}], kind, labels)
    check_none(f"a record with {name}", [w for tool in tools for w in wrong(tool, [code], says, data=data)])


record("an id outside the vocabulary", 65, ":7: token id 512 is outside", ids=[1, 512])
record("an id of 2^32 - 1", 65, ":7: token id 4294967295", ids=[1, 2 ** 32 - 1])
record("more tokens than positions", 65, ":7: 257 tokens", ids=[1] * 257)
record("no tokens", 65, ":7: no token ids", ids=[])
record("no ids", 65, ":7: no field 'ids'", text="x")
record("ids that are text", 65, ":7: field 'ids' is a text", ids="12")
record("ids below zero", 65, ":7: field 'ids'", ids=[-1, 2])
record("a prompt longer than its ids", 65, ":7: n_prompt", ids=[1, 2], n_prompt=3)
record("a prompt below zero", 65, ":7: field 'n_prompt'", ids=[1, 2], n_prompt=-1)
SCORE = [["score"], ["score", "--report", "sklearn"], ["score", "--json"]]
row = {"ids": [1], "label": "a", "pred": "a"}


def scored(name, says, **fields):
    first = {"scores": [0.5, 0.5]} if "scores" in fields else {}
    data = streams.stream([{"id": 3, **row, **first}, {"id": 7, **row, **fields}], "predictions", ["a", "b"])
    check_none(f"a prediction with {name}", [w for tool in SCORE for w in wrong(tool, [65], says, data=data)])


scored("an unknown label", ":7: label 'c'", label="c")
scored("an unknown answer", ":7: pred 'c'", pred="c")
scored("a label that is a number", ":7: field 'label'", label=1)
scored("too few scores", ":7: has 1 scores", scores=[1])
scored("a score that is no number", ":7: score 1 is nan", scores=[1, float("nan")])
refuses("no predictions", ["score"], 65, "no records to score", data=streams.stream([], "predictions", ["a", "b"]))
refuses("no records to learn from", TRAIN, 65, "no record to learn from", data=streams.stream([]))
for line, says in ((b'{"id": 1, "text": "a"}\n{"id": 2,}\n', ":2: "), (b'{"text": "a"}\n[]\n', ":2: "),
                   (b'{"text": "\xff"}\n', "UTF-8")):
    refuses(f"JSON lines that are {line}", ["peek", "--from-jsonl"], 65, says, data=line)
refuses("text that is no UTF-8", ["tokenize", "-m", "model", "--lines"], 65, "standard input:2: byte 2", data=b"good\nbad \xff\n"[0:7] + b"\xff\n")


# ---- tables ----

SPLIT, PROMPTIFY = ["split-stratified", "--train", "1", "--test", "1", "--per-class"], ["promptify", "-t", "financial-sentiment"]


def table(name, says, content, options=(), tools=(SPLIT, PROMPTIFY)):
    if isinstance(content, dict):
        with zipfile.ZipFile("t.zip", "w", zipfile.ZIP_DEFLATED) as z:
            for member, data in content.items():
                z.writestr(member, data)
    path = "t.zip" if isinstance(content, dict) else write("t.csv", content)
    check_none(f"a table with {name}", [w for tool in tools for w in wrong([*tool, *options, path], [65], says)])


rows = b"text,label\na,positive\nb,positive\n"
table("too few fields", "t.csv:3: row has 1 field", rows + b"c\n")
table("too many fields", "t.csv:3: row has 3 fields", rows + b"c,positive,d\n")
table("an open quotation mark", "t.csv:3: quotation mark", rows + b'"c,positive\n')
table("a zero byte", "has zero bytes", rows + b"c\0,positive\n")
table("a zero byte further on", ":100001: row has a zero byte", b"text,label\n" + b"a,positive\n" * 100000 + b"c\0,positive\n")
table("an unknown label", "t.csv:3: label 'bad'", rows + b"c,bad\n", ["--labels", "positive,negative"], [SPLIT])
table("bytes that are no UTF-8", "t.csv:3: byte 0xFF", rows + b"c\xff,positive\n", ["--encoding", "utf-8"])
table("another column name", "no column 'label'", rows.replace(b"label", b"class"), ["--label", "label"], [SPLIT])
table("nothing but its header", "no rows", b"text,label\n", tools=[SPLIT])
table("UTF-16", "is UTF-16", rows.decode().encode("utf-16"))
table("two tables in its archive", "holds 2 tables: 'a.csv', 'b.csv'; choose one with --member", {"a.csv": rows, "b.csv": rows})
table("no table in its archive", "holds no table", {"notes.pdf": rows})
table("an archive in its archive", "holds no table", {"inner.zip": b"PK"})
table("a row without end", "is not closed", {"a.csv": b'text,label\na,"' + b"x" * (70 << 20)})
with zipfile.ZipFile("whole.zip", "w", zipfile.ZIP_DEFLATED) as z:
    z.write(csv, "a.csv")
whole = read("whole.zip")
check_none("an archive that is cut",
           [w for n in (30, len(whole) // 2, len(whole) - 5) for w in wrong([*SPLIT, write("c.zip", whole[:n])], [65])])
check_none("... or changed", [w for n in (60, 200, len(whole) // 2) for w in wrong([*SPLIT, write("c.zip", flipped(whole, n))], [65])])


# ---- models, for every tool that reads them ----

MODEL_USERS = [["predict", "-j1", "--mode", "loss", "tokens.zst", "-m"], ["lora-train", "-j1", "--max-steps", "1", "tokens.zst", "-m"],
               ["quantize-nf4", "-j1"]]


def changed(source, config=None, header=None, data=None, files=()):
    """A copy of SOURCE with changes to the config, the header or the data of the weights; its path."""
    shutil.rmtree("bad", ignore_errors=True)
    shutil.copytree(source, "bad")
    settings = glob.glob("bad/*config.json")
    path = min(settings, key=len)
    weights = glob.glob("bad/*.safetensors")[0]
    if config:
        c = json.loads(read(path))
        config(c)
        write(path, json.dumps(c).encode())
    if header or data:
        b = read(weights)
        n = struct.unpack("<Q", b[:8])[0]
        h, d = json.loads(b[8:8 + n]), bytearray(b[8 + n:])
        if header:
            header(h, d)
        if data:
            data(h, d)
        text = json.dumps(h).encode()
        write(weights, struct.pack("<Q", len(text)) + text + d)
    for name, content in dict(files).items():
        write("bad/" + name, content)
    return "bad"


def model(name, says, users=MODEL_USERS, codes=(65,), source="model", **changes):
    path = changed(source, **changes)
    check_none(f"a model with {name}", [w for user in users for w in wrong([*user, path], codes, says)])


def set_config(**values):
    return lambda c: c.update(values)


for key, value, says in (("partial_rotary_factor", 0.2, "rotary dimensions"), ("num_attention_heads", 3, "not a multiple"),
                         ("num_key_value_heads", 3, "not a multiple"), ("hidden_size", 0, "hidden_size"),
                         ("hidden_size", -32, "hidden_size"), ("hidden_size", 10 ** 12, "hidden_size"), ("hidden_size", 32.5, "hidden_size"),
                         ("hidden_size", "32", "hidden_size"), ("vocab_size", 2 ** 40, "vocab_size"), ("num_hidden_layers", 1e300, "num_hidden_layers"),
                         ("num_hidden_layers", 3, "model.layers.2."), ("intermediate_size", 64, "config.json wants"), ("rope_theta", 0, "rope_theta"),
                         ("rope_scaling", [], "rope_scaling"), ("eos_token_id", -1, "eos_token_id"), ("model_type", 3, "model_type"),
                         ("quantization_config", "nf4", "quantization_config")):
    stops = {} if key != "eos_token_id" else {"generation_config.json": json.dumps({key: value}).encode()}
    model(f"{key} {value!r}", says, config=set_config(**{key: value}), files=stops)
model("an unknown architecture", "model type 'x' is not supported", MODEL_USERS[:2], codes=(69,), config=set_config(model_type="x"))
model("a config that is a list", "not a", files={"config.json": b"[]"})
model("an empty config", "not valid JSON", files={"config.json": b""})
model("a generation config that is cut", "generation_config.json: not valid JSON", files={"generation_config.json": b'{"a"'})
suite = sorted(glob.glob(shared + "/corpora/jsontestsuite/test_parsing/n_*.json"))[::23]
for file, users, says in (("config.json", MODEL_USERS[:2], ""), ("tokenizer.json", [["tokenize", "prompts.zst", "-m"]], "")):
    bad = [w for f in suite for user in users for w in wrong([*user, changed("model", files={file: read(f)})], [65], says)]
    check_none(f"texts of JSONTestSuite as {file}" + ("" if suite else " # SKIP no ../shared/corpora"), bad)

Q = "model.layers.1.self_attn.q_proj.weight"


def nan_at(name, value=b"\0\0\xc0\x7f"):
    def put(h, d):
        at = h[name]["data_offsets"][0] + 20
        d[at:at + 4] = value
    return put


def set_tensor(**values):
    return lambda h, d: h[Q].update(values)


model("a tensor out of its file", "are not inside", header=lambda h, d: h[Q]["data_offsets"].__setitem__(1, len(d) * 2))
model("a hole", "unused bytes", header=lambda h, d: (d.extend(d[-4:]), [t.update(data_offsets=[x + 4 for x in t["data_offsets"]]) for k, t in h.items() if k[0] != "_"]))
model("an overlap", "overlaps", header=lambda h, d: h[Q].update(data_offsets=h[Q.replace("q_", "k_")]["data_offsets"]))
model("another shape", "config.json wants 32x32", header=set_tensor(shape=[16, 64]))
model("another type", "", header=set_tensor(dtype="I32"))
model("a missing tensor", "is missing", header=lambda h, d: h.update(x=h.pop(Q)))
model("NaN in the weights", f"'{Q}' is not a finite number", codes=(70,), data=nan_at(Q))
model("infinity in the weights", "not a finite number", codes=(70,), data=nan_at("model.final_layernorm.bias", b"\0\0\x80\xff"))
for name in "lm_head.bias", "model.embed_tokens.weight":
    model(f"NaN in {name}, which has no 4-bit form", f"'{name}' is not a finite number", [["quantize-nf4", "-j1", "--dequantize"]], (70,), "nf4",
          data=nan_at(name))
model("NaN in its scales", "layers.1.self_attn.q_proj.weight.absmax", MODEL_USERS[:2], (70,), "nf4", data=nan_at(Q + ".absmax"))
check_none("what is no model", [w for user in MODEL_USERS for path, code in (("/dev/null", 65), ("nothing", 66), ("tokens.zst", 65), (csv, 65), ("adapter", 65), (".", 66))
                           for w in wrong([*user, path], [code])])
tar = read("model.tar")
# the last cut is between two files, where an archive looks whole
ends = [n for n in range(512, len(tar), 512) if tar[n + 257:n + 262] == b"ustar"]
for how in "file", "pipe":
    bad = [w for n in (100, 700, len(tar) // 2, ends[-1]) for w in (
        wrong(["quantize-nf4", write("cut.tar", tar[:n])], [65]) if how == "file" else wrong(["quantize-nf4", "-"], [65], data=tar[:n]))]
    check_none(f"an archive that is cut, as a {how}", bad)
os.symlink(os.path.abspath("model/model.safetensors"), "link")
shutil.rmtree("bad")
shutil.copytree("model", "bad", ignore=shutil.ignore_patterns("*.safetensors"))
os.symlink("../model/model.safetensors", "bad/model.safetensors")
refuses("a model with a link that leads out", ["quantize-nf4", "bad"], 65, "the link leads out of the folder")


# ---- adapters ----

ADAPTER_USERS = [[*PREDICT, "tokens.zst", "-a"], [*TRAIN, "tokens.zst", "--init-adapter"]]
A = "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"


def adapter(name, says, codes=(65,), **changes):
    path = changed("adapter", **changes)
    check_none(f"an adapter with {name}", [w for user in ADAPTER_USERS for w in wrong([*user, path], codes, says)])


adapter("a key that fits nothing", "has no place for 1 of its", header=lambda h, d: h.update({A.replace("q_proj", "z_proj"): h.pop(A)}))
adapter("a layer too many", "has no place for 1 of its", header=lambda h, d: h.update({A.replace(".1.", ".9."): h.pop(A)}))
adapter("half a pair", "", header=lambda h, d: (h.pop(A)))
adapter("another shape", "has not the shape [2, 32]", header=lambda h, d: h[A].update(shape=[32, 2]))
adapter("another rank", "has not the shape [4, 32]", config=set_config(r=4))
adapter("NaN", f"'{A}'", (70,), data=nan_at(A))
adapter("an unknown feature", "use_dora", (69,), config=set_config(use_dora=True))
adapter("a config that is cut", "adapter_config.json: not valid JSON", files={"adapter_config.json": b'{"r": 2'})
check_none("what is no adapter",
           [w for user in ADAPTER_USERS for path, code in (("nothing", 66), ("model", 65), ("tokens.zst", 65)) for w in wrong([*user, path], [code])])


# ---- numbers that run away ----

refuses("a loss that is no number", ["lora-train", "-j1", "-q", "-m", "model", "tokens.zst", "--learning-rate", "1e30", "--max-grad-norm", "0",
                                     "--warmup-ratio", "0", "--max-steps", "9"], 70, ": step ")


# ---- outputs that cannot be ----

def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))


WRITERS = [[*tool, file] for tool, file in READERS.values()] + [["quantize-nf4", "model"], ["mkmodel"]]
for tool in WRITERS:
    wrongs = wrong([*tool], [73], "cannot create", out="no/such/place")
    write("kept", b"keep")
    for target, code in (("kept", 73), ("/dev/full", 73 if tool == ["mkmodel"] else 74)):   # which writes a folder
        done = subprocess.run([*tool, "-o", target], capture_output=True, text=True)
        if done.returncode != code or done.stderr.count("\n") != 1:
            wrongs.append(f"-o {target}: exit {done.returncode} {done.stderr}")
    if read("kept") != b"keep":
        wrongs.append("the file was replaced")
    with open("/dev/full", "w") as full:
        done = subprocess.run(tool, stdout=full, stderr=subprocess.PIPE, text=True)
    if done.returncode != 74 or done.stderr.count("\n") != 1:
        wrongs.append(f"full standard output: exit {done.returncode} {done.stderr}")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(tool, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    if done.returncode != -signal.SIGPIPE or done.stderr:
        wrongs.append(f"closed pipe: exit {done.returncode} {done.stderr}")
    check_none(f"{tool[0]}: output that cannot be", wrongs)
check_none("files that may not grow", [w for tool, out in ((["quantize-nf4", "model"], "q.tar"), (["quantize-nf4", "model"], "q/"), (["mkmodel"], "m/"),
                                                      ([*TRAIN, "tokens.zst"], "a.tar.zst"), ([*TRAIN, "tokens.zst"], "a/"))
                                  for w in wrong(tool, [74], "File too large", out=out, limit=limit_files)])
check_none("a report for which there is no room: no model, no adapter",
      wrong(["quantize-nf4", "model", "--report", "/dev/full"], [74], "/dev/full") + wrong([*TRAIN, "tokens.zst", "--logging-steps", "1", "--metrics", "/dev/full"], [74], "/dev/full"))


# ---- stopped in the middle ----

# a shell without job control starts background jobs with SIGINT ignored: children would ignore it too, for good
signal.signal(signal.SIGINT, signal.SIG_DFL)


# what the address sanitizer says of its own when exit is called on the stack of a thread that was interrupted
OWN_WORDS = re.compile(r"^(==\d+==WARNING: ASan is ignoring|False positive error reports|For details see).*\n", re.M)


def stopped(name, command, number, out="out", wait=0.0, **more):
    """Stopped as soon as its temporary file is there, or while it waits for input."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        process = subprocess.Popen([*command, "-o", os.path.join(folder, out)], stderr=subprocess.PIPE, text=True, **more)
        begin = time.monotonic()
        while not os.listdir(folder) and process.poll() is None and time.monotonic() - begin < 20:
            time.sleep(0.005)
        time.sleep(wait)
        process.send_signal(number)
        text = OWN_WORDS.sub("", process.communicate()[1])
        left = os.listdir(folder)
    return [] if process.returncode == 75 and text.count("\n") == 1 and not left else [f"{name}: exit {process.returncode} {left} {text}"]


many = write("many.zst", streams.stream([{"id": i, "ids": [1 + i] * 250} for i in range(500)]))
make("mkmodel", "--hidden", "512", "--layers", "6", "--heads", "8", "--partial-rotary-factor", "0.5", "-o", "large")
LONG = {"lora-train": (["lora-train", "-q", "-m", "model", many, "--num-train-epochs", "1000"], "a/"), "predict": (["predict", "-m", "model", many, "--mode", "loss"], "p.zst"),
        "quantize-nf4": (["quantize-nf4", "large"], "q/"), "quantize-nf4 to a file": (["quantize-nf4", "large"], "q.tar")}
for name, (command, out) in LONG.items():
    check_none(f"{name}: SIGINT and SIGTERM",
               stopped(name, command, signal.SIGINT, out) + stopped(name, command, signal.SIGTERM, out, 0.03 if "pre" in name or "train" in name else 0))
finish()
