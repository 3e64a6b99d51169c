#!/bin/sh
# What lora-train promises on its command line. Its numbers: tests/parity/train.t and order.t.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
model=$root/tests/golden/phi-tiny/nf4
init=$root/tests/golden/phi-tiny/adapter-init
some="--max-steps 3 --gradient-accumulation-steps 4 --r 4"

stream() { peek --from-jsonl --kind tokens -o "$1" - ; }    # stream FILE <JSONL
sed '60,64s/"split": "train"/"split": "eval"/' "$root/tests/golden/phi-tiny/records.jsonl" | stream data

it "trains from a pipe into a pipe, and says how it went"
sh_run "cat data | lora-train -m '$model' $some | cat >piped"
ok
err_has 'lora-train: 3 steps, '
err_has 'eval loss '

for threads in 1 2 3 8
do
	it "gives the same bytes with $threads threads"
	run lora-train -q -j $threads -m "$model" $some data -o "t$threads"
	same piped "t$threads"
done

it "gives the same bytes for a model in a tar"
mkdir in && cp -r "$model" in/nf4 && tar -C in -cf nf4.tar nf4
run lora-train -q -m nf4.tar $some data -o from-tar
same piped from-tar

it "gives the same bytes in another locale and time zone"
run env LC_ALL=C TZ=Asia/Tokyo lora-train -q -m "$model" $some data -o elsewhere
same piped elsewhere

it "gives other weights for another seed"
run lora-train -q -m "$model" $some --seed 43 data -o other
cmp -s piped other
[ $? -eq 1 ]; report $? "same bytes"

it "writes what peek and predict read, into a folder too"
run lora-train -q -m "$model" $some data -o folder/
ok
check peek --tensors folder -o tensors
check grep -q 'base_model.model.model.layers.2.mlp.fc2.lora_B.weight' tensors
check predict -q -m "$model" -a folder --mode loss data -o losses

it "saves adapters on the way, and keeps the newest"
run lora-train -q -m "$model" $some data -o kept.tar.zst --save-steps 1 --save-total-limit 2
ok
check [ "$(echo kept*)" = "kept.step-2.tar.zst kept.step-3.tar.zst kept.tar.zst" ]
same kept.tar.zst kept.step-3.tar.zst
run lora-train -q -m "$model" $some data -o way/ --save-steps 2
ok
check [ "$(echo way*)" = "way way.step-2" ]
check peek --tensors way.step-2
check [ -n "$(cmp way/adapter_model.safetensors way.step-2/adapter_model.safetensors)" ]

: >late.step-2
it "does not begin where a name on the way is taken"
run lora-train -q -m "$model" $some data -o late --save-steps 2
exit_is 73
err_has "late.step-2: is there already"
absent late

it "makes the loss fall"
run lora-train -q -m "$model" data --r 8 --learning-rate 5e-3 --num-train-epochs 6 --logging-steps 8 --metrics metrics -o fallen
ok
losses=$(sed -n 's/.*"loss": \([0-9.]*\).*/\1/p' metrics)
first=${losses%%
*} last=${losses##*
}
check awk "BEGIN { exit !($last < 0.9 * $first) }"

it "writes a line of metrics at every eighth step, at the last one and at each evaluation"
sed 's/[0-9][-0-9.e]*/N/g' metrics | sort | uniq -c | sed 's/^ *//' >"$dir/out"
out_is <<'EXPECT'
6 {"step": N, "epoch": N, "eval_loss": N, "eval_tokens": N}
6 {"step": N, "epoch": N, "lr": N, "loss": N, "grad_norm": N, "tokens": N, "tokens_per_s": N}
EXPECT

it "plans without training and without an output"
run lora-train -q -m "$model" data --preset seed --num-train-epochs 1 --plan -
ok
[ "$(wc -l <"$dir/out")" -eq 9 ]; report $? "$(cat "$dir/out")"
out_has '"memory": {'
run lora-train -q -m "$model" data --plan plan -o planned
absent planned

