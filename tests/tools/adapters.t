#!/usr/bin/python3
"""Which adapters predict and lora-train take: what the config names must be there, all of it and no more."""
import json
import os
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import streams  # noqa: E402
from tap import check, finish  # noqa: E402

scratch = tempfile.TemporaryDirectory()
place = lambda name: os.path.join(scratch.name, name)  # noqa: E731
DIM, INNER, LAYERS, RANK = 32, 128, 3, 2
SHAPES = {"self_attn.q_proj": (DIM, DIM), "self_attn.k_proj": (DIM, DIM), "self_attn.v_proj": (DIM, DIM),
          "self_attn.dense": (DIM, DIM), "mlp.fc1": (INNER, DIM), "mlp.fc2": (DIM, INNER)}
ALL = [f"model.layers.{i}.{m}" for i in range(LAYERS) for m in SHAPES]
NAMES = ["q_proj", "k_proj", "v_proj", "dense", "fc1", "fc2"]
rows = [{"ids": [3, 5, 8, 13, 21], "n_prompt": 2}]


def tensors(paths, value=0.01, halves="AB", ranks={}):
    """The pairs of these linears, all of one value."""
    made = {}
    for p in paths:
        out, into = next(SHAPES[m] for m in SHAPES if p.endswith(m))
        r = ranks.get(p, RANK)
        for half, shape in ("A", [r, into]), ("B", [out, r]):
            if half in halves:
                made[f"base_model.model.{p}.lora_{half}.weight"] = (shape, struct.pack("<f", value) * (shape[0] * shape[1]))
    return made


