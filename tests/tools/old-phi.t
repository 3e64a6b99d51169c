#!/bin/sh
# Phi as it was first published, under two sets of names and with queries, keys and values in one tensor, is the
# same model: logits, 4-bit files, adapters.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
golden=$root/tests/golden

# old FROM TO msft|mixformer: the model in the folder FROM, renamed and fused
old() {
	mkdir "$2"
	python3 - "$@" <<'IN'
import json, re, struct, sys
source, to, layout = sys.argv[1:]
config = json.load(open(source + "/config.json"))
layers, first = config["num_hidden_layers"], layout == "mixformer"
rope = config.get("rope_parameters") or config
heads = config["num_attention_heads"]
new = {"model_type": "mixformer-sequential" if first else "phi-msft", "vocab_size": config["vocab_size"],
       "n_embd": config["hidden_size"], "n_layer": layers, "n_head": heads, "n_inner": config["intermediate_size"],
       "n_head_kv": config["num_key_value_heads"], "n_positions": config["max_position_embeddings"],
       "rotary_dim": int(rope["partial_rotary_factor"] * (config["hidden_size"] // heads)), "activation_function": "gelu_new",
       "layer_norm_epsilon": config["layer_norm_eps"], "embd_pdrop": 0.0, "resid_pdrop": 0.0, "attn_pdrop": 0.0,
       "tie_word_embeddings": False, "torch_dtype": "float32", "eos_token_id": config["eos_token_id"]}
if new["n_inner"] == 4 * new["n_embd"]:
    new["n_inner"] = None
if new["n_head_kv"] == heads:
    new["n_head_kv"] = None
if first:
    new["architecture"] = {"block_cls": "parallel", "mixer": {}, "mlp": {"mlp_cls": "fused_mlp"}}
if "quantization_config" in config:
    new["quantization_config"] = config["quantization_config"]
json.dump(new, open(to + "/config.json", "w"))

data = open(source + "/model.safetensors", "rb").read()
n, = struct.unpack("<Q", data[:8])
tensors = {k: (v["dtype"], v["shape"], data[8 + n:][slice(*v["data_offsets"])])
           for k, v in json.loads(data[8:8 + n]).items() if k != "__metadata__"}

def fuse(parts, suffix):
    dtype, shape, _ = parts[0]
    if suffix == ".weight.quant_map":
        return parts[0]
    if "quant_state" in suffix:
        state = [json.loads(p[2]) for p in parts]
        state[0]["shape"][0] = sum(s["shape"][0] for s in state)
        text = json.dumps(state[0]).encode()
        return dtype, [len(text)], text
    return dtype, [sum(p[1][0] for p in parts), *shape[1:]], b"".join(p[2] for p in parts)

ends = {"model.embed_tokens": "layers.0.wte" if first else "transformer.embd.wte",
        "model.final_layernorm": f"layers.{layers + 1}.ln" if first else "lm_head.ln",
        "lm_head": f"layers.{layers + 1}.linear" if first else "lm_head.linear"}
inside = {"input_layernorm": "ln", "self_attn.dense": "mixer.out_proj", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
out = {}
for name, t in tensors.items():
    m = re.match(r"model\.layers\.(\d+)\.(self_attn\.[qkv]_proj|input_layernorm|self_attn\.dense|mlp\.fc[12])(\..*)", name)
    if not m:
        stem, _, end = name.rpartition(".")
        out[f"{ends[stem]}.{end}"] = t
        continue
    stem = f"layers.{int(m[1]) + 1}." if first else f"transformer.h.{m[1]}."
    if m[2] in inside:
        out[stem + inside[m[2]] + m[3]] = t
    elif m[2] == "self_attn.q_proj":
        parts = [tensors[f"model.layers.{m[1]}.self_attn.{x}_proj{m[3]}"] for x in "qkv"]
        out[stem + "mixer.Wqkv" + m[3]] = fuse(parts, m[3])
order = {"I64": 8, "F32": 4, "F16": 2, "U8": 1}
header, body = {"__metadata__": {"format": "pt"}}, b""
for name in sorted(out, key=lambda k: (-order[out[k][0]], k)):
    dtype, shape, raw = out[name]
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
    body += raw
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
open(to + "/model.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + body)
IN
}

peek --from-jsonl --kind tokens -o data "$golden/phi-tiny/records.jsonl"
peek --from-jsonl --kind tokens -o odd "$golden/phi-odd/records.jsonl"
logits() { predict -q -m "$1" --mode logits --limit 12 --force "$2" -o logits && peek --jsonl logits; }

mkdir new msft mixformer
cp -r "$golden/phi-tiny/model" new/phi
cp -r "$golden/phi-tiny/nf4" new/phi.nf4
cp -r "$golden/phi-odd/nf4" new/odd.nf4
for model in phi phi.nf4 odd.nf4
do
	records=data
	[ $model != odd.nf4 ] || records=odd
	logits new/$model $records >$model.want
	check test "$(wc -l <$model.want)" -eq 12
	for layout in msft mixformer
	do
		it "gives the logits of today's names for those of $layout, $model"
		old new/$model $layout/$model $layout
		run logits $layout/$model $records
		same out $model.want
		check test ! -s err
	done
done

for layout in msft mixformer
do
	it "quantises $layout as today's names"
	run quantize-nf4 -q --compute-dtype float32 $layout/phi -o made/ --force
	ok
	same made/model.safetensors $layout/phi.nf4/model.safetensors

	it "... with scales of scales, and back"
	run quantize-nf4 -q --double-quant $layout/phi -o nested/ --force
	ok
	run quantize-nf4 -q --dequantize nested -o back/ --force
	ok
	logits nested data >nested.txt
	logits back data >back.txt
	check python3 - nested.txt back.txt phi.nf4.want <<'IN'
import json, sys
nested, back, plain = ([json.loads(line)["logits"] for line in open(name)] for name in sys.argv[1:])
far = lambda a, b: max(abs(x - y) for r, s in zip(a, b, strict=True) for x, y in zip(r, s, strict=True))
assert far(nested, back) < 1e-4 < far(nested, plain) < 1, (far(nested, back), far(nested, plain))
IN

	it "trains on $layout what it trains on today's names, by today's names"
	some="--max-steps 2 --gradient-accumulation-steps 2 --r 4"
	run lora-train -q -m new/phi.nf4 $some data -o adapter/ --force
	ok
	run lora-train -q -m $layout/phi.nf4 $some data -o old-adapter/ --force
	ok
	check peek --diff adapter old-adapter # but for the chain, which names the model
	check grep -q '"q_proj"' old-adapter/adapter_config.json

	it "takes an adapter that was trained on today's names"
	run predict -q -m $layout/phi.nf4 -a adapter --mode loss data -o losses --force
	ok
	check test ! -s err
done

it "refuses 4-bit blocks that run across queries, keys and values"
mkmodel --hidden 36 --heads 3 --layers 1 --vocab 64 --partial-rotary-factor 0.5 -o new/uneven/
old new/uneven msft/uneven msft
quantize-nf4 -q msft/uneven -o uneven.nf4/
run predict -m uneven.nf4 --mode logits data
exit_is 69
one_line
err_has "transformer.h.0.mixer.Wqkv.weight' is quantised in blocks of 64"
echo '{"id": 0, "ids": [1, 5, 9, 60]}' | peek --from-jsonl --kind tokens -o short
logits new/uneven short >uneven.want
run logits msft/uneven short
same out uneven.want

while IFS='|' read -r from to code what
do
	it "refuses $to in their config"
	rm -rf wrong && cp -r mixformer/phi wrong
	sed "s/$from/$to/" mixformer/phi/config.json >wrong/config.json
	run predict -m wrong --mode logits data
	exit_is "$code"
	one_line
	err_has "$what"
done <<'CASES'
"parallel"|"sequential"|69|architecture: block_cls 'sequential' is not supported
"fused_mlp"|"moe"|69|mlp_cls 'moe'
"mixer": {}|"mixer": {"mixer_cls": "linear"}|69|mixer_cls 'linear'
"n_embd": 128|"n_embd": 129|65|n_embd 129 is not a multiple of n_head 4
"n_head_kv": null|"n_head_kv": 3|65|n_head 4 is not a multiple of n_head_kv 3
"n_layer": 3|"n_layer": 0|65|'n_layer' is 0
"n_inner": null|"n_inner": 100|65|mlp.fc1.weight' has shape 512x128
"rotary_dim": 12|"rotary_dim": 9|65|rotary_dim 9 is not even
"gelu_new"|"relu"|69|activation_function 'relu'
CASES
finish