it "starts from an adapter, whose settings hold"
run lora-train -q -m "$model" data --init-adapter "$init" --max-steps 1 -o begun.tar
ok
tar -xOf begun.tar adapter_config.json >config
check grep -q '"r": 8,' config
peek --tensors begun.tar >begun && peek --tensors "$init" | cmp -s - begun
report $? "the first step has rate 0, so the weights are those it began with"
run lora-train -q -m "$model" data --init-adapter "$init" --r 16 -o bad
exit_is 2
err_has "--r 16 does not fit"
absent bad

it "cuts long records and says how many"
run lora-train -m "$model" $some --max-length 20 data -o cut
ok
err_has 'tokens and lost their end (--max-length)'

it "says how many have no completion, where others have one"
sh_run "peek --jsonl data | sed '1,3s/, \"n_prompt\": [0-9]*//; s/, \"split\": \"eval\"//' | peek --from-jsonl --kind tokens -o some-open && lora-train -m '$model' $some some-open -o open"
err_has 'warning: 3 of 64 records to learn from have no completion: their prompts are learned alone'
it "and nothing where none has"
sh_run "peek --jsonl data | sed 's/, \"n_prompt\": [0-9]*//' | peek --from-jsonl --kind tokens -o all-open && lora-train -m '$model' $some all-open -o all.open 2>&1 | grep -c completion"
printf '0\n' >expect; out_is <expect

it "gives dropout, rsLoRA and another optimiser an effect"
for change in '--lora-dropout 0' '--resid-pdrop 0.3' '--use-rslora' '--optim adamw_torch' '--optim sgd' \
	'--init-lora-weights gaussian' '--init-lora-weights false' '--target-modules q_proj' '--loss completion' \
	'--loss-norm tokens-unshifted' '--weight-decay 5' '--max-grad-norm 0.01' '--lr-scheduler-type constant' \
	'--per-device-train-batch-size 2'
do
	run lora-train -q -m "$model" $some $change data -o changed --force
	[ "$rc" -eq 0 ] && ! cmp -s piped changed; report $? "$change: exit $rc $(cat "$dir/err")"
done

it "says what an option does nothing to"
run lora-train -m "$model" data --lr-scheduler-type constant --warmup-ratio 0.1 --plan idle
ok
err_has '--lr-scheduler-type constant has no warm-up; constant_with_warmup has'
run lora-train -m "$model" data --optim sgd --adam-beta2 0.9 --plan idle --force
ok
err_has '--adam-beta1, --adam-beta2 and --adam-epsilon say nothing to --optim sgd'
run lora-train -m "$model" data --lr-scheduler-type constant --warmup-ratio 0 --plan idle --force
ok
check [ ! -s "$dir/err" ]

# ---- mistakes ----

for option in --full '--neftune-noise-alpha 5' '--modules-to-save lm_head' --resume '--checkpoint -' \
	'--checkpoint x --plan y' '--checkpoint x -o x' '--checkpoint x --metrics x' \
	'--save-steps 5' '--save-total-limit 2' '--bias all' '--bias lora_only' '--r 0' '--lora-dropout 1' '--optim lion' \
	'--eval-steps 5' '--order x --num-train-epochs 2' '--target-modules lm_head' '--preset blog' '--plan x --metrics y' \
	'--metrics -' '--metrics same -o same' '--save-steps 1' '--save-total-limit 1 -o x'
do
	it "refuses $option"
	run lora-train -m "$model" data $option
	exit_is 2
	one_line
done

it "needs a model"
run lora-train data -o bad
exit_is 2
run lora-train -m nowhere data -o bad
exit_is 66

it "reads standard input once"
run lora-train -m - -o bad
exit_is 2
run lora-train -m "$model" - --order - -o bad
exit_is 2
err_has 'only one of'

it "says that another device is not there"
run lora-train -m "$model" data --device cuda -o bad
exit_is 69
absent bad

it "does not write over a file"
echo keep >kept
run lora-train -q -m "$model" $some data -o kept
exit_is 73
check grep -q keep kept
run lora-train -q -m "$model" $some data -o kept --force
same piped kept