def save(made, **config):
    """An adapter's folder; config adds to what PEFT writes."""
    folder = place("adapter")
    os.makedirs(folder, exist_ok=True)
    head, data = {"__metadata__": {"format": "pt"}}, b""
    for name, (shape, values) in made.items():
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(head).encode()
    with open(os.path.join(folder, "adapter_model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    whole = {"peft_type": "LORA", "r": RANK, "lora_alpha": 4, "target_modules": NAMES, "task_type": "CAUSAL_LM",
             "peft_version": "0.18.0", "runtime_config": {"ephemeral_gpu_offload": False}} | config
    with open(os.path.join(folder, "adapter_config.json"), "w") as f:
        json.dump({k: v for k, v in whole.items() if v != "absent"}, f)
    return folder


def run(*words, data=None):
    return subprocess.run(words, input=streams.stream(rows) if data is None else data, capture_output=True)


def predict(folder, *options):
    return run("predict", "-m", place("model"), "-a", folder, "--mode", "loss", *options)


def loss(folder, *options):
    done = predict(folder, *options)
    return streams.records(done.stdout)[1][0]["loss"] if done.returncode == 0 else done.stderr.decode()


def takes(name, made, **config):
    done = predict(save(made, **config))
    check(name, done.returncode == 0 and not done.stderr, done.stderr)


def refuses(name, code, words, made, **config):
    for tool in "predict", "lora-train":
        folder = save(made, **config)
        if tool == "predict":
            done = predict(folder, "-o", place("out"))
        else:
            done = run(tool, "-m", place("model"), "--init-adapter", folder, "--max-steps", "1", "-o", place("out"))
        said = done.stderr.decode()
        check(f"{tool}: {name}", done.returncode == code and all(w in said for w in words) and said.count("\n") == 1 and
              not os.path.exists(place("out")), f"{done.returncode} {said}")


subprocess.run(["mkmodel", "--hidden", str(DIM), "--layers", str(LAYERS), "--heads", "4", "--partial-rotary-factor", "0.5", "--vocab", "64",
                "--max-positions", "64", "-o", place("model") + "/"], check=True)

# ---- all that the config names ----

takes("all linears", tensors(ALL))
takes("... named by all-linear", tensors(ALL), target_modules="all-linear")
few = [p for p in ALL if p.endswith(("q_proj", "fc2"))]
takes("two linears of each layer", tensors(few), target_modules=["q_proj", "mlp.fc2"])
takes("whole paths", tensors([ALL[0], ALL[-1]]), target_modules=[ALL[0], ALL[-1]])
takes("an expression", tensors(few), target_modules=r".*\.layers\.\d+\.(?:self_attn\.q_proj|mlp\.fc[2-9])")
takes("one layer", tensors(ALL[6:12]), layers_to_transform=1)
takes("two layers", tensors(ALL[:6] + ALL[12:]), layers_to_transform=[0, 2])
takes("... with their pattern", tensors(ALL[:6]), layers_to_transform=[0], layers_pattern="layers")
takes("... with one of several", tensors(ALL[:6]), layers_to_transform=[0], layers_pattern=["h", "lay.rs"])
takes("a whole path is not asked for its layer", tensors([ALL[0]]), target_modules=[ALL[0]], layers_to_transform=[2])
takes("linears left out by name", tensors([p for p in ALL if not p.endswith("fc1")]), exclude_modules=["fc1"])
takes("... by whole path", tensors(ALL[1:]), exclude_modules=[ALL[0]])
takes("... by expression", tensors(ALL[6:]), exclude_modules=r"model\.layers\.0\..*")
takes("a config that names nothing", tensors(ALL[:3]), target_modules=None)
odd = {p: 4 for p in ALL if p.endswith("fc1")}
takes("ranks of their own", tensors(ALL, ranks=odd), rank_pattern={"fc1": 4}, alpha_pattern={r".*\.0\.mlp\.fc2": 8})
takes("... by expression", tensors(ALL, ranks=odd), rank_pattern={r"^model\.layers\.\d\.mlp\.fc1": 4})

# ---- what is missing, and what is too much ----

half = tensors(ALL[:9])
refuses("half of the tensors", 65, ["for 9 of the 18 linears", f"('{ALL[9]}' and 8 more)", "--partial-adapter"], half)
refuses("a layer of a larger model", 65, ["for 6 of the 18", ALL[12]], tensors(ALL[:12]), target_modules="all-linear")
refuses("one linear by its expression", 65, ["for 1 of the 6", ALL[17]], tensors(few[:-1]),
        target_modules=r"model\.layers\.[0-9]+\.(self_attn\.q|mlp\.fc2)(_proj)?")
refuses("one of the layers", 65, ["for 6 of the 12", ALL[6]], tensors(ALL[:6]), layers_to_transform=[0, 1])
refuses("A without B", 65, ["for 1 of the 18", ALL[4]], {k: v for k, v in tensors(ALL).items()
                                                        if k != f"base_model.model.{ALL[4]}.lora_B.weight"})
refuses("... where the config names nothing", 65, ["no lora_B", ALL[0]], tensors([ALL[0]], halves="A"), target_modules=None)
refuses("tensors of linears that are not named", 65, ["does not name", ALL[4]], tensors(ALL),
        target_modules=[n for n in NAMES if n != "fc1"])
refuses("... that are left out", 65, ["does not name", ALL[0]], tensors(ALL), exclude_modules=[ALL[0]])
refuses("... of layers that are not listed", 65, ["does not name", ALL[0]], tensors(ALL), layers_to_transform=[1, 2])
refuses("... whose pattern is another", 65, ["does not name", ALL[0]], tensors(ALL[:6]), layers_to_transform=[0],
        layers_pattern="h")
refuses("a layer that the model does not have", 65, ["for 1 of the 7", "all of layer 9"], tensors(ALL[:6]), layers_to_transform=[0, 9])
more = {k.replace("layers.2", "layers.7"): v for k, v in tensors(ALL).items()}
refuses("tensors of a deeper model", 65, ["no place for 12 of its 36 tensors", "layers.7.mlp.fc1.lora_A.weight' and 11 more", "trained on, org/large,"], more,
        base_model_name_or_path="org/large")

whole, plain = loss(save(tensors(ALL))), loss(save(tensors(ALL, value=0)))
part = loss(save(half), "--partial-adapter")
zeros = loss(save(half | tensors(ALL[9:], value=0)))
check("--partial-adapter: what is not there changes nothing", part == zeros and part not in (whole, plain),
      (part, zeros, whole, plain))
lone = loss(save(half | tensors(ALL[9:], halves="A")), "--partial-adapter")
check("--partial-adapter: nor does half a pair", lone == part, (lone, part))
done = predict(save(half), "--partial-adapter")
check("--partial-adapter: says how much", b"for 9 of the 18" in done.stderr, done.stderr)
again = place("again/")
done = run("lora-train", "-m", place("model"), "--init-adapter", save(half), "--partial-adapter", "--max-steps", "1",
           "-o", again)
check("lora-train --partial-adapter trains what is there", done.returncode == 0, done.stderr)
check("... into an adapter that is whole", not predict(again).stderr, predict(again).stderr)

# ---- what is not supported is named ----

for key, value in [("use_dora", True), ("fan_in_fan_out", True), ("bias", "all"), ("bias", "lora_only"), ("lora_bias", True),
                   ("modules_to_save", ["lm_head"]), ("use_qalora", True), ("layer_replication", [[0, 2], [1, 3]]),
                   ("trainable_token_indices", [3]), ("target_parameters", ["x"]), ("alora_invocation_tokens", [1]),
                   ("peft_type", "LOHA"), ("use_bdlora", {"x": 1}), ("arrow_config", {"top_k": 3})]:
    done = predict(save(tensors(ALL), **{key: value}))
    check(f"refused by name: {key} {json.dumps(value)}", done.returncode == 69 and f"'{key}'" in done.stderr.decode(), done.stderr)
for start in "pissa", "olora", "corda", "loftq":
    done = predict(save(tensors(ALL), init_lora_weights=start))
    check(f"refused by name: a base changed by {start}", done.returncode == 69 and start in done.stderr.decode(), done.stderr)
for text, what, code in [("(?!x).*", "(?!", 69), (r".*\bfc1", r"\\b", 69), ("(.*", "no regular expression", 65), ("fc1)|(.*", "no regular expression", 65),
                         ("a{100}", "{100}", 69), ("[a", "no regular expression", 65)]:
    done = predict(save(tensors(ALL), target_modules=text))
    check(f"refused: the expression {text}", done.returncode == code and what.replace("\\\\", "\\") in done.stderr.decode(), done.stderr)
done = predict(save(tensors(ALL), use_newest_thing=True))
check("a key that nobody knows is said", done.returncode == 0 and b"'use_newest_thing'" in done.stderr, done.stderr)
done = predict(save(tensors(ALL), target_modules=NAMES + ["o_proj", "Wqkv"]))
check("targets of other models are said", done.returncode == 0 and b"does not have: 'o_proj' and 1 more" in done.stderr, done.stderr)
done = predict(save(tensors(ALL), rank_pattern={"fc1": 2.5}))
check("a rank that is none", done.returncode == 65 and b"'fc1'" in done.stderr, done.stderr)

finish()
