#!/bin/sh
# Files of every family that do not fit, or say things twice; and whose model an adapter is.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1

# edit FOLDER PYTHON: the folder "edited", with HEADER (name to entry of the safetensors header) and CONFIG changed; put(NAME, SHAPE)
# adds a tensor of zeros
edit() {
	rm -rf edited && cp -r "$1" edited && chmod -R u+w edited && python3 - "$2" <<'IN'
import json, struct, sys
data = open("edited/model.safetensors", "rb").read()
n, = struct.unpack("<Q", data[:8])
header, body, config = json.loads(data[8:8 + n]), data[8 + n:], json.load(open("edited/config.json"))
def put(name, shape):
    global body
    size = 4
    for s in shape:
        size *= s
    header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + size]}
    body += bytes(size)
def rename(old, new):
    header[new] = header.pop(old)
exec(sys.argv[1])
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open("edited/model.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + body)
json.dump(config, open("edited/config.json", "w"))
IN
}

small="--hidden 64 --layers 2 --heads 4 --kv-heads 2 --vocab 64 --intermediate 96"
for family in llama mistral qwen2 qwen3 phi3
do	# shellcheck disable=SC2086
	mkmodel $small --arch $family -o $family/
done
# shellcheck disable=SC2086
mkmodel $small --arch llama --tied -o tied/
for i in 0 1 2 3; do echo "{\"id\": $i, \"ids\": [$i, 5, 9, 6, 1, 60]}"; done | peek --from-jsonl --kind tokens -o data
layer=model.layers.1.

while IFS='|' read -r family change code what
do
	it "$family, $change: $what"
	edit "$family" "$change"
	run predict -m edited --mode logits data
	exit_is "$code"
	one_line
	err_has "$what"
done <<CASES
qwen3|rename("${layer}self_attn.q_norm.weight", "x")|65|tensor '${layer}self_attn.q_norm.weight' is missing
qwen3|config["head_dim"] = 32|65|tensor 'model.layers.0.self_attn.q_norm.weight' has shape 16, config.json wants 32
qwen3|config["attention_bias"] = True|65|tensor 'model.layers.0.self_attn.q_proj.bias' is missing
qwen2|rename("${layer}self_attn.v_proj.bias", "x")|65|tensor '${layer}self_attn.v_proj.bias' is missing
llama|config["num_key_value_heads"] = 4|65|tensor 'model.layers.0.self_attn.k_proj.weight' has shape 32x64, config.json wants 64x64
llama|config["mlp_bias"] = True|65|tensor 'model.layers.0.mlp.gate_proj.bias' is missing
llama|rename("${layer}mlp.gate_proj.weight", "x")|65|tensor '${layer}mlp.gate_proj.weight' is missing
llama|rename("lm_head.weight", "x")|65|tensor 'lm_head.weight' is missing
mistral|rename("${layer}post_attention_layernorm.weight", "x")|65|tensor '${layer}post_attention_layernorm.weight' is missing
phi3|config["num_key_value_heads"] = 4|65|tensor 'model.layers.0.self_attn.qkv_proj.weight' has shape 128x64, config.json wants 192x64
phi3|rename("${layer}mlp.gate_up_proj.weight", "x")|65|tensor '${layer}mlp.gate_up_proj.weight' is missing
phi3|config["model_type"] = "llama"|65|tensor 'model.layers.0.self_attn.q_proj.weight' is missing
llama|config["model_type"] = "mixtral"|69|model type 'mixtral' is not supported; this build knows phi, llama, mistral, qwen2, qwen3, phi3
llama|config["rope_scaling"] = {"rope_type": "yarn", "factor": 4.0}|69|rope_scaling: type 'yarn' is not supported
llama|config["quantization_config"] = {"quant_method": "awq", "bits": 4}|69|'awq'
CASES

it "says what is in the file and in no part of the model"
edit llama 'put("model.layers.0.self_attn.q_proj.bias", [64])'
run predict -m edited --mode logits data -o one --force
ok
err_has "1 of the tensors belong to no part of the model and are left out, first 'model.layers.0.self_attn.q_proj.bias'"

it "leaves out buffers of rotations without a word"
edit llama 'put("model.layers.0.self_attn.rotary_emb.inv_freq", [8])'
run predict -q -m edited --mode logits data -o two --force
ok
check test ! -s err
check test "$(peek --jsonl one)" = "$(peek --jsonl two)"

it "takes a tied head that is stored as well, and does not look at it"
predict -q -m tied --mode logits data -o one --force
edit tied 'put("lm_head.weight", [64, 64])'
run predict -q -m edited --mode logits data -o two --force
ok
check test ! -s err
check test "$(peek --jsonl one)" = "$(peek --jsonl two)"

some="--max-steps 2 --gradient-accumulation-steps 2 --r 2 --learning-rate 1e-2"
for family in llama mistral qwen2 qwen3 phi3
do
	# shellcheck disable=SC2086
	mkmodel $small --arch $family --seed 43 -o other-$family/
	it "quantises $family: all of its linears, and no other matrix"
	run quantize-nf4 -q $family -o $family.nf4/
	ok
	run peek --tensors $family.nf4
	check test "$(grep -c 'proj.weight.absmax' out)" -eq "$(peek --tensors $family | grep -c 'proj.weight')"
	check test "$(grep -c absmax out)" -eq "$(grep -c proj.weight.absmax out)"

	it "knows the base of an adapter of $family"
	# shellcheck disable=SC2086
	run lora-train -q -m $family $some data -o $family.adapter/
	ok
	run predict -q -m $family.nf4 -a $family.adapter --mode loss data -o losses --force
	ok
	run predict -q -m other-$family -a $family.adapter --mode loss data
	exit_is 65
	err_has "other-$family"

	it "names the linears of $family that it adapts"
	run peek --tensors $family.adapter
	check test "$(grep -c lora_A out)" -eq "$(peek --tensors $family | grep -c 'proj.weight')"
	# shellcheck disable=SC2086
	run lora-train -m $family $some --target-modules Wqkv data -o none
	exit_is 2
	err_has "the model has no linear 'Wqkv' to adapt; it has "
done
finish
