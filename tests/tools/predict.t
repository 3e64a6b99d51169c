#!/usr/bin/python3
"""What predict promises on its command line. Exactness against the real libraries: tests/parity."""
import hashlib
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import streams  # noqa: E402
from tap import check, finish, root  # noqa: E402

tiny = os.path.join(root, "tests", "golden", "phi-tiny")


def run(*options, rows=(), kind="tokens", labels=None, answers=None, data=None):
    data = streams.stream(rows, kind, labels, answers) if data is None else data
    return subprocess.run(["predict", *options], input=data, capture_output=True)


def predict(*options, **what):
    done = run(*options, **what)
    if done.returncode:
        raise SystemExit(f"Bail out! predict {' '.join(options)}: {done.stderr.decode()}")
    return streams.records(done.stdout)[1]


def refuses(name, code, why, *options, **what):
    done = run(*options, **what)
    said = done.stderr.decode()
    check(name, done.returncode == code and why in said and said.count("\n") == 1, f"{done.returncode} {said}")


def save_tokenizer(folder):
    """Bytes, a few merges, and an end of text: " up" is one token, " down" two, " sideways" many."""
    byte = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letter = {b: chr(b) for b in byte}
    letter |= {b: chr(256 + i) for i, b in enumerate(b for b in range(256) if b not in letter)}
    vocab = {letter[b]: b for b in range(256)}
    merges = []
    for left, right in [("Ġ", "u"), ("Ġu", "p"), ("Ġ", "d"), ("Ġd", "o"), ("w", "n")]:
        vocab[left + right] = len(vocab)
        merges.append(f"{left} {right}")
    end = len(vocab)
    json.dump({"version": "1.0", "truncation": None, "padding": None, "normalizer": None,
               "added_tokens": [{"id": end, "content": "<|endoftext|>", "single_word": False, "lstrip": False,
                                 "rstrip": False, "normalized": False, "special": True}],
               "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                                 "use_regex": True},
               "post_processor": None,
               "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                           "use_regex": True},
               "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                         "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
                         "merges": merges}}, open(os.path.join(folder, "tokenizer.json"), "w"))
    return {"up": [257], "down": [259, 260], "sideways": [32] + list(b"sideways")}


def softmax(scores):
    top = max(scores.values())
    weight = {k: math.exp(v - top) for k, v in scores.items()}
    return [weight[k] / sum(weight.values()) for k in scores]


def close(a, b, by):
    return len(a) == len(b) and all(abs(x - y) <= by for x, y in zip(a, b))


scratch = tempfile.TemporaryDirectory()
folder = os.path.join(scratch.name, "model")
subprocess.run(["mkmodel", "--vocab", "300", "--max-positions", "64", "-o", folder], check=True)
answers = save_tokenizer(folder)
names = list(answers)
prompts = [list(b"Profit rose sharply"), list(b"x"), list(b"Sales fell, but less than in spring."), list(b"Hm" * 9)]
tests = [{"id": i, "ids": p, "split": "test"} for i, p in enumerate(prompts)]
base = ["-m", folder]

# ---- labels ----

# log P(answer | prompt) by another way: the loss of the prompt and the answer as one record
spelled = [{"id": i, "ids": p + answers[name], "n_prompt": len(p)} for i, p in enumerate(prompts) for name in names]
cost = iter(r["loss"] * r["n_loss"] for r in predict(*base, "--mode", "loss", rows=spelled))
score = [{name: -next(cost) for name in names} for _ in prompts]
begin = json.load(open(os.path.join(folder, "config.json")))["bos_token_id"]
empty = [{"id": 0, "ids": [begin] + answers[name], "n_prompt": 1} for name in names]
prior = dict(zip(names, (-r["loss"] * r["n_loss"] for r in predict(*base, "--mode", "loss", rows=empty))))

for how, worth in [("none", lambda s, n: s), ("length", lambda s, n: s / len(answers[n])),
                   ("prior", lambda s, n: s - prior[n])]:
    got = predict(*base, "--normalize", how, rows=tests, labels=names)
    want = [{n: worth(s, n) for n, s in record.items()} for record in score]
    check(f"labels, --normalize {how}: probabilities in the header's order",
          all(close(streams.numbers(r["scores"]), softmax(w), 1e-5) for r, w in zip(got, want)), got)
    check(f"labels, --normalize {how}: the most probable is pred",
          [r["pred"] for r in got] == [max(w, key=w.get) for w in want], got)

