#!/bin/sh
# What quantize-nf4 promises on its command line. Bytes: tests/parity/nf4.t.
. "$(dirname "$0")/../lib.sh"

model=$dir/model
mkmodel --seed 3 --hidden 64 --layers 2 --vocab 96 --dtype float16 --tokenizer "$root/pipelines/tiny" -o "$model"
echo "by us" >"$model/LICENSE"

refused() { # refused EXIT TEXT COMMAND...: one clear line, this exit code, and nothing written
	want=$1 text=$2
	shift 2
	run "$@" -o "$dir/no/"
	if [ "$rc" -ne "$want" ]
	then report 1 "exit $rc, wanted $want: $(cat "$dir/err")"
	elif [ "$(wc -l <"$dir/err")" -ne 1 ] || ! grep -qF -e "$text" "$dir/err"
	then report 1 "stderr was: $(cat "$dir/err")"
	else [ ! -e "$dir/no" ] && ! ls "$dir"/.quantize-nf4* >/dev/null 2>&1; report $? "something was written"
	fi
}

it "writes a folder with everything the model had"
run quantize-nf4 "$model" -o "$dir/a/"
ok
it "... file by file"
[ "$(ls "$dir/a" | tr '\n' ' ')" = "LICENSE config.json generation_config.json model.safetensors tokenizer.json " ]
report $? "$(ls "$dir/a")"
it "... unchanged but for config and weights"
check cmp "$model/tokenizer.json" "$dir/a/tokenizer.json"

it "gives the same bytes for any number of threads, and on ref"
quantize-nf4 -j 1 "$model" -o "$dir/b/" && quantize-nf4 -j 3 "$model" -o "$dir/c/" && quantize-nf4 --device ref "$model" -o "$dir/d/"
check sh -c 'diff -r "$1/a" "$1/b" && diff -r "$1/a" "$1/c" && diff -r "$1/a" "$1/d"' - "$dir"

# The weights of a large tensor are worked on in pieces, into a folder in any order.
mkmodel --seed 5 --hidden 1536 --partial-rotary-factor 0.5 --layers 1 --vocab 96 --dtype bfloat16 -o "$dir/large"
it "gives the same bytes in one pass into a folder and in two into a tar"
quantize-nf4 --skip-modules fc2 "$dir/large" -o "$dir/l1/" && quantize-nf4 --skip-modules fc2 -j 1 "$dir/large" -o "$dir/l2/" &&
	quantize-nf4 --skip-modules fc2 -j 3 "$dir/large" -o "$dir/l3/" && quantize-nf4 --skip-modules fc2 "$dir/large" -o "$dir/l.tar" &&
	mkdir "$dir/l4" && tar -C "$dir/l4" -xf "$dir/l.tar"
check sh -c 'diff -r "$1/l1" "$1/l2" && diff -r "$1/l1" "$1/l3" && diff -r "$1/l1" "$1/l4"' - "$dir"
it "... which it verifies"
run quantize-nf4 --skip-modules fc2 --verify "$dir/l1" "$dir/large"
ok

it "keeps no more of the model in memory than its largest tensor"
case ${BUILD:-} in
*asan*) skip "sanitizers take their own" ;;
*) check python3 - "$dir" <<'IN' ;;
import os, resource, subprocess, sys
d = sys.argv[1]
size = os.path.getsize(d + "/large/model.safetensors")
for out in "m1/", "m2.tar":
    subprocess.run(["quantize-nf4", d + "/large", "-o", f"{d}/{out}"], check=True)
    most = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert most < 0.7 * size, (out, most, size)
IN
esac

it "names the first of many values that are not finite"
cp -r "$dir/large" "$dir/nan"
python3 - "$dir/nan/model.safetensors" <<'IN'
import json, struct, sys
with open(sys.argv[1], "r+b") as f:
    n = struct.unpack("<Q", f.read(8))[0]
    h = json.loads(f.read(n))
    for name, element in ("mlp.fc1", 9000000), ("mlp.fc1", 3000001), ("mlp.fc1", 3000002), ("mlp.fc2", 0):
        f.seek(8 + n + h[f"model.layers.0.{name}.weight"]["data_offsets"][0] + 2 * element)
        f.write(b"\x80\x7f")