# wrong NAME 'RECORD' 'WHAT IS SAID' [OPTION...]: one bad record among good ones
wrong() {
	it "refuses $1"
	{ echo '{"id": 1, "ids": [1, 2, 3], "n_prompt": 1}'; echo "$2"; } | stream bad.in --force
	said=$3
	shift 3
	run lora-train -m "$model" bad.in -o bad "$@"
	exit_is 65
	one_line
	err_has "$said"
	absent bad
	rm bad.in
}
wrong 'a token outside the vocabulary' '{"id": 7, "ids": [1, 512]}' 'bad.in:7: token id 512'
wrong 'a record longer than the positions' "{\"id\": 7, \"ids\": [$(seq -s, 0 256)]}" 'bad.in:7: 257 tokens'
wrong 'an empty record' '{"id": 7, "ids": []}' 'bad.in:7: '
wrong 'a single token' '{"id": 7, "ids": [4]}' 'bad.in:7: one token'
wrong 'a record without ids' '{"id": 7, "text": "x"}' "bad.in:7: no field 'ids'"
wrong 'no completion to learn' '{"id": 7, "ids": [4, 5]}' 'bad.in:7: no n_prompt' --loss completion
wrong 'an empty completion' '{"id": 7, "ids": [4, 5], "n_prompt": 2}' 'bad.in:7: the completion is empty' --loss completion
wrong 'a prompt longer than the record' '{"id": 7, "ids": [4, 5], "n_prompt": 3}' 'bad.in:7: n_prompt is 3' --loss completion
wrong 'a completion that is cut away' '{"id": 7, "ids": [4, 5, 6, 7], "n_prompt": 3}' '--max-length' --loss completion --max-length 3

it "refuses a stream with nothing to learn"
echo '{"id": 1, "ids": [1, 2], "split": "test"}' | stream tests-only
run lora-train -m "$model" tests-only -o bad
exit_is 65
err_has 'no record to learn from'
run lora-train -q -m "$model" tests-only --only split=test --max-steps 1 -o picked
ok

it "refuses a stream that stops early, and another kind of stream"
head -c 1500 data >cut-off
run lora-train -m "$model" cut-off -o bad
exit_is 65
one_line
echo '{"id": 1, "text": "x"}' | peek --from-jsonl --kind examples -o texts -
run lora-train -m "$model" texts -o bad
exit_is 65
absent bad

# order NAME TEXT WHAT
order() {
	it "refuses an order with $1"
	printf "$2" >order.txt
	run lora-train -m "$model" data --order order.txt --gradient-accumulation-steps 1 -o bad
	exit_is 65
	one_line
	err_has "$3"
	absent bad
}
order 'a word' '3\nfour\n' "order.txt:2: 'four' is not a record id"
order 'an empty line' '3\n\n4\n' "order.txt:2: '' is not"
order 'an unknown record' '3\n999\n' 'order.txt:2: no record to learn from has the id 999'
order 'nothing in it' '' 'the order is empty'
it "refuses an order that is too short"
printf '3\n4\n' >order.txt
run lora-train -m "$model" data --order order.txt --max-steps 3 --gradient-accumulation-steps 1 -o bad
exit_is 65
err_has 'order.txt: 2 records make 2 steps and not 3'

it "stops with the step's number when numbers run away"
run lora-train -m "$model" data --learning-rate 1e6 --max-grad-norm 0 --warmup-ratio 0 --max-steps 30 -o bad
exit_is 70
err_has 'step '
check grep -Eq 'is not (finite|a finite number)' "$dir/err"
absent bad

it "names the record and the step whose loss is no number"
wild="--optim sgd --learning-rate 1e6 --max-grad-norm 0 --warmup-ratio 0 --lr-scheduler-type constant"
run lora-train -q -m "$model" data $wild --max-steps 1 -o wild
ok
run lora-train -q -m "$model" data $wild --max-steps 4 --init-adapter wild -o bad
exit_is 70
one_line
sed 's/data:[0-9]*: step [0-9]*: /HERE /' "$dir/err" >"$dir/out"
out_has 'HERE the loss is not a finite number'
absent bad

it "prints the memory plan under -v"
run lora-train -v -m "$model" $some data -o verbose
ok
err_has 'memory: '
same piped verbose

finish