done = run(*base, rows=tests, labels=names)
for options in ["-j", "1"], ["-j", "3"], ["--batch-tokens", "1"], ["--batch-tokens", "60"]:
    check(f"labels: same bytes with {' '.join(options)}",
          run(*base, *options, rows=tests, labels=names).stdout == done.stdout)
alone = predict(*base, rows=tests[2:3], labels=names)
check("labels: a record's result does not depend on its neighbours",
      alone == [r for r in streams.records(done.stdout)[1] if r["id"] == 2])
many = [{**tests[i % 4], "id": i} for i in range(300)]
check("labels: output is in the order of the input",
      [r["id"] for r in predict(*base, rows=many, labels=names)] == list(range(300)))
got = predict(*base, rows=tests, labels=["good", "bad", "odd"], answers=[" " + n for n in names])
check("labels are scored by their answers", [(r["scores"], names[["good", "bad", "odd"].index(r["pred"])]) for r in got] ==
      [(r["scores"], r["pred"]) for r in streams.records(done.stdout)[1]], got)
single = predict(*base, rows=tests, labels=["up", "x"])
check("labels of one token each need no second pass", all(sum(streams.numbers(r["scores"])) > 0.999 for r in single))

# answers that are the beginning of another, or part from it late: a tree of tokens
tree = {"do": [259], "down": [259, 260], "dot": [259, 116], "side": [32] + list(b"side"),
        "sideways": [32] + list(b"sideways"), "up": [257], "sidestep": [32] + list(b"sidestep")}
spelled = [{"id": i, "ids": p + t, "n_prompt": len(p)} for i, p in enumerate(prompts) for t in tree.values()]
cost = iter(r["loss"] * r["n_loss"] for r in predict(*base, "--mode", "loss", rows=spelled))
want = [{name: -next(cost) for name in tree} for _ in prompts]
got = predict(*base, rows=tests, labels=list(tree))
check("labels whose tokens are a tree", all(close(streams.numbers(r["scores"]), softmax(w), 1e-5)
                                            for r, w in zip(got, want)), got)

# prompts of two kinds by turns, each with a beginning of its own, more than a window of them
kinds = [list(b"Profit rose and "), list(b"Sales in spring were ")]
mixed = [{"id": i, "ids": kinds[i % 2] + list(str(i).encode()), "split": "test"} for i in range(300)]
for mode in ["--mode", "labels"], ["--mode", "generate"], ["--mode", "logits", "--limit", "150"]:
    done = run(*base, *mode, rows=mixed, labels=names).stdout
    got = streams.records(done)[1]
    check(f"shared beginnings, {mode[1]}: output is in the order of the input",
          [r["id"] for r in got] == list(range(len(got))))
    single = [predict(*base, *mode, rows=[mixed[i]], labels=names)[0] for i in (0, 1, 99, 149)]
    check(f"shared beginnings, {mode[1]}: a record alone has the same result",
          single == [got[i] for i in (0, 1, 99, 149)])
    for options in ["--batch-tokens", "1"], ["--batch-tokens", "300"], ["-j", "3"]:
        check(f"shared beginnings, {mode[1]}: same bytes with {' '.join(options)}",
              run(*base, *mode, *options, rows=mixed, labels=names).stdout == done)

# a small process between: a child's peak counts what its parent held when it was made
probe = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
         "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