IN
for to in "$dir/no/" "$dir/no.tar" "$dir/no/"
do
	run quantize-nf4 "$dir/nan" -o "$to"
	[ "$rc" = 70 ] && grep -q "nan: tensor 'model.layers.0.mlp.fc1.weight' is not a finite number at element 3000001;" "$dir/err" || break
	[ ! -e "$to" ] || break
	rc=passed
done
[ "$rc" = passed ]
report $? "$rc: $(cat "$dir/err")"
rm -rf "$dir/large" "$dir/nan" "$dir"/l[1-4] "$dir/l.tar" "$dir/m1" "$dir/m2.tar"

it "writes a tar with the same files"
quantize-nf4 "$model" -o "$dir/a.tar" && mkdir "$dir/untar" && tar -C "$dir/untar" -xf "$dir/a.tar"
check diff -r "$dir/a" "$dir/untar"

it "writes a .tar.zst into a pipe, the same bytes each time"
sh_run "quantize-nf4 '$model' | cat >'$dir/a.tar.zst'; quantize-nf4 '$model' -o '$dir/b.tar.zst'"
check cmp "$dir/a.tar.zst" "$dir/b.tar.zst"

it "reads folders, archives and pipes alike"
tar -C "$model" -cf "$dir/m.tar" . && zstd -q "$dir/m.tar" && gzip -k "$dir/m.tar"
for from in "$dir/m.tar" "$dir/m.tar.zst" "$dir/m.tar.gz"
do
	quantize-nf4 --force "$from" -o "$dir/e/" || break
	diff -r "$dir/a" "$dir/e" || break
	cat "$from" | quantize-nf4 --force -o "$dir/e/" - || break
	diff -r "$dir/a" "$dir/e" || break
done >"$dir/out" 2>&1
report $? "$(cat "$dir/out")"

