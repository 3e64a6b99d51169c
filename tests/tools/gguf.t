#!/usr/bin/python3
"""GGUF files are opened as the Hugging Face folders that they stand for: names, shapes, types and bytes of their tensors."""
import csv
import gzip
import hashlib
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import gguf_files as files  # noqa: E402
import streams  # noqa: E402
from tap import check, finish, root, run, shared, skip, write  # noqa: E402

golden = os.path.join(shared, "golden")
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


def tensors(path):
    """name: (type, shape, bytes, digest)"""
    d = run("peek", "--tensors", path)
    assert d.returncode == 0, d.stderr
    return {r[0]: (r[1], json.loads(r[2]), int(r[3]), r[4]) for r in (line.split("\t") for line in d.stdout.decode().splitlines()[1:])}


# ---- expected results of the real libraries ----

for kind in ("f32", "f16", "q4_1", "q4_k", "iq4_xs") if os.path.isdir(golden + "/gguf") else ():
    path = f"{golden}/gguf/a/model-{kind}.gguf"
    if not os.path.exists(path):
        continue
    with open(f"{golden}/gguf/a/config-{kind}.json") as f:
        want = json.load(f)["sha256"]
    got = tensors(path)
    check(f"{kind}: the names that Hugging Face has", set(got) == set(want), set(got) ^ set(want))
    check(f"{kind}: tensors in float32 are the expected ones", all(got[n][3] == want[n] for n in got if got[n][0] == "F32"), got)
if not os.path.isdir(golden + "/gguf"):
    skip("the small models", "no ../shared/golden/gguf")

fetch = subprocess.run([root + "/pipelines/smollm2/fetch"], capture_output=True, text=True, env={**os.environ, "PIP": "false"})
package = os.environ.get("SMOLLM2") or fetch.stdout.strip()  # nothing is downloaded here
if os.path.exists(package) and os.path.isdir(golden + "/smollm2"):
    with open(golden + "/smollm2/smollm2.json") as f:
        want = json.load(f)["tensors"]
    got = tensors(package)
    check("SmolLM2: 272 tensors under the names that Hugging Face has", set(got) == set(want) and len(got) == 272, set(got) ^ set(want))
    check("SmolLM2: its norms", all(got[n][3] == want[n] for n in got if got[n][0] == "F32"))
    check("SmolLM2: types", sorted({t[0] for t in got.values()}) == ["F32", "Q4_1", "Q8_0"])
    with open(golden + "/smollm2/tokens.json") as f:
        want = json.load(f)
    with open(shared + "/data/financial-news/all-data.csv", encoding="latin-1", newline="") as f:
        sets = {"fin": [row[1] for row in csv.reader(f)]}
    with open(shared + "/corpora/blns/blns.txt", encoding="utf-8", newline="") as f:
        sets["blns"] = f.read().split("\n")
    for name, lines in sets.items():
        d = run("tokenize", "-m", package, data=streams.stream([{"id": i, "text": t} for i, t in enumerate(lines)], "prompts"))
        ids = [streams.numbers(r["ids"]) for r in streams.records(d.stdout)[1]]
        digest = hashlib.sha256("".join(" ".join(map(str, i)) + "\n" for i in ids).encode()).hexdigest()
        check(f"SmolLM2: ids of {name}", sum(map(len, ids)) == want[name]["tokens"] and digest == want[name]["sha256"], (len(ids), digest))
else:
    skip("SmolLM2", "the model is not in the cache (make demo fetches it)" if os.path.isdir(golden + "/smollm2") else "no ../shared/golden/smollm2")

# ---- every way to name one ----

