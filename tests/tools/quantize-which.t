#!/bin/sh
# Which matrices quantize-nf4 quantises, and what no float of fewer bits can hold.
. "$(dirname "$0")/../lib.sh"

model=$dir/model
mkmodel --seed 3 --hidden 64 --layers 2 --vocab 96 --dtype float32 -o "$model/"

cat >"$dir/make.py" <<'IN'
# make.py FROM TO [model_type=X] [OLD=NEW of names]... [TENSOR:INDEX=VALUE]... [+TENSOR=N]...: a copy with other names
# and values, and more tensors of N by N ones (F32)
import json, os, shutil, struct, sys
source, target, *changes = sys.argv[1:]
shutil.copytree(source, target, dirs_exist_ok=True)
b = open(source + "/model.safetensors", "rb").read()
n = struct.unpack("<Q", b[:8])[0]
head, data = json.loads(b[8:8 + n]), bytearray(b[8 + n:])
config = json.load(open(source + "/config.json"))
for c in changes:
    old, new = c.split("=")
    if old == "model_type":
        config[old] = new
    elif old[0] == "+":
        n = int(new)
        head[old[1:]] = {"dtype": "F32", "shape": [n, n], "data_offsets": [len(data), len(data) + 4 * n * n]}
        data += struct.pack("<f", 1) * (n * n)
    elif ":" in old:
        name, i = old.split(":")
        struct.pack_into("<f", data, head[name]["data_offsets"][0] + 4 * int(i), float(new))
    else:
        head = {k.replace(old, new): v for k, v in head.items()}