it "reads shards as one file"
mkdir "$dir/shards"
cp "$model"/*.json "$model"/LICENSE "$dir/shards"
check python3 - "$model" "$dir/shards" <<'IN'
import json, struct, sys
b = open(sys.argv[1] + "/model.safetensors", "rb").read()
n = struct.unpack("<Q", b[:8])[0]
h, data, where = json.loads(b[8:8 + n]), b[8 + n:], {}
names = sorted(k for k in h if k != "__metadata__")
for part in range(3):
    head, body, file = {}, b"", f"model-{part}.safetensors"
    for k in names[part::3]:
        x = data[slice(*h[k]["data_offsets"])]
        head[k] = {**h[k], "data_offsets": [len(body), len(body) + len(x)]}
        body += x
        where[k] = file
    text = json.dumps(head).encode()
    open(f"{sys.argv[2]}/{file}", "wb").write(struct.pack("<Q", len(text)) + text + body)
json.dump({"metadata": {}, "weight_map": where}, open(sys.argv[2] + "/model.safetensors.index.json", "w"))
IN
it "... to the same model"
quantize-nf4 "$dir/shards" -o "$dir/f/" 2>"$dir/err"
check diff -r "$dir/a" "$dir/f"

it "puts the compute type into the config, the model's own if none is given"
quantize-nf4 --compute-dtype bfloat16 --double-quant "$model" -o "$dir/g/"
check grep -q '"bnb_4bit_compute_dtype": "float16"' "$dir/a/config.json"
it "... and the given one"
check grep -q '"bnb_4bit_compute_dtype": "bfloat16"' "$dir/g/config.json"

it "lays the config out as transformers does, whatever it looked like"
cp -r "$model" "$dir/odd"
python3 - "$dir/odd/config.json" <<'IN'
import json, sys
c = json.load(open(sys.argv[1]))
c.update({"Z": [], "_a": {"b": [1, {"y": 1e-05, "x": "}\"]{\\"}, []], "a": {}}, "aa": None, "a": [True], "quantization_config": None})
open(sys.argv[1], "w").write(json.dumps(dict(reversed(c.items())), separators=("\n\t, ", " :")) + " ")
IN
quantize-nf4 "$dir/odd" -o "$dir/even/" 2>"$dir/err"
check python3 - "$dir/odd/config.json" "$dir/even/config.json" <<'IN'
import json, sys
was, text = json.load(open(sys.argv[1])), open(sys.argv[2]).read()
now = json.loads(text)
assert now.pop("quantization_config")["quant_method"] == "bitsandbytes" and was.pop("quantization_config") is None
assert now == was
assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n", text
IN

it "leaves modules alone that it is told to, and says so in the config"
quantize-nf4 --skip-modules fc1,layers.1.self_attn.dense "$model" -o "$dir/h/"
check python3 - "$dir/h" <<'IN'
import json, struct, sys
f = open(sys.argv[1] + "/model.safetensors", "rb")
h = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
four = {k[:-len(".weight.absmax")] for k in h if k.endswith(".weight.absmax")}
want = {f"model.layers.{i}.{m}" for i in (0, 1) for m in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.dense", "mlp.fc2")}
assert four == want - {"model.layers.1.self_attn.dense"}, four
q = json.load(open(sys.argv[1] + "/config.json"))["quantization_config"]
assert q["llm_int8_skip_modules"] == ["fc1", "layers.1.self_attn.dense", "lm_head"], q
IN

it "reports the error of every tensor"
run quantize-nf4 "$model" --report - -o "$dir/i/"
check python3 - "$dir/out" <<'IN'
import sys
rows = [l.rstrip("\n").split("\t") for l in open(sys.argv[1])]
assert rows[0] == ["tensor", "weights", "max_error", "rms_error", "sqnr_db"] and len(rows) == 13, rows
assert all(19.5 < float(r[4]) < 21.5 for r in rows[1:]), rows   # NF4 on normal values: 20.7 dB
IN
it "... and writes the same model"
check diff -r "$dir/a" "$dir/i"

it "verifies its own work, silently"
run quantize-nf4 --verify "$dir/a" "$model"
ok
it "... and names the first tensor that differs"
printf '\377' | dd of="$dir/a/model.safetensors" bs=1 seek=$(($(stat -c %s "$dir/a/model.safetensors") - 300)) conv=notrunc 2>/dev/null
run quantize-nf4 --verify "$dir/a" "$model"
exit_is 1
err_has "tensor 'model.layers.1.self_attn.v_proj.weight"

it "gives the weights back in their type"
quantize-nf4 "$dir/g" --dequantize -o "$dir/back/" 2>"$dir/err"
check sh -c 'cmp "$1/model/config.json" "$1/back/config.json" && cmp "$1/model/LICENSE" "$1/back/LICENSE"' - "$dir"

it "... or in another, which the config says"
run quantize-nf4 "$dir/g" --dequantize --compute-dtype bfloat16 -o "$dir/brain/"
ok
check grep -Eq '"(torch_)?dtype": "bfloat16"' "$dir/brain/config.json"
check sh -c 'peek --tensors "$1" | grep "q_proj.weight" | grep -qi bf16' - "$dir/brain"

it "does not replace a model unless told"
run quantize-nf4 "$model" -o "$dir/b/"
exit_is 73

it "refuses what is not there yet";     refused 2 "--quant-type" quantize-nf4 --quant-type fp4 "$model"
it "refuses an option it would ignore"; refused 2 "--nested-compat" quantize-nf4 --nested-compat midpoint "$model"
it "refuses a block size of 96";        refused 2 "not a power of two" quantize-nf4 --blocksize 96 "$model"
it "refuses --verify with an output";   refused 2 "--verify writes no model" quantize-nf4 --verify "$dir/b" "$model"
it "refuses to choose records";         refused 2 "none in a model" quantize-nf4 --limit 3 "$model"
it "refuses an unknown option";         refused 2 "--plot" quantize-nf4 --plot x "$model"
it "refuses a quantised model";         refused 65 "is quantised already" quantize-nf4 "$dir/b"
it "refuses to give back a plain one";  refused 65 "nothing to dequantize" quantize-nf4 --dequantize "$model"
it "refuses a missing model";           refused 66 "No such file" quantize-nf4 "$dir/nothing"
it "refuses a folder without config";   mkdir "$dir/empty"; refused 66 "no config.json" quantize-nf4 "$dir/empty"
it "refuses a file that is no archive"; refused 65 "neither a folder nor" quantize-nf4 "$0"

it "refuses a model of pickles, saying why"
mkdir "$dir/pickle" && cp "$model/config.json" "$dir/pickle" && echo x >"$dir/pickle/pytorch_model.bin"
refused 65 "save the model as safetensors" quantize-nf4 "$dir/pickle"

for cut in 100 600 5000 100000
do
	it "refuses an archive cut after $cut bytes"
	head -c $cut "$dir/m.tar" >"$dir/cut.tar"
	refused 65 "" quantize-nf4 "$dir/cut.tar"
	it "... compressed too"
	head -c $cut "$dir/m.tar.zst" >"$dir/cut.tar.zst"
	refused 65 "" quantize-nf4 "$dir/cut.tar.zst"
done

# changed MODEL PYTHON: a copy of the model whose header h, data d, or config c Python changes
changed() {
	rm -rf "$dir/bad" && cp -r "$1" "$dir/bad"
	python3 - "$dir/bad" "$2" <<'IN'
import json, struct, sys
path = sys.argv[1] + "/model.safetensors"
b = open(path, "rb").read()
n = struct.unpack("<Q", b[:8])[0]
h, d, text, c = json.loads(b[8:8 + n]), bytearray(b[8 + n:]), None, json.load(open(sys.argv[1] + "/config.json"))
q = "model.layers.1.self_attn.q_proj.weight"
length = None
exec(sys.argv[2])
text = text or json.dumps(h)
open(path, "wb").write(struct.pack("<Q", length or len(text)) + text.encode() + d)
json.dump(c, open(sys.argv[1] + "/config.json", "w"))
IN
}
hostile() { # hostile EXIT TEXT PYTHON
	it "refuses: $3"
	changed "$model" "$3"
	refused "$1" "$2" quantize-nf4 "$dir/bad"
}
hostile_back() { # the same of a quantised model, with an architecture that nobody checks
	it "refuses to give back: $3"
	changed "$dir/g" "c['model_type'] = 'made up'; $3"
	refused "$1" "$2" quantize-nf4 --dequantize "$dir/bad"
}
hostile 65 "are not inside"         'h[q]["data_offsets"][1] += len(d)'
hostile 65 "are not inside"         'h[q]["data_offsets"] = [len(d), 0]'
hostile 65 "are not inside"         'd = d[:-2]'
hostile 65 "belong to none"         'd += bytes(2)'
hostile 65 "overlaps another one"   'h[q]["data_offsets"] = h["model.layers.0.self_attn.q_proj.weight"]["data_offsets"]'
hostile 65 "unused bytes in front"  'd = bytes(2) + d; [v.update(data_offsets=[x + 2 for x in v["data_offsets"]]) for k, v in h.items() if k[0] != "_"]'
hostile 65 "shape and dtype make"   'h[q]["shape"] = [64, 63]'
hostile 65 "shape and dtype make"   'h[q]["dtype"] = "F32"'
hostile 65 "shape is too large"     'h[q]["shape"] = [2 ** 40, 2 ** 40]'
hostile 65 "not made of whole"      'h[q]["shape"] = [-64, -64]'
hostile 65 "not made of whole"      'h[q]["shape"] = [64.5, 64]'
hostile 65 "more than 8 dimensions" 'h[q]["shape"] = [64, 64] + [1] * 7'
hostile 65 "dtype 'F12' is not known" 'h[q]["dtype"] = "F12"'
hostile 65 "dtype 'float16' is not known" 'h[q]["dtype"] = "float16"'
hostile 65 "has no dtype"           'del h[q]["dtype"]'
hostile 65 "data_offsets are not"   'del h[q]["data_offsets"]'
hostile 65 "data_offsets are not"   'h[q]["data_offsets"].append(1)'
hostile 65 "not described by"       'h[q] = 3'
hostile 65 "stands twice"           'text = json.dumps(h)[:-1] + ", " + json.dumps({q: h[q]})[1:]'
hostile 65 "'__metadata__'"         'h["__metadata__"] = {"a": 1}'
hostile 65 "not valid JSON"         'text = json.dumps(h)[:-1] + ",}"'
hostile 65 "does not begin with"    'text = " " + json.dumps(h)'
hostile 65 "its header should have" 'length = 2 ** 62'
hostile 65 "its header should have" 'length = len(d) * 2'
hostile 65 "is missing"             'h["x" + q] = h.pop(q)'
hostile 65 "config.json wants 64x64" 'h[q]["shape"] = [32, 128]'
hostile 65 "none of F32, F16, BF16" 'h[q]["dtype"] = "I16"'
hostile 70 "tensor 'model.layers.1.self_attn.q_proj.weight' is not a finite number at element 5" 'a = h[q]["data_offsets"][0] + 10; d[a:a + 2] = b"\x00\x7c"'
hostile 70 "tensor 'model.embed_tokens.weight' is not a finite number" 'a = h["model.embed_tokens.weight"]["data_offsets"][0]; d[a:a + 2] = b"\x01\x7e"'
hostile 65 "rotary dimensions"      'c["partial_rotary_factor"] = 0.2'
hostile 65 "not a multiple"         'c["num_attention_heads"] = 3'
hostile 65 "hidden_size"            'c["hidden_size"] = 10 ** 12'
hostile 65 "config.json wants"      'c["intermediate_size"] = 128'

# in place of one text in the quant_states another of the same length
hostile_back 65 "has not the codes"     'd = d.replace(b"[64, 64]", b"[64, 65]")'
hostile_back 65 "not two sizes"         'd = d.replace(b"[64, 64]", b"[64, -4]")'
hostile_back 65 "has not the codes"     'd = d.replace(b"[64, 64]", b"[2e9, 9]")'
hostile_back 65 "not a power of two"    'd = d.replace(b"blocksize\": 64", b"blocksize\": 63")'
hostile_back 65 "are needed"            'd = d.replace(b"\"blocksize\": 64,", b"\"blocksize\":128,")'
hostile_back 65 "'nested_blocksize'"    'd = d.replace(b": 256", b": -56")'
hostile_back 65 "nested_offset"         'd = d.replace(b"\"nested_offset\": 0.", b"\"nested_offset\":9e9")'
hostile_back 65 "unknown key"           'd = d.replace(b"nested_offset", b"nested_onset!")'
hostile_back 65 "'int8888'"             'd = d.replace(b"float16", b"int8888")'
hostile_back 65 "is 'fp4', not 'nf4'"   'd = d.replace(b"\"nf4\"", b"\"fp4\"")'
hostile_back 65 "is missing"            'h[q + "x"] = h.pop(q + ".absmax")'
hostile_back 65 "is missing"            'h["x"] = h.pop(q)'
hostile_back 65 "is F16, not F32"       'h[q + ".nested_absmax"].update(dtype="F16", shape=[2])'
hostile_back 69 "not the table of NF4"  'a = h[q + ".quant_map"]["data_offsets"][0]; d[a] = 1'
hostile_back 70 "not a finite"          'a = h[q + ".nested_absmax"]["data_offsets"][0]; d[a + 2:a + 4] = b"\xc0\x7f"'

it "refuses a config that is no object"
changed "$model" 'c = [1]'
refused 65 "not a JSON object" quantize-nf4 "$dir/bad"

it "leaves nothing behind on a full disk"
if [ -e /dev/full ]
then
	run quantize-nf4 "$model" -o /dev/full
	exit_is 74
else
	skip "no /dev/full"
fi

it "fails when its reader goes away"
sh_run "{ sleep 0.2; quantize-nf4 '$model'; echo \$? >'$dir/code'; } | true"
rc=$(cat "$dir/code")
exit_is 141
check [ ! -s "$dir/err" ]

finish