keys, parts = files.model("llama", "Q8_0", tied=True)
whole = files.write(keys, parts)
write("m.gguf", whole)
want = tensors("m.gguf")
check("no head of its own", "lm_head.weight" not in want and want["model.embed_tokens.weight"][:2] == ("Q8_0", [270, 32]), want)
check("version 2", tensors(write("v2.gguf", files.write(keys, parts, version=2))) == want)
check("an alignment of its own", tensors(write("a.gguf", files.write(keys + [("general.alignment", "u32", 256)], parts, alignment=256))) == want)
check("told by its bytes, not by its name", tensors(write("model.bin", whole)) == want)
with zipfile.ZipFile("packed.whl", "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("some/m.gguf", whole)
    z.writestr("some/__init__.py", "pass")
    z.writestr("some.dist-info/RECORD", "")
check("packed in a zip", tensors("packed.whl") == want)
with zipfile.ZipFile("stored.zip", "w") as z:
    z.writestr("m.gguf", whole)
check("stored in a zip", tensors("stored.zip") == want)
check("on a pipe", run("peek", "--tensors", "-", data=whole).stdout == run("peek", "--tensors", "m.gguf").stdout)
write("m.gguf.gz", gzip.compress(whole))
check("compressed", tensors("m.gguf.gz") == want)
os.mkdir("folder")
write("folder/m.gguf", whole)
write("folder/README.md", b"a model")
check("the only weights of a folder", tensors("folder") == want)
os.makedirs("hub/models--org--name/refs")
os.makedirs("hub/models--org--name/blobs")
os.makedirs("hub/models--org--name/snapshots/abc")
write("hub/models--org--name/refs/main", b"abc")
write("hub/models--org--name/blobs/1", whole)
os.symlink("../../blobs/1", "hub/models--org--name/snapshots/abc/m.gguf")
os.environ["HF_HUB_CACHE"] = os.path.abspath("hub")
check("in Hugging Face's cache", tensors("hf:org/name") == want)
write("folder/n.gguf", whole)
d = run("peek", "--tensors", "folder")
check("two in a folder", d.returncode == 65 and b"holds several GGUF files, '" in d.stderr and d.stderr.count(b"\n") == 1, d.stderr)

os.mkdir("pointer")
write("pointer/m.gguf", b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 666776\n")
d = run("peek", "--tensors", "pointer")
check("a pointer to one", d.returncode == 65 and b"pointer: m.gguf: is a git-lfs pointer" in d.stderr, d.stderr)

# ---- tools ----

write("f.gguf", files.write(*files.model("llama")))
with zipfile.ZipFile("f.zip", "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("x/f.gguf", open("f.gguf", "rb").read())
for m in ("f.gguf", "f.zip"):
    d = run("tokenize", "--lines", "-m", m, data=b"hello there 12\nabc\n", )
    write(m + ".tok", d.stdout)
    d = run("predict", "-m", m, "--mode", "loss", m + ".tok")
    write(m + ".loss", d.stdout)
    check(f"{m}: text to ids to losses", d.returncode == 0 and run("peek", "--count", m + ".loss").stdout == b"2\n", d.stderr)
check("the same model, bare and in a zip", open("f.gguf.loss", "rb").read() == open("f.zip.loss", "rb").read())
d = run("quantize-nf4", "f.gguf", "-o", "q/")
check("quantize-nf4 makes a folder of it", d.returncode == 0 and sorted(os.listdir("q")) == ["config.json", "model.safetensors", "tokenizer.json",
                                                                                         "tokenizer_config.json"], d.stderr)
d = run("predict", "-m", "q", "--mode", "loss", "f.gguf.tok")
check("... whose tokenizer is the same", d.returncode == 0, d.stderr)
d = run("lora-train", "-m", "f.gguf", "f.gguf.tok", "--target-modules", "q_proj,v_proj", "--num-train-epochs", "1", "-q", "-o", "a.tar.zst")
check("lora-train", d.returncode == 0, d.stderr)
d = run("predict", "-m", "f.gguf", "-a", "a.tar.zst", "--mode", "loss", "f.gguf.tok")
check("... and predict with the adapter", d.returncode == 0, d.stderr)
d = run("predict", "-m", "f.gguf", "--mode", "loss", "f.gguf.tok", "-o", "f.gguf", "--force")
check("an output is not its input", d.returncode == 73 and b"is the input f.gguf as well" in d.stderr, d.stderr)
d = run("promptify", "-t", write("t.txt", b"{text}"), "f.gguf")
check("a table it is not", d.returncode == 65 and b"a GGUF file; name it where a model is wanted" in d.stderr, d.stderr)

# ---- the files that it stands for ----


def json_file(path, name):
    d = run("peek", "--file", name, path)
    assert d.returncode == 0, d.stderr
    return json.loads(d.stdout)


def added(content, i, special=True, rstrip=False):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": rstrip, "normalized": False, "special": special}


def make(*arguments, **more):
    return write("made.gguf", files.write(*files.model(*arguments, **more)))


d = run("peek", "--file", "none.json", "m.gguf")
check("a file that is not there", d.returncode == 66 and b"there are: config.json, model.gguf, tokenizer.json, tokenizer_config.json" in d.stderr,
      d.stderr)
check("the file itself", run("peek", "--file", "model.gguf", "m.gguf").stdout == whole)
listed = [t[2] for t in files.byte_level() if t[0] == "tokenizer.ggml.tokens"][0]
merges = [t[2] for t in files.byte_level() if t[0] == "tokenizer.ggml.merges"][0]
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
got = json_file("m.gguf", "tokenizer.json")
check("byte-level tokens and merges", list(got["model"]["vocab"].items()) == [(t, i) for i, t in enumerate(listed)] and got["model"]["merges"] == merges)
check("... and what is around them", got["pre_tokenizer"] == BYTES and got["normalizer"] is None and got["post_processor"] is None
      and got["decoder"]["type"] == "ByteLevel" and got["added_tokens"] == [added("<|endoftext|>", 0)] and not got["model"]["byte_fallback"], got)
got = json_file(make("llama", tokenizer=files.byte_level(pre="smollm")), "tokenizer.json")
check("digits apart", got["pre_tokenizer"] == {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, BYTES]}, got)
got = json_file(make("llama", tokenizer=files.byte_level(pre="llama-bpe")), "tokenizer.json")
check("a pattern, and a text begins with a token", got["model"]["ignore_merges"] and got["pre_tokenizer"]["pretokenizers"][1]["use_regex"] is False
      and got["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"].startswith("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|")
      and got["post_processor"]["single"] == [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], got)

# Pieces with scores: every way to cut a token into two is a merge.
pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + ["\u2581", "a", "b", "\u00e9", "ab", "\u2581a", "aa", "\u2581ab", "aab", "<|x|>", "\u2581aa"]
scores = [0.0] * 259 + [-float(i // 2) for i in range(len(pieces) - 259)]
kinds = [2, 3, 3] + [6] * 256 + [1] * (len(pieces) - 259)
kinds[pieces.index("<|x|>")] = 4
spm = [("tokenizer.ggml.model", "text", "llama"), ("tokenizer.ggml.tokens", ["text"], pieces), ("tokenizer.ggml.scores", ["f32"], scores),
       ("tokenizer.ggml.token_type", ["i32"], kinds)]
ids, want = {t: i for i, t in enumerate(pieces)}, []
for t in pieces:
    cuts = [(t[:i], t[i:]) for i in range(1, len(t)) if t[:i] in ids and t[i:] in ids]
    want += [(scores[ids[t]], a, b) for a, b in sorted(cuts, key=lambda c: (ids[c[0]], ids[c[1]]))]
want.sort(key=lambda m: (m[0], len(m[1]), len(m[2])), reverse=True)
SPACE = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
got = json_file(make("llama", vocab=len(pieces), tokenizer=spm), "tokenizer.json")
check("merges from scores", got["model"]["merges"] == [[a, b] for _, a, b in want] and len(want) == 9, got["model"]["merges"])
check("... of pieces", got["model"]["vocab"] == ids and got["model"]["byte_fallback"] and got["model"]["fuse_unk"] and got["model"]["unk_token"] == "<unk>"
      and got["normalizer"] == {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, SPACE]} and got["pre_tokenizer"] is None
      and [x["type"] for x in got["decoder"]["decoders"]] == ["Replace", "ByteFallback", "Fuse", "Strip"], got)
check("... and its tokens in the text", got["added_tokens"] == [added(t, ids[t], t != "<|x|>") for t in ("<unk>", "<s>", "</s>", "<|x|>")]
      and got["post_processor"]["special_tokens"] == {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}, got)
more = spm + [("tokenizer.ggml.add_space_prefix", "bool", False), ("tokenizer.ggml.add_bos_token", "bool", False), ("tokenizer.ggml.add_eos_token", "bool", True)]
got = json_file(make("llama", vocab=len(pieces), tokenizer=more), "tokenizer.json")
check("no space in front, an end behind", got["normalizer"] == SPACE and len(got["decoder"]["decoders"]) == 3
      and got["post_processor"]["single"] == [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}], got)
got = json_file(make("phi3", vocab=len(pieces), tokenizer=spm), "tokenizer.json")
check("Phi-3's tokens take the space behind them", [t["rstrip"] for t in got["added_tokens"]] == [False, False, True, True], got["added_tokens"])
got = json_file(make("llama", tokenizer=files.byte_level() + [("tokenizer.chat_template", "text", "{{ 'a\"\\n' }}")]), "tokenizer_config.json")
check("the tokenizer's configuration", got["chat_template"] == "{{ 'a\"\\n' }}" and got["bos_token"] == got["eos_token"] == "<|endoftext|>"
      and got["pad_token"] is None and got["add_bos_token"] is False, got)
d = run("peek", "--file", "tokenizer.json", make("llama", tokenizer=[]))
check("a model without a tokenizer", d.returncode == 66 and b"there are: config.json, model.gguf" in d.stderr, d.stderr)
got = json_file(make("llama", keys=[("tokenizer.ggml.eot_token_id", "u32", 5)]), "generation_config.json")
check("a turn ends with another token than a text", got == {"bos_token_id": 0, "eos_token_id": [0, 5]}, got)

# ---- what is not here, by its name ----


def refused(name, code, says, content):
    d = run("peek", "--tensors", write("bad.gguf", content))
    ok = d.returncode == code and d.stderr.count(b"\n") == 1 and says.encode() in d.stderr
    check(name, ok, (d.returncode, d.stderr))


refused("an architecture", 69, "'gemma2'", files.write(*files.model("llama", keys=[("general.architecture", "text", "gemma2")])))
refused("a key", 69, "'llama.logit_scale'", files.write(*files.model("llama", keys=[("llama.logit_scale", "f32", 2.0)])))
refused("attention that looks ahead", 69, "'llama.attention.causal'", files.write(*files.model("llama", keys=[("llama.attention.causal", "bool", False)])))
refused("experts", 69, "'llama.expert_count'", files.write(*files.model("llama", keys=[("llama.expert_count", "u32", 8)])))
refused("a part of a model", 69, "part 2 of 3", files.write(*files.model("llama", keys=[("split.count", "u16", 3), ("split.no", "u16", 1)])))
keys, parts = files.model("llama")
refused("a tensor", 69, "'blk.0.ffn_sub_norm.weight'", files.write(keys, parts + [("blk.0.ffn_sub_norm.weight", "F32", (32,), bytes(128))]))
files.FORMATS["IQ2_XXS"] = (16, 256, 66)
refused("a type", 69, "type IQ2_XXS", files.write(keys, parts + [("blk.0.x.weight", "IQ2_XXS", (1, 256), bytes(66))]))
refused("a pre-tokenizer", 69, "pre-tokenizer 'viking'", files.write(*files.model("llama", tokenizer=files.byte_level(pre="viking"))))
refused("a tokenizer", 69, "tokenizer 'bert'", files.write(*files.model("llama", keys=[("tokenizer.ggml.model", "text", "bert")])))
refused("text that is changed", 69, "'tokenizer.ggml.precompiled_charsmap'", files.write(*files.model("llama", vocab=len(pieces), tokenizer=spm + [
    ("tokenizer.ggml.precompiled_charsmap", ["u8"], [1, 2])])))
refused("scores for some", 65, "'tokenizer.ggml.scores' has 1 entries", files.write(*files.model("llama", vocab=len(pieces), tokenizer=spm[:2] + [
    ("tokenizer.ggml.scores", ["f32"], [1.0])])))
for version in (1, 4, 3 << 24):
    refused(f"version {version}", 69, "GGUF file", files.write(keys, parts, version=version))

# ---- hostile files: one line, exit 65, and memory only for what is there ----


def little():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


def hostile(name, says, content):
    d = subprocess.run(["peek", "--tensors", write("bad.gguf", content)], capture_output=True, preexec_fn=little if limits else None)
    ok = d.returncode == 65 and d.stderr.count(b"\n") == 1 and says.encode() in d.stderr
    check(name, ok, (d.returncode, d.stderr))


def u32(v):
    return struct.pack("<I", v)


def u64(v):
    return struct.pack("<Q", v)


def once(content, old, new):
    assert content.count(old) == 1, old
    return content.replace(old, new)


def described(name, rank, *dims, kind=0, place=0, head=b""):
    """A file with one tensor so described, and one key."""
    info = files.text(name) + u32(rank) + b"".join(u64(d) for d in dims) + u32(kind) + u64(place)
    head = b"GGUF" + u32(3) + u64(1) + u64(1 if head else 0) + head + info
    return head + bytes(-len(head) % 32) + bytes(256)


limits = b"asan" not in os.environ.get("BUILD", "").encode()  # the sanitizers want more room than there is
keys, parts = files.model("llama", "Q8_0", layers=1, inner=32)
whole = files.write(keys, parts)
for n in (4, 8, 23, 24, 60, 300, 9000, len(whole) - 40):
    hostile(f"cut behind byte {n}", "fit into the file" if n in (24, 60) else "cut", whole[:n])
for what, at in (("tensors", 8), ("keys", 16)):
    for v in (1 << 20, 1 << 32, (1 << 63) - 1, (1 << 64) - 1):
        hostile(f"{v} {what}", f"{v} {what} do not fit", whole[:at] + u64(v) + whole[at + 8:])
text = files.text("test")
for v in (1 << 20, 1 << 33, (1 << 64) - 1):
    hostile(f"a text of {v} bytes", f"a text should have {v} bytes", once(whole, text, u64(v) + b"test"))
    hostile(f"a name of {v} bytes", f"a text should have {v} bytes", once(whole, files.text("token_embd.weight"), u64(v) + b"token_embd.weight"))
for kind, v, says in ((8, 1 << 40, "an array of"), (5, (1 << 62) + 1, "values do not fit"), (9, 1, "array of arrays"), (77, 1, "unknown type 77")):
    hostile(f"an array of {v} of type {kind}", says, once(whole, u32(8) + text, u32(9) + u32(kind) + u64(v) + text))
hostile("a value of an unknown type", "unknown type 13", once(whole, u32(8) + text, u32(13) + text))
hostile("a text that is no UTF-8", "'general.name': a text is not UTF-8", once(whole, text, u64(4) + b"t\xc3(t"))
hostile("a key that is no UTF-8", "is not UTF-8", once(whole, b"general.name", b"general.\xff\xfeme"))
hostile("a token that is no UTF-8", "'tokenizer.ggml.tokens': a text is not UTF-8", once(whole, files.text("<|endoftext|>") + text[:0] + u64(2), u64(13) + b"<|\xffndoftext|>" + u64(2)))
hostile("a name that a terminal obeys", "tensor '?[2J'", described("\x1b[2J", 0))
hostile("an empty key", "a name is empty", once(whole, files.text("general.name"), u64(0)))
hostile("a key with a zero", "U+0000", once(whole, b"general.name", b"general.nam\0"))
hostile("a key twice", "key 'general.name' is there twice", files.write(keys + [("general.name", "text", "again")], parts))
hostile("a tensor twice", "tensor 'output_norm.weight' is there twice", files.write(keys, parts + [p for p in parts if p[0] == "output_norm.weight"]))
for a in (0, 3, 48, 1 << 20, (1 << 32) - 1):
    hostile(f"an alignment of {a}", f"'general.alignment' is {a}", files.write(keys + [("general.alignment", "u32", a)], parts))
hostile("an alignment that is a text", "'general.alignment' is not an integer", files.write(keys + [("general.alignment", "text", "32")], parts))
hostile("a place that is not aligned", "no multiple of the alignment", described("x", 1, 8, place=16))
hostile("a place behind the end", "are not inside the 256 bytes", described("x", 1, 8, place=1 << 40))
hostile("a place that wraps round", "are not inside the 256 bytes", described("x", 1, 8, place=(1 << 64) - 32))
hostile("no dimensions", "it has 0 dimensions", described("x", 0, 8))
hostile("five dimensions", "it has 5 dimensions", described("x", 5, 1, 1, 1, 1, 1))
hostile("a dimension of 0", "a dimension of 0", described("x", 2, 8, 0))
hostile("a dimension below 0", "a dimension of 18446744073709551615", described("x", 2, 8, (1 << 64) - 1))
hostile("dimensions whose product is too large", "its shape is too large", described("x", 2, 1 << 33, 1 << 31))
hostile("... and comes out small", "its shape is too large", described("x", 3, 1 << 32, 1 << 31, 2))
hostile("rows that are no whole blocks", "a row has 40 values, which are no whole blocks of 32", described("x", 2, 40, 4, kind=8))
hostile("a type that never was", "its type 4 is not known", described("x", 1, 8, kind=4))
hostile("a type out of all ranges", "its type 4294967295 is not known", described("x", 1, 8, kind=(1 << 32) - 1))
place = whole.index(files.text("blk.0.attn_q.weight")) + 8 + len("blk.0.attn_q.weight") + 4 + 16 + 4
hostile("tensors that overlap", "overlap", whole[:place] + u64(32) + whole[place + 8:])
for name, says, key in (("heads that do not divide the width", "do not go together", ("llama.attention.head_count", "u32", 5)),
                        ("no heads", "not from 1 to", ("llama.attention.head_count", "u32", 0)),
                        ("layers without end", "not from 1 to", ("llama.block_count", "u64", (1 << 64) - 1)),
                        ("a width below 0", "not from 1 to", ("llama.embedding_length", "i32", -32)),
                        ("a width that is a text", "is not an integer", ("llama.embedding_length", "text", "32")),
                        ("a base that is no number", "is not a finite number", ("llama.rope.freq_base", "f32", float("nan"))),
                        ("a base of 0", "'llama.rope.freq_base' is 0, which is not above 0", ("llama.rope.freq_base", "f32", 0.0)),
                        ("a base below 0", "'llama.rope.freq_base' is -1, which is not above 0", ("llama.rope.freq_base", "f32", -1.0)),
                        ("an epsilon below 0", "'llama.attention.layer_norm_rms_epsilon' is -1, which is negative",
                         ("llama.attention.layer_norm_rms_epsilon", "f32", -1.0)),
                        ("another number of rows", "has 270 rows, 'vocab_size' is 99", ("llama.vocab_size", "u32", 99)),
                        ("a token beyond all", "'tokenizer.ggml.bos_token_id' is 270", ("tokenizer.ggml.bos_token_id", "u32", 270)),
                        ("types for some tokens", "has 1 entries for", ("tokenizer.ggml.token_type", ["i32"], [1])),
                        ("tokens that are numbers", "is not an array of the usual type", ("tokenizer.ggml.tokens", ["u32"], [1])),
                        ("no architecture", "'general.architecture' is not a text", ("general.architecture", "u32", 1))):
    hostile(name, says, files.write(*files.model("llama", "Q8_0", layers=1, inner=32, keys=[key])))
hostile("more heads than rows", "2 heads make 16", files.write(*(lambda k, p: (k, [("blk.0.attn_k.weight", "F32", (8, 32), bytes(1024)) if t[0] == "blk.0.attn_k.weight" else t for t in p]))(*files.model("llama"))))

finish()
