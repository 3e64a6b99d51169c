#!/usr/bin/python3
"""quantize-nf4 of a GGUF file: the NF4 that the float32 folder of the same values gives, and with --dequantize that folder."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import gguf_files as files  # noqa: E402
from tap import check, finish, good, read, root, run, shared, skip, write  # noqa: E402

scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)


def tensors(path):
    """name: (type, shape, bytes, digest)"""
    lines = good("peek", "--tensors", path).decode().splitlines()[1:]
    return {r[0]: (r[1], json.loads(r[2]), int(r[3]), r[4]) for r in (line.split("\t") for line in lines)}


def values(path):
    """name: bytes of every tensor of a safetensors file"""
    content = read(path)
    n = struct.unpack("<Q", content[:8])[0]
    head = json.loads(content[8:8 + n])
    return {k: content[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]] for k, v in head.items() if k != "__metadata__"}


def folder(path):
    return {name: read(f"{path}/{name}") for name in sorted(os.listdir(path))}


def untar(path):
    good("mkdir", "-p", path + ".d")
    good("tar", "-C", path + ".d", "-xf", path)
    return folder(path + ".d")


# ---- values of the real libraries ----

place = f"{shared}/golden/gguf/a"
kinds = sorted(n[6:-5] for n in os.listdir(place) if n.startswith("model-") and n.endswith(".gguf")) if os.path.isdir(place) else []
for kind in kinds:
    with open(f"{place}/config-{kind}.json") as f:
        want = json.load(f)["sha256"]
    path = f"{place}/model-{kind}.gguf"
    good("quantize-nf4", "--dequantize", path, "-o", f"g-{kind}/")
    got = tensors(f"g-{kind}")
    check(f"{kind}: every tensor is what gguf makes of it", {n: t[3] for n, t in got.items()} == want and {t[0] for t in got.values()} == {"F32"},
          got)
    good("quantize-nf4", path, "-o", f"gq-{kind}/")
    good("quantize-nf4", f"g-{kind}", "-o", f"gf-{kind}/")
    check(f"{kind}: NF4 of it is that of its floats", folder(f"gq-{kind}") == folder(f"gf-{kind}"))
if not kinds:
    skip("the small models", "no ../shared/golden/gguf")

# ---- every type and family of our own ----

with open(f"{root}/tests/parity/gguf.json") as f:
    recorded = json.load(f)["cases"]
FLOATS = ("F32", "F16", "BF16")
for name, (keys, parts) in files.cases().items():
    write("m.gguf", files.write(keys, parts))
    was = tensors("m.gguf")
    good("quantize-nf4", "--dequantize", "m.gguf", "-o", f"{name}/")
    now = tensors(name)
    check(f"{name}: tensors as they are, blocks in float32",
          set(now) == set(was) and all(now[n][:2] == (was[n][0] if was[n][0] in FLOATS else "F32", was[n][1]) for n in now)
          and all(now[n] == was[n] for n in now if was[n][0] in FLOATS), now)
    files_of_it = {n: good("peek", "--file", n, "m.gguf") for n in ("config.json", "tokenizer.json", "tokenizer_config.json")}
    made = folder(name)
    check(f"{name}: ... and its files", set(made) == set(files_of_it) | {"model.safetensors"} and json.loads(made["config.json"]) == recorded[name]["config"]
          and all(made[n] == files_of_it[n] for n in files_of_it if n != "config.json"), set(made))
    good("quantize-nf4", "m.gguf", "-o", f"{name}-q/")
    good("quantize-nf4", name, "-o", f"{name}-f/")
    check(f"{name}: NF4", folder(f"{name}-q") == folder(f"{name}-f") and any(n.endswith(".absmax") for n in tensors(f"{name}-q")))

# ---- one model, four forms ----

keys, parts = files.model("llama", "Q4_1", tied=True, seed=7, keys=[("tokenizer.ggml.eot_token_id", "u32", 5)])
parts = [files.Noise(3).tensor(n, "Q8_0", s) if n == "token_embd.weight" else (n, t, s, c) for n, t, s, c in parts]
parts = [files.Noise(4).tensor(n, "F16", s) if n == "blk.1.attn_output.weight" else (n, t, s, c) for n, t, s, c in parts]
whole = files.write(keys, parts)
write("m.gguf", whole)
with zipfile.ZipFile("m.zip", "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("pack/m.gguf", whole)
good("quantize-nf4", "--dequantize", "m.gguf", "-o", "floats/")
check("a mixed file: all in float32", {t[0] for t in tensors("floats").values()} == {"F32"}
      and json.loads(read("floats/config.json"))["torch_dtype"] == "float32")
check("generation_config.json comes along", sorted(folder("floats")) == ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
                                                                        "tokenizer_config.json"], sorted(folder("floats")))
check("... with any number of threads, from a zip, from a pipe", all(
    good("quantize-nf4", "--dequantize", *a, "-o", f"floats{i}/", data=whole) is not None and folder(f"floats{i}") == folder("floats")
    for i, a in enumerate((["-j", "1", "m.gguf"], ["-j", "3", "m.gguf"], ["m.zip"], ["-"], ["--device", "ref", "m.gguf"]))))
good("quantize-nf4", "--dequantize", "m.gguf", "-o", "floats.tar")
check("... and into a tar", untar("floats.tar") == folder("floats"))
FORMS = {"nf4": [], "nested": ["--double-quant"], "blocks of 128": ["--blocksize", "128", "--double-quant", "--nested-compat", "bnb-cpu"],
         "some": ["--skip-modules", "k_proj,layers.0.mlp.up_proj"], "few": ["--modules", "q_proj,down_proj", "--compute-dtype", "bfloat16"]}
for i, (name, options) in enumerate(FORMS.items()):
    good("quantize-nf4", *options, "floats", "-o", f"want{i}/", "--report", f"want{i}.tsv")
    want = folder(f"want{i}")
    for j, more in enumerate((["m.gguf"], ["-j", "1", "m.gguf"], ["-j", "3", "m.zip"], ["--device", "ref", "m.gguf"])):
        good("quantize-nf4", *options, *more, "-o", f"got{i}{j}/")
        check(f"{name}: {' '.join(more)}", folder(f"got{i}{j}") == want)
    good("quantize-nf4", *options, "m.gguf", "-o", f"got{i}.tar", "--report", f"got{i}.tsv")
    check(f"{name}: into a tar, with the same report", untar(f"got{i}.tar") == want and read(f"got{i}.tsv") == read(f"want{i}.tsv"))
    d = run("quantize-nf4", *options, "--verify", f"want{i}", "m.gguf")
    check(f"{name}: verified", d.returncode == 0 and not d.stderr, d.stderr)
d = run("quantize-nf4", "--verify", "want1", "m.gguf")
check("another form is not what is verified", d.returncode == 1 and b"another type or shape" in d.stderr, d.stderr)
got = tensors("want3")
check("what is left out is in float32", got["model.layers.0.mlp.up_proj.weight"][0] == got["model.embed_tokens.weight"][0] == "F32"
      and got["model.layers.0.mlp.up_proj.weight"] == tensors("floats")["model.layers.0.mlp.up_proj.weight"], got)
config = json.loads(read("want4/config.json"))
check("the type to compute in is the model's, or what is said", config["quantization_config"]["bnb_4bit_compute_dtype"] == "bfloat16"
      and json.loads(read("want0/config.json"))["quantization_config"]["bnb_4bit_compute_dtype"] == "float32" and config["torch_dtype"] == "float32", config)
d = run("quantize-nf4", "--modules", "fc1", "m.gguf", "-o", "no/")
check("a name that nothing has", d.returncode == 2 and b"'fc1'" in d.stderr and not os.path.exists("no"), d.stderr)

# ---- other types ----

for kind, form in ("bfloat16", "BF16"), ("float16", "F16"), ("float32", "F32"):
    good("quantize-nf4", "--dequantize", "--compute-dtype", kind, "m.gguf", "-o", f"{kind}/")
    got = tensors(kind)
    check(f"{kind}: matrices, while norms stay", all(t[0] == (form if len(t[1]) == 2 else "F32") for t in got.values())
          and json.loads(read(kind + "/config.json"))["torch_dtype"] == kind, got)


def bf16(f32):
    out = bytearray()
    for (u,) in struct.iter_unpack("<I", f32):
        out += struct.pack("<H", (u + 0x7fff + (u >> 16 & 1)) >> 16)
    return bytes(out)


exact, half, brain = values("floats/model.safetensors"), values("float16/model.safetensors"), values("bfloat16/model.safetensors")
for n in "model.embed_tokens.weight", "model.layers.1.self_attn.q_proj.weight":
    floats = struct.unpack(f"<{len(exact[n]) // 4}f", exact[n])
    check(f"{n} rounded once", half[n] == struct.pack(f"<{len(floats)}e", *floats) and brain[n] == bf16(exact[n]))
n = "model.layers.1.self_attn.o_proj.weight"
halves = next(c for name, _, _, c in parts if name == "blk.1.attn_output.weight")
floats = struct.unpack(f"<{len(halves) // 2}e", halves)
check("... from float16 too", half[n] == halves and exact[n] == struct.pack(f"<{len(floats)}f", *floats) and brain[n] == bf16(exact[n]))


def with_block(name, block, content, source=parts):
    """The model with other bytes in one block of a tensor of the file."""
    out = []
    for n, t, s, c in source:
        if n == name:
            size = files.FORMATS[t][2]
            c = c[:block * size] + content + c[block * size + len(content):]
        out.append((n, t, s, c))
    return files.write(keys, out)


# in a block of Q8_0: 60000 times 127
write("large.gguf", with_block("token_embd.weight", 5, struct.pack("<e32b", 60000.0, *[127] * 32)))
d = run("quantize-nf4", "--dequantize", "--compute-dtype", "float16", "large.gguf", "-o", "no/")
check("beyond float16", d.returncode == 70 and b"tensor 'model.embed_tokens.weight' has 7.62e+06 at element 160, beyond what float16 can hold" in d.stderr
      and d.stderr.count(b"\n") == 1 and not os.path.exists("no"), d.stderr)
d = run("quantize-nf4", "--dequantize", "--compute-dtype", "bfloat16", "large.gguf", "-o", "large/")
check("... and not beyond bfloat16", d.returncode == 0, d.stderr)

# ---- scales that are no numbers ----

write("lines.txt", b"hello there 12\nabc\n")
write("m.tok", good("tokenize", "--lines", "-m", "m.gguf", data=b"hello there 12\nabc\n"))
d, bad = "tensor '%s' is not a finite number at element %d; fetch or make the model again", {
    # down_proj has 64 columns, so row 3 begins with block 6; rows of q are moved, so a whole row of blocks is bad
    "nan in a linear": ("blk.0.ffn_down.weight", 6, struct.pack("<ee", float("nan"), 1), "model.layers.0.mlp.down_proj.weight", 192),
    "infinity in a linear": ("blk.0.ffn_down.weight", 7, struct.pack("<ee", float("inf"), 1), "model.layers.0.mlp.down_proj.weight", 224),
    "an infinite minimum": ("blk.1.ffn_up.weight", 9, struct.pack("<ee", 1, -float("inf")), "model.layers.1.mlp.up_proj.weight", 288),
    "the second row of rotary pairs": ("blk.1.attn_q.weight", 1, struct.pack("<ee", float("nan"), 0), "model.layers.1.self_attn.q_proj.weight", 128),
    "nan in the embedding": ("token_embd.weight", 269, struct.pack("<e", float("nan")), "model.embed_tokens.weight", 8608),
}
for what, (name, block, content, hf, element) in bad.items():
    write("bad.gguf", with_block(name, block, content))
    says = f"bad.gguf: {d % (hf, element)}\n".encode()
    for command in (["quantize-nf4", "bad.gguf", "-o", "no/"], ["quantize-nf4", "bad.gguf", "-o", "no.tar"], ["quantize-nf4", "--device", "ref", "bad.gguf", "-o", "no/"],
                    ["quantize-nf4", "bad.gguf", "-o", "no/", "--report", "no.tsv"], ["quantize-nf4", "--verify", "want0", "bad.gguf"],
                    ["quantize-nf4", "--dequantize", "bad.gguf", "-o", "no/"], ["quantize-nf4", "--dequantize", "bad.gguf", "-o", "no.tar"],
                    ["predict", "-m", "bad.gguf", "--mode", "loss", "m.tok", "-o", "no"], ["lora-train", "-q", "-m", "bad.gguf", "m.tok", "-o", "no.tar"]):
        got = run(*command)
        check(f"{what}: {' '.join(command)}", got.returncode == 70 and got.stderr.endswith(says) and got.stderr.count(b"\n") == 1
              and not any(os.path.exists(n) for n in ("no", "no.tar", "no.tsv")), (got.returncode, got.stderr))

# ---- one base model ----

adapter = ["--max-steps", "2", "--r", "2", "-q", "m.tok"]
forms = {"the file": "m.gguf", "its floats": "floats", "NF4 of it": "want0", "nested": "want1", "NF4 of its floats, back": "back"}
good("quantize-nf4", "want0", "--dequantize", "-o", "back/")
for name, form in forms.items():
    good("lora-train", "-m", form, *adapter, "-o", f"adapter-{form}.tar")
heads = {}
for name, form in forms.items():
    untar(f"adapter-{form}.tar")
    content = read(f"adapter-{form}.tar.d/adapter_model.safetensors")
    heads[name] = json.loads(content[8:8 + struct.unpack("<Q", content[:8])[0]])["__metadata__"]
bases = {tuple(sorted((k, v) for k, v in h.items() if k not in ("format", "slmtools_chain"))) for h in heads.values()}
check("an adapter names the same base for every form", len(bases) == 1 and len(next(iter(bases))) == 1, heads)
for a in forms.values():
    for b in forms.values():
        d = run("predict", "-q", "-m", b, "-a", f"adapter-{a}.tar", "--mode", "loss", "m.tok")
        check(f"of {a} on {b}", d.returncode == 0, d.stderr)
loss = {form: [json.loads(x)["loss"] for x in good("peek", "--jsonl", data=good("predict", "-q", "-m", form, "-a", "adapter-m.gguf.tar", "--mode", "loss",
                                                                              "m.tok")).splitlines()] for form in ("m.gguf", "floats", "want0")}
check("... with the same losses on the file and on its floats", loss["m.gguf"] == loss["floats"] != loss["want0"], loss)
write("other.gguf", files.write(*files.model("llama", "Q4_1", tied=True, seed=8)))
d = run("predict", "-q", "-m", "other.gguf", "-a", "adapter-m.gguf.tar", "--mode", "loss", "--trust-tokens", "m.tok")
check("... and not on another", d.returncode == 65 and b"another base model" in d.stderr, d.stderr)

# ---- memory ----

if "asan" in os.environ.get("BUILD", ""):
    skip("memory", "sanitizers take their own")
else:
    # Large beside the program itself (some 20 MiB): the kernel maps 2 MiB at a time where it can, and sums up late.
    keys, parts = files.model("llama", "Q8_0", dim=32, inner=64, layers=8)
    wide = {"llama.embedding_length": 1024, "llama.feed_forward_length": 4096}
    keys = [(k, t, wide.get(k, 256 if k == "llama.rope.dimension_count" else v)) for k, t, v in keys]
    parts = [(n, t, tuple({32: 1024, 64: 4096, 16: 512}.get(x, x) for x in s), c) for n, t, s, c in parts]
    block = files.Noise(1).tensor("", "Q8_0", (1, 32 * 64))[3]
    parts = [(n, t, s, (c * (files.size(t, s) // len(c) + 1) if t == "F32" else block * (files.size(t, s) // len(block) + 1))[:files.size(t, s)])
             for n, t, s, c in parts]
    write("wide.gguf", files.write(keys, parts))
    size = os.path.getsize("wide.gguf")
    measure = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    for options in (["-o", "wide1/"], ["-o", "wide2.tar"], ["-o", "wide3/", "--dequantize", "--compute-dtype", "bfloat16"]):
        most = 1024 * int(good("/usr/bin/python3", "-c", measure, "quantize-nf4", "-j", "2", "wide.gguf", *options))
        check(f"{size >> 20} MiB of blocks in {most >> 20} MiB of memory: {' '.join(options)}", most < 0.6 * size, (most, size))
    check("... the same bytes in one pass and in two", untar("wide2.tar") == folder("wide1"))

# ---- the real model ----

fetch = subprocess.run([root + "/pipelines/smollm2/fetch"], capture_output=True, text=True, env={**os.environ, "PIP": "false"})
package = os.environ.get("SMOLLM2") or fetch.stdout.strip()
if os.path.exists(package) and os.path.isdir(shared + "/golden/smollm2"):
    with open(shared + "/golden/smollm2/smollm2.json") as f:
        want = json.load(f)["tensors"]
    good("quantize-nf4", "--dequantize", package, "-o", "smol/")
    got = {n: t[3] for n, t in tensors("smol").items()}
    check("SmolLM2: its 272 tensors in float32", got == want and len(got) == 272, [n for n in want if got.get(n) != want[n]])
    good("quantize-nf4", "smol", "-o", "smol-f/")
    d = run("quantize-nf4", "--verify", "smol-f", package)
    check("SmolLM2: NF4 of the file is that of its floats", d.returncode == 0, d.stderr)
else:
    skip("SmolLM2", "the model is not in the cache (make demo fetches it)" if os.path.isdir(shared + "/golden/smollm2") else "../shared is not there")

finish()
