#!/bin/sh
# mkmodel makes models that look like published ones, the same bytes for the same seed.
. "$(dirname "$0")/../lib.sh"


it "makes config, generation config and weights"
run mkmodel --seed 1 -o "$dir/a"
ok
it "... and nothing else"
[ "$(ls "$dir/a" | tr '\n' ' ')" = "config.json generation_config.json model.safetensors " ]
report $? "$(ls "$dir/a")"

it "gives the same bytes for any number of threads"
run mkmodel --seed 1 -j 3 -o "$dir/b/"
check diff -r "$dir/a" "$dir/b"

it "gives the same first layers whatever their number"
mkmodel --seed 1 --layers 1 --vocab 8 --dtype float16 -o "$dir/one"
mkmodel --seed 1 --layers 2 --vocab 8 --dtype float16 -o "$dir/two"
check python3 - "$dir/one" "$dir/two" <<'IN'
import json, struct, sys
def tensors(d):
    b = open(d + "/model.safetensors", "rb").read()
    n = struct.unpack("<Q", b[:8])[0]
    h = json.loads(b[8:8 + n])
    return {k: b[8 + n:][slice(*v["data_offsets"])] for k, v in h.items() if k != "__metadata__"}
one, two = (tensors(d) for d in sys.argv[1:])
assert len(one) == 19 and all(two[k] == v for k, v in one.items())
assert len(set(two.values())) == len(two)
IN

it "gives other bytes for another seed"
run mkmodel --seed 2 -o "$dir/c"
! cmp -s "$dir/a/model.safetensors" "$dir/c/model.safetensors"
report $? "equal"

it "writes an archive with the same files"
run mkmodel --seed 1 -o "$dir/a.tar"
mkdir "$dir/out_of_tar"
tar -C "$dir/out_of_tar" -xf "$dir/a.tar"
check diff -r "$dir/a" "$dir/out_of_tar"

it "draws close to normal values of the wanted spread"
check python3 - "$dir/a/model.safetensors" <<'IN'
import json, math, struct, sys
b = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", b[:8])[0]
h = json.loads(b[8:8 + n])
def values(name):
    a, e = h[name]["data_offsets"]
    return struct.unpack("<%df" % ((e - a) // 4), b[8 + n + a:8 + n + e])
def moments(v):
    m = sum(v) / len(v)
    return m, math.sqrt(sum((x - m) ** 2 for x in v) / len(v))
for name, mean, spread in (("model.layers.1.mlp.fc2.weight", 0, 1.2 / math.sqrt(512)), ("model.embed_tokens.weight", 0, 0.5),
                           ("model.layers.0.input_layernorm.weight", 1, 0.2), ("model.layers.2.mlp.fc1.bias", 0, 0.1)):
    v = values(name)
    m, s = moments(v)
    assert abs(m - mean) < 4 * spread / math.sqrt(len(v)) and abs(s / spread - 1) < 3 / math.sqrt(len(v)), (name, m, s)
w = values("model.layers.0.self_attn.q_proj.weight")
assert w[:64] == (0.0,) * 64 and w[64] != 0     # a block without scale
IN

it "has Phi-2's config, but for the number of layers"
run mkmodel --like phi-2 --layers 1 --hidden 64 --vocab 64 --heads 2 -o "$dir/d"
if [ -e "$shared/data/phi-2/config.json" ]
then
	check python3 - "$shared/data/phi-2/config.json" "$dir/d/config.json" <<'IN'
import json, sys
want, got = (json.load(open(p)) for p in sys.argv[1:])
chosen = {"num_hidden_layers", "hidden_size", "vocab_size", "num_attention_heads", "num_key_value_heads",
          "intermediate_size", "bos_token_id", "eos_token_id", "_name_or_path", "auto_map"}
assert {k: v for k, v in want.items() if k not in chosen} == {k: v for k, v in got.items() if k not in chosen}
IN
else
	skip "no ../shared/data/phi-2"
fi

it "copies a tokenizer"
run mkmodel --tokenizer "$root/pipelines/tiny" -o "$dir/e"
same "$root/pipelines/tiny/tokenizer.json" "$dir/e/tokenizer.json"

it "refuses a folder without tokenizer"
run mkmodel --tokenizer "$dir/a" -o "$dir/f"
exit_is 66
absent "$dir/f"

small="--hidden 64 --layers 2 --heads 4 --vocab 64 --intermediate 96"
echo '{"id": 0, "ids": [1, 5, 9, 60]}' | peek --from-jsonl --kind tokens -o "$dir/ids"
for family in "phi" "phi --tied" "llama --kv-heads 1" "llama --tied --head-dim 24" "mistral --kv-heads 2 --sliding-window 3" \
	"qwen2 --kv-heads 2 --tied" "qwen3 --head-dim 32 --kv-heads 2" "phi3 --kv-heads 2 --resid-pdrop 0.1" "phi3 --head-dim 24" \
	$(mkmodel --arch none 2>&1 -o "$dir/none" | sed 's/.* knows //; s/, phi-msft, mixformer-sequential//; s/,//g')
do
	# shellcheck disable=SC2086
	it "makes $family: all that predict needs and no more, the same bytes again"
	run mkmodel $small --arch $family --force -o "$dir/family/"
	ok
	# shellcheck disable=SC2086
	run mkmodel $small --arch $family --force -j 3 -o "$dir/again/"
	check diff -r "$dir/family" "$dir/again"
	run predict -q -m "$dir/family" --mode logits "$dir/ids" -o "$dir/logits" --force
	ok
	check test ! -s "$dir/err"
done

it "makes a window that is seen"
# shellcheck disable=SC2086
run mkmodel $small --arch mistral -o "$dir/wide/"
# shellcheck disable=SC2086
run mkmodel $small --arch mistral --sliding-window 3 -o "$dir/narrow/"
same "$dir/wide/model.safetensors" "$dir/narrow/model.safetensors"
predict -q -m "$dir/wide" --mode logits "$dir/ids" -o "$dir/seen-wide"
predict -q -m "$dir/narrow" --mode logits "$dir/ids" -o "$dir/seen-narrow"
! cmp -s "$dir/seen-wide" "$dir/seen-narrow"
report $? "equal"

for wrong in "--heads 3" "--kv-heads 3" "--partial-rotary-factor 0.1" "--hidden 0" "--layers x" "--arch gemma" "--head-dim 48" \
	"--arch llama --resid-pdrop 0.1" "--arch llama --sliding-window 8" "--arch qwen3 --partial-rotary-factor 0.5" \
	"--arch phi-msft" "--arch mixformer-sequential" "--arch llama --head-dim 15" "--arch llama --like phi-2"
do
	it "refuses $wrong"
	# shellcheck disable=SC2086
	run mkmodel $wrong -o "$dir/f"
	exit_is 2
	absent "$dir/f"
done

it "does not replace a folder unless told"
run mkmodel -o "$dir/a"
exit_is 73
it "... and does when told"
run mkmodel --seed 2 --force -o "$dir/a"
check diff -r "$dir/a" "$dir/c"

finish