text = json.dumps(head).encode()
open(target + "/model.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + data)
json.dump(config, open(target + "/config.json", "w"))
IN
made() { /usr/bin/python3 "$dir/make.py" "$model" "$dir/$1" $2; }
coded() { # the modules that are in 4 bits
	peek --tensors "$1" | sed -n 's/\.weight\.absmax\t.*//p' | sed 's/.*layers\.//' | tr '\n' ' '
}
is() { [ "$2" = "$3" ]; report $? "$1: $2"; }
refused() { # refused EXIT TEXT COMMAND...: one line, and no output
	want=$1 text=$2
	shift 2
	run "$@" -o "$dir/no/"
	[ "$rc" -eq "$want" ] && grep -qF -e "$text" "$dir/err" && [ "$(wc -l <"$dir/err")" -eq 1 ] && [ ! -e "$dir/no" ]
	report $? "exit $rc: $(cat "$dir/err")"
}

# ---- which ----

made neox "model_type=gpt_neox model.layers=gpt_neox.layers embed_tokens=embed_in lm_head=embed_out self_attn=attention"
it "an architecture that is not known: its matrices have to be named"
refused 2 "name the linears to quantise with --modules" quantize-nf4 "$dir/neox"
err_has "embed_in"
it "... and only those that are named are quantised"
run quantize-nf4 --modules fc1,1.attention.dense "$dir/neox" -o "$dir/n/"
ok
is "in 4 bits" "$(coded "$dir/n")" "0.mlp.fc1 1.attention.dense 1.mlp.fc1 "
it "... which the config says of the others"
check /usr/bin/python3 - "$dir/n/config.json" <<'IN'
import json, sys
names = json.load(open(sys.argv[1]))["quantization_config"]["llm_int8_skip_modules"]
assert {"embed_out", "model.embed_in", "gpt_neox.layers.0.attention.dense", "gpt_neox.layers.0.mlp.fc2", "lm_head"} <= set(names), names
assert "gpt_neox.layers.1.attention.dense" not in names, names
IN
made beside "+model.layers.0.self_attn.router.weight=64"
it "a known family: a matrix beside its linears stays as it is"
run quantize-nf4 "$dir/beside" -o "$dir/l/"
ok
is "in 4 bits" "$(coded "$dir/l" | tr ' ' '\n' | grep -c .)" 12
is "the matrix" "$(peek --tensors "$dir/l" | grep -c 'router.weight	F32	.64')" 1
it "--modules of a known one"
run quantize-nf4 --modules fc1,q_proj --skip-modules layers.0 "$model" -o "$dir/m/"
is "in 4 bits" "$(coded "$dir/m")" "1.mlp.fc1 1.self_attn.q_proj "
it "... loads"
echo '{"ids":[1,2,3]}' | peek --from-jsonl --kind tokens -o "$dir/tok"
run predict -m "$dir/m" --mode loss "$dir/tok" -o "$dir/p"
ok
it "a name in --skip-modules that fits nothing"; refused 2 "--skip-modules: nothing in the model is called 'fc3'" quantize-nf4 --skip-modules fc1,fc3 "$model"
it "... half a name";                            refused 2 "'proj'" quantize-nf4 --skip-modules proj "$model"
it "a name in --modules that fits nothing";      refused 2 "--modules: nothing in the model is called 'wq'; its linears are" quantize-nf4 --modules wq "$model"
it "the head and the embedding of a known one";  refused 2 "'lm_head'" quantize-nf4 --modules lm_head "$model"
it "all that is named is skipped";               refused 65 "no linear weight" quantize-nf4 --modules fc1 --skip-modules mlp "$model"
for option in --modules=fc1 --skip-modules=fc1 --report=r.tsv --double-quant --blocksize=64 --quant-type=nf4
do it "$option and --dequantize"; refused 2 "${option%=*} is about quantising" quantize-nf4 --dequantize "$option" "$dir/m"
done
it "the head may be named to be skipped"
run quantize-nf4 --skip-modules lm_head,embed_tokens "$model" -o "$dir/s/"
ok

# ---- how large ----

fc1=model.layers.1.mlp.fc1.weight
made large "$fc1:70=70000"
quantize-nf4 "$dir/large" -o "$dir/large4/"
it "70000 is beyond float16"
refused 70 "tensor '$fc1' has 70000 at element 70, beyond what float16 can hold; use --compute-dtype bfloat16 or float32" \
	quantize-nf4 --dequantize --compute-dtype float16 "$dir/large4"
it "... also in an archive"
run quantize-nf4 --dequantize --compute-dtype float16 "$dir/large4" -o "$dir/no.tar"
exit_is 70
absent "$dir/no.tar"
it "... within bfloat16"; run quantize-nf4 --dequantize --compute-dtype bfloat16 "$dir/large4" -o "$dir/large5/"; ok
made edge "$fc1:70=65519"
quantize-nf4 "$dir/edge" -o "$dir/edge4/"
it "65519 rounds to the largest float16"; run quantize-nf4 --dequantize --compute-dtype float16 "$dir/edge4" -o "$dir/edge5/"; ok
made huge "$fc1:70=3.4e38"
quantize-nf4 "$dir/huge" -o "$dir/huge4/"
it "near the largest float32 is beyond bfloat16"
refused 70 "beyond what bfloat16 can hold" quantize-nf4 --dequantize --compute-dtype bfloat16 "$dir/huge4"
for m in huge huge4
do
	it "... so is it where bfloat16 is computed with: $m"
	run predict --compute-dtype bfloat16 -m "$dir/$m" --mode loss "$dir/tok" -o "$dir/made"
	exit_is 70
	err_has "tensor '$fc1"
done
for m in large large4 large5 # float32, 4 bits, bfloat16
do
	it "70000 is beyond float16 where that is computed with: $m"
	run predict --compute-dtype float16 -m "$dir/$m" --mode loss "$dir/tok" -o "$dir/made"
	exit_is 70
	err_has "tensor '$fc1"
	err_has "beyond what float16 can hold; use --compute-dtype bfloat16 or float32"
done
it "65519 is not"; run predict --compute-dtype float16 -m "$dir/edge4" --mode loss "$dir/tok" -o "$dir/made"; ok
it "scales whose 8 bits would be beyond float32"
made scales "$(for i in $(seq 0 64 16320); do printf "$fc1:$i=-3.4e38 "; done) $fc1:6400=1e30"
refused 70 "scales of tensor '$fc1' in 8 bits" quantize-nf4 --double-quant --nested-compat bnb-cpu "$dir/scales"

finish
