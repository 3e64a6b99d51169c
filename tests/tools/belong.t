#!/bin/sh
# Results belong to their inputs: digests are compared where they are known.
. "$(dirname "$0")/../lib.sh"

m="--hidden 32 --layers 2 --heads 4 --partial-rotary-factor 0.5 --vocab 512"
mkmodel $m --tokenizer "$root/pipelines/tiny" -o "$dir/a/"
cp -r "$dir/a" "$dir/b" && echo >>"$dir/b/tokenizer.json" # the same model, the bytes of another tokenizer
cp -r "$dir/a" "$dir/bare" && rm "$dir/bare/tokenizer.json"
printf 'text,label,split\nProfit rose,positive,train\nProfit fell,negative,train\nIt rose,positive,test\n' |
	promptify -t financial-sentiment | tokenize -m "$dir/a" -o "$dir/a.tok"
small=$(sha256sum "$dir/a/tokenizer.json" | cut -c 1-8) other=$(sha256sum "$dir/b/tokenizer.json" | cut -c 1-8)

predicts() { sh_run "predict -m '$dir/$1' --mode loss ${2:-} '$dir/${3:-a.tok}' -o '$dir/made' && rm '$dir/made'"; }
trains() { run lora-train -m "$dir/$1" ${2:-} --max-steps 1 "$dir/a.tok" -o "$dir/new.tar"; rm -f "$dir/new.tar"; }

# ---- tokens and tokenizers ----

it "the header names the tokenizer that made the ids"
run peek --header "$dir/a.tok"
out_has "\"tokenizer\": \"$small"

it "predict refuses ids of another tokenizer, naming both and the way out"
predicts b
exit_is 65
err_has "a.tok: its ids are those of another tokenizer ($small...) than the model's ($other...)"
err_has "--trust-tokens"
one_line
absent "$dir/made"
it "... unless they are trusted"; predicts b --trust-tokens; ok
it "lora-train refuses them too"
trains b
exit_is 65
err_has "another tokenizer ($small...)"
it "... unless they are trusted"; trains b --trust-tokens; ok
it "... and when they come through a pipe"
sh_run "echo x | tokenize --lines -m '$dir/a' | predict -m '$dir/b' -o '$dir/made'"
exit_is 65
it "... and behind the first of several files"
tokenize --lines -m "$dir/b" -o "$dir/b.tok" <"$root/README.md"
tokenize --lines -m "$dir/a" -o "$dir/a2.tok" <"$root/README.md"
sh_run "predict -m '$dir/b' --mode loss --limit 1 '$dir/b.tok' '$dir/a2.tok' -o '$dir/made'"
exit_is 65
err_has "a2.tok:"
it "tokenize --decode refuses them too"
run tokenize --decode -m "$dir/b" "$dir/a.tok" -o "$dir/made"
exit_is 65
it "... unless they are trusted"
run tokenize --decode --trust-tokens -m "$dir/b" "$dir/a.tok" -o "$dir/decoded"
ok

it "peek --tokens refuses them too"
run peek --tokens -m "$dir/b" "$dir/a.tok"
exit_is 65
err_has "another tokenizer ($small...)"
it "... unless they are trusted"
run peek --tokens --trust-tokens -m "$dir/b" "$dir/a.tok"
ok
run peek --trust-tokens "$dir/a.tok"
exit_is 2

it "the tokenizer is the same in a folder, a tar, a 4-bit copy, and alone"
tar -C "$dir/a" -cf "$dir/a.tar" . && quantize-nf4 "$dir/a" -o "$dir/a.nf4.tar.zst" && quantize-nf4 "$dir/a" -o "$dir/a.nf4/"
for model in a.tar a.nf4.tar.zst a.nf4; do predicts $model; [ "$rc" -eq 0 ] || break; done
ok
echo "Profit rose" | tokenize --lines -m "$dir/a/tokenizer.json" -o "$dir/alone.tok"
predicts a "" alone.tok
ok
it "... and in vocab.json and merges.txt"
cp -r "$dir/bare" "$dir/v1"
printf '{"a":0,"b":1,"ab":2}' >"$dir/v1/vocab.json"
printf '#version: 0.2\na b\n' >"$dir/v1/merges.txt"
/usr/bin/python3 - "$dir/v1/vocab.json" <<'IN'
import json, sys
byte = [*range(33, 127), *range(161, 173), *range(174, 256)]
letters = [chr(b) for b in byte] + [chr(256 + i) for i in range(256 - len(byte))]
json.dump({c: i for i, c in enumerate(letters + ["ab"])}, open(sys.argv[1], "w"))
IN
cp -r "$dir/v1" "$dir/v2" && printf 'b a\n' >>"$dir/v2/merges.txt"
sed -i 's/"ab": 256/"ab": 256, "ba": 257/' "$dir/v2/vocab.json"
echo abba | tokenize --lines -m "$dir/v1" -o "$dir/v.tok"
predicts v1 "" v.tok
ok
predicts v2 "" v.tok
exit_is 65