peak = []
for n in 5000, 30000:
    records = os.path.join(scratch.name, "records")
    with open(records, "wb") as f:
        f.write(streams.stream([{"id": i, "ids": [i % 250, i // 250, 7], "split": "test"} for i in range(n)]))
    peak.append(int(subprocess.check_output([sys.executable, "-c", probe, "predict", *base, "--max-new-tokens", "1",
                                             records])))
    os.remove(records)
sanitized = "asan" in os.environ.get("BUILD", "")  # keeps what was freed
check("memory does not grow with the number of records", sanitized or peak[1] < peak[0] + 4096, peak)

# ---- loss and logits ----

record = [{"id": 7, "ids": prompts[0], "n_prompt": 15}]
logits = [streams.numbers(predict(*base, "--mode", "logits", rows=[{"ids": prompts[0], "n_prompt": n}])[0]["logits"])
          for n in range(1, 19)]
nll = [math.log(sum(map(math.exp, row))) - row[prompts[0][n + 1]] for n, row in enumerate(logits)]
for what, first in ("completion", 15), ("all", 1):
    got = predict(*base, "--mode", "loss", "--loss", what, rows=record)[0]
    check(f"loss of {what}", got["n_loss"] == 19 - first and
          abs(got["loss"] - sum(nll[first - 1:]) / (19 - first)) < 1e-5, got)
got = predict(*base, "--mode", "loss", rows=[{"ids": prompts[0]}])[0]
check("loss without a completion: all tokens but the first", got["n_loss"] == 18, got)

# ---- generation ----

texts = predict(*base, "--mode", "generate", "--max-new-tokens", "12", rows=tests)
check("generate: ids and text", all(len(streams.numbers(r["output_ids"])) == 12 and r["output"] for r in texts), texts)
stop = texts[0]["output"][2]
got = predict(*base, "--mode", "generate", "--max-new-tokens", "12", "--stop", stop, rows=tests[:1])[0]
check("generate: --stop ends before the text", got["output"] == texts[0]["output"].split(stop)[0] and
      len(streams.numbers(got["output_ids"])) < 12, got)
done = run(*base, "--mode", "generate", "--max-new-tokens", "12", "--stream", rows=tests)
check("generate: --stream shows the text", done.stderr.decode() == "".join(r["output"] + "\n" for r in texts),
      done.stderr)
check("generate: --stream does not change the result", streams.records(done.stdout)[1] == texts)
done = run(*base, "--mode", "generate", "--max-new-tokens", "12", rows=[dict(r, output="wanted") for r in tests])
check("generate: says once that an output of the user's is replaced", done.stderr.decode().count("has an output of its own") == 1 and
      streams.records(done.stdout)[1] == texts, done.stderr)
three = ["positive", "neutral", "negative"]
got = predict(*base, "--preset", "seed", rows=tests, labels=three)
check("--preset seed: three tokens and a label or none",
      all(len(streams.numbers(r["output_ids"])) <= 3 and r["pred"] == "none" for r in got), got)
check("without labels the default is to generate", "output" in predict(*base, rows=tests)[0])
greedy = ["--temperature", "0", "--top-p", "1", "--top-k", "0"]
check("greedy settings may be spelled out", predict(*base, *greedy, rows=tests) == predict(*base, rows=tests))

# ---- records ----

odd = [{"aa": 1, "ids": [5, 6], "split": s, "zz": {"deep": [1.5, None]}, "id": i}
       for i, s in enumerate(["train", "test", "eval", "test"])]
got = predict(*base, "--mode", "loss", rows=odd)
check("only records of the test split", [r["id"] for r in got] == [1, 3], got)
check("unknown fields pass through", all(r["zz"] == {"deep": [1.5, None]} and r["aa"] == 1 for r in got), got)
got = predict(*base, "--mode", "loss", "--only", "split=train", rows=odd)
check("--only chooses otherwise", [r["id"] for r in got] == [0], got)
check("no records, no results", predict(*base, "--mode", "loss", rows=[]) == [])

# ---- adapters ----


def plus(*adapters):
    extra = [word for a in adapters for word in ("-a", os.path.join(tiny, "adapter-final") + a)]
    rows = [{"ids": [3, 5, 8, 13, 21]}]
    done = run("-m", os.path.join(tiny, "nf4"), *extra, "--mode", "logits", rows=rows)
    return streams.numbers(streams.records(done.stdout)[1][0]["logits"]), done.stdout


plain, whole = plus()[0], plus("")[0]
check("an adapter changes the logits", not close(plain, whole, 0.1))
check("... at scale 0 it does not", close(plain, plus("=0")[0], 0))
check("... half of it twice is all of it", close(whole, plus("=0.5", "=0.5")[0], 1e-5))
check("... and one less itself is nothing", close(plain, plus("", "=-1")[0], 1e-5))
end = streams.end(plus("=0.5")[1])
check("model, adapter and its scale are in the end map",
      {"model", "adapter=0.5", "stream"} <= {i["what"] for i in end["inputs"]}, end)


def pack_digest(folder):
    """Names, sizes and contents of what makes a model, in the order of the names."""
    h = hashlib.sha256()
    for name in sorted(n for n in os.listdir(folder) if n.endswith((".json", ".safetensors"))):
        with open(os.path.join(folder, name), "rb") as f:
            data = f.read()
        h.update(name.encode() + b"\0" + struct.pack("<Q", len(data)) + data)
    return h.digest()


packs = {"model": pack_digest(os.path.join(tiny, "nf4")), "adapter": pack_digest(os.path.join(tiny, "adapter-final"))}
for threads in "1", "2":
    said = streams.end(run("-m", os.path.join(tiny, "nf4"), "-j", threads, "--mode", "loss", "-a", os.path.join(tiny, "adapter-final"), rows=[]).stdout)
    said = {i["what"]: i["sha256"] for i in said["inputs"]}
    check(f"their digests are those of their files, -j {threads}", {w: said.get(w) for w in packs} == packs, said)

# ---- what is refused ----

refuses("an id outside the vocabulary", 65, ":9: token id 300 is outside", *base, rows=[{"id": 9, "ids": [300]}])
refuses("more tokens than positions", 65, ":9: 65 tokens", *base, "--mode", "loss", rows=[{"id": 9, "ids": [1] * 65}])
refuses("... those to come included", 65, ":9: 66 tokens", *base, "--max-new-tokens", "6", "--mode", "generate",
        rows=[{"id": 9, "ids": [1] * 60}])
refuses("a record without ids", 65, ":9: no field 'ids'", *base, rows=[{"id": 9}])
refuses("an empty text", 65, ":9: no token ids", *base, rows=[{"id": 9, "ids": []}])
refuses("a prompt longer than the record", 65, ":9: n_prompt 3", *base, rows=[{"id": 9, "ids": [1, 2], "n_prompt": 3}])
refuses("an empty prompt", 65, ":9: its prompt", *base, rows=[{"id": 9, "ids": [1, 2], "n_prompt": 0}])
refuses("one token alone has no loss", 65, ":9: one token", *base, "--mode", "loss", rows=[{"id": 9, "ids": [1]}])
refuses("labels that the stream does not name", 65, "names no labels", *base, "--mode", "labels", rows=tests)
refuses("labels without a tokenizer", 66, "no tokenizer", "-m", os.path.join(tiny, "nf4"), rows=[], labels=names)
refuses("--stop without a tokenizer", 66, "no tokenizer", "-m", os.path.join(tiny, "nf4"), "--stop", "x", rows=[])
refuses("prompts that have no tokens yet", 65, "tokenize", *base, rows=[], kind="prompts")
refuses("sampling", 2, "greedy", *base, "--temperature", "0.7", rows=[])
refuses("other sampling", 2, "greedy", *base, "--top-k", "5", rows=[])
refuses("an option of another mode", 2, "--stop is for --mode generate", *base, "--stop", "x", rows=tests, labels=names)
refuses("... without a value", 2, "--skip-special-tokens is for --mode generate", *base, "--skip-special-tokens", rows=tests,
        labels=names)
refuses("the article's reading of labels that were not generated", 2, "--preset", *base, "--preset", "seed", "--mode",
        "labels", rows=tests, labels=names)
refuses("parts of floats for a row at a time", 2, "generate with float32", *base, "--compute-dtype", "bf16x3", "--mode", "generate",
        rows=[])
# token 299 overflows where the MLP adds as much again; others stay finite
hot = os.path.join(scratch.name, "model", "hot")
overflow = bytearray(open(os.path.join(folder, "model.safetensors"), "rb").read())
size = 8 + int.from_bytes(overflow[:8], "little")
for name, at in ("model.embed_tokens.weight", 299 * 512), ("model.layers.0.mlp.fc2.bias", 0):
    at += size + json.loads(overflow[8:size])[name]["data_offsets"][0]
    overflow[at:at + 4] = struct.pack("<f", 3e38)
os.mkdir(hot)
open(os.path.join(hot, "model.safetensors"), "wb").write(overflow)
open(os.path.join(hot, "config.json"), "w").write(open(os.path.join(folder, "config.json")).read())
for mode in "loss", "logits", "generate":
    refuses(f"numbers that are none, --mode {mode}", 70, ":9: the lo", "-m", hot, "--mode", mode,
            rows=[{"id": 8, "ids": [1, 2]}, {"id": 9, "ids": [1, 299, 3]}, {"id": 10, "ids": [3, 4]}])
refuses("no model", 2, "model", rows=[])
refuses("a model that is not there", 66, "nowhere", "-m", "/nowhere", rows=[])
refuses("an adapter that is not there", 66, "nowhere", *base, "-a", "/nowhere", rows=[])
misfit = os.path.join(root, "tests", "golden", "phi-odd", "adapter-final")
refuses("an adapter that does not fit", 65, "adapter-final", *base, "-a", misfit, rows=[])
refuses("model and records from one pipe", 2, "standard input", "-m", "-")
target = os.path.join(scratch.name, "out.zst")
cut = streams.stream(tests, labels=names, answers=[" " + n for n in names])[:-20]
refuses("a stream that is cut short", 65, "cut", *base, "-o", target, data=cut)
refuses("a bad record after good ones", 65, "token id 999", *base, "-o", target, "--mode", "loss",
        rows=tests[:1] + [{"ids": [1, 999]}])
check("no output is left behind", not os.path.exists(target) and os.listdir(scratch.name) == ["model"],
      os.listdir(scratch.name))

finish()