it "a stream that names no tokenizer passes"
echo '{"ids":[1,2,3]}' | peek --from-jsonl --kind tokens -o "$dir/plain.tok"
predicts b "" plain.tok
ok
it "a model that has none passes"; predicts bare; ok
it "the way through JSON lines keeps the tokenizer"
sh_run "peek --jsonl --with-header '$dir/a.tok' | peek --from-jsonl --kind tokens -o '$dir/json.tok'"
ok
predicts b "" json.tok
exit_is 65
predicts a "" json.tok
ok
it "a digest that is none is an error"
/usr/bin/python3 - "$root/tests" "$dir/odd.tok" <<'IN'
import sys
sys.path.insert(0, sys.argv[1])
import streams
entry = {"tool": "x", "version": "1", "options": [], "tokenizer": "../../etc"}
open(sys.argv[2], "wb").write(streams.write({"format": "slmtools stream", "version": 1, "kind": "tokens", "chain": [entry]}, [{"ids": [1, 2]}]))
IN
predicts a "" odd.tok
exit_is 65
err_has "the chain's 'tokenizer' is not 64 hexadecimal digits"

# ---- adapters and their base ----

adapted() { # adapted MODEL [OPTIONS]: the adapter of a on MODEL
	sh_run "predict -m '$dir/$1' -a '$dir/ada.tar' ${2:-} --trust-tokens --mode loss '$dir/a.tok' -o '$dir/made' && rm '$dir/made'"
}
lora-train -q -m "$dir/a" --max-steps 2 "$dir/a.tok" -o "$dir/ada.tar"
mkmodel $m --seed 7 -o "$dir/c/"

it "an adapter is refused on another base, both named"
adapted c
exit_is 65
err_has "ada.tar: it was trained on another base model, 'a' ("
err_has "than $dir/c ("
err_has "--trust-adapter"
one_line
it "... unless it is trusted"; adapted c --trust-adapter; ok
it "... and among several"
run predict -m "$dir/a" -a "$dir/ada.tar=0.5" -a "$dir/ada.tar" --mode loss "$dir/a.tok" -o "$dir/two"
ok
it "lora-train goes on from it on its own base only"
run lora-train -q -m "$dir/a" --init-adapter "$dir/ada.tar" --max-steps 1 "$dir/a.tok" -o "$dir/on.tar"
ok
run lora-train -q -m "$dir/c" --init-adapter "$dir/ada.tar" --max-steps 1 "$dir/a.tok" -o "$dir/no.tar"
exit_is 65
run lora-train -q -m "$dir/c" --init-adapter "$dir/ada.tar" --trust-adapter --max-steps 1 "$dir/a.tok" -o "$dir/ada.c.tar"
ok

it "every form of the base is the base"
quantize-nf4 --double-quant "$dir/a" -o "$dir/a.double/"
quantize-nf4 --skip-modules fc1 "$dir/a" -o "$dir/a.skip/"
for as in float32 float16 bfloat16
do quantize-nf4 --dequantize --compute-dtype $as "$dir/a.double" -o "$dir/a.$as/"
done
for model in a.tar a.nf4 a.nf4.tar.zst a.double a.skip a.float32 a.float16 a.bfloat16 bare
do
	adapted $model
	[ "$rc" -eq 0 ] || break
done
ok
it "... on every device, for any number of threads"
adapted a "--device ref -j 1"
ok
it "... also where the adapter comes from the 4-bit one"
lora-train -q -m "$dir/a.double" --max-steps 1 "$dir/a.tok" -o "$dir/ada.tar" --force
for model in a a.nf4 a.bfloat16; do adapted $model; [ "$rc" -eq 0 ] || break; done
ok

changed() { # changed TENSOR: a copy of the base in which one value of it is another
	rm -rf "$dir/d" && cp -r "$dir/a" "$dir/d"
	/usr/bin/python3 - "$dir/d/model.safetensors" "$1" <<'IN'
import json, struct, sys
with open(sys.argv[1], "r+b") as f:
    n = struct.unpack("<Q", f.read(8))[0]
    at = json.loads(f.read(n))[sys.argv[2]]["data_offsets"]
    f.seek(8 + n + (at[0] + at[1]) // 8 * 4)
    f.write(struct.pack("<f", 0.5))
IN
}
for tensor in model.layers.1.mlp.fc1.weight model.layers.0.self_attn.q_proj.bias model.embed_tokens.weight \
	lm_head.weight lm_head.bias model.final_layernorm.weight model.layers.1.input_layernorm.bias
do
	it "a base with one other value is another: $tensor"
	changed $tensor
	adapted d
	exit_is 65
done
it "--trust-adapter without an adapter is a slip"
run predict -m "$dir/a" --trust-adapter "$dir/a.tok" -o "$dir/made"
exit_is 2
run lora-train -m "$dir/a" --partial-adapter "$dir/a.tok" -o "$dir/no.tar"
exit_is 2
it "PEFT's own adapters say nothing and pass"
run predict -m "$root/tests/golden/phi-tiny/nf4" -a "$root/tests/golden/phi-tiny/adapter-final" --mode loss "$dir/plain.tok" -o "$dir/peft"
ok

finish
