#!/bin/sh
# --checkpoint, --resume, and what a long run leaves. Kills at random moments: lora-train-kill.t.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
model=$root/tests/golden/phi-tiny/nf4
stream() { peek --from-jsonl --kind tokens -o "$1" - ; }
head -n 40 "$root/tests/golden/phi-tiny/records.jsonl" | sed '31,40s/"split": "train"/"split": "eval"/' >rows
stream data <rows
timeless() { sed 's/, "tokens_per_s": [^}]*//' "$1" >"$1.timeless"; }

# go MODEL DATA OPTION...: the run in question
go() { tool_model=$1 tool_data=$2; shift 2
	run lora-train -q -m "$tool_model" --r 4 --gradient-accumulation-steps 4 --max-steps 6 --logging-steps 4 "$@" "$tool_data"; }

it "a run with checkpoints is the run without"
go "$model" data --metrics want.metrics -o want
ok
go "$model" data --metrics metrics -o got --checkpoint run --save-steps 2
ok
same want got
timeless metrics
timeless want.metrics
same want.metrics.timeless metrics.timeless
check [ "$(echo got* run*)" = "got run" ]

it "is a safetensors file"
cp run run.safetensors
run peek --tensors run.safetensors
out_has 'first_moment	F32	'

it "is not replaced by a run that does not say so"
go "$model" data -o other --checkpoint run
exit_is 73
one_line
err_has 'run: is there already; use --resume to go on from it, or --force to begin anew'
absent other
same run run.safetensors

it "leaves a checkpoint that another run has put there since it began"
mkfifo slow
lora-train -q -m "$model" --r 4 --max-steps 2 --checkpoint shared -o late slow 2>err &
late=$!
exec 3>slow
while [ ! -e .late.slmtools-0.tmp ]; do sleep 0.01; done
cp run shared
cat data >&3
exec 3>&-
wait "$late"
check [ $? -eq 73 ]
check grep -q 'shared: is there already; use --force' err
same run shared
absent late

it "says that a finished run is finished, and does it again where its output is gone"
go "$model" data --metrics metrics -o got --checkpoint run --resume
ok
same want got
rm got
go "$model" data --metrics metrics -o got --checkpoint run --resume -j 3 -l 3 --save-steps 1
ok
same want got
timeless metrics
same want.metrics.timeless metrics.timeless
echo other >got
go "$model" data --metrics metrics -o got --checkpoint run --resume
exit_is 73
err_has 'got: is there already'
go "$model" data --metrics metrics -o got --checkpoint run --resume --force
same want got

run lora-train -q -m "$model" --r 4 --seed 7 --max-steps 1 data -o begun

# differs WHAT SAID MODEL DATA OPTION...
differs() {
	it "refuses a checkpoint of $1"
	said=$2
	shift 2
	go "$@" --metrics metrics -o bad --checkpoint run --resume
	exit_is 65
	one_line
	err_has 'run: the checkpoint is of another run: '
	err_has "$said"
	absent bad
	same run run.safetensors
}
differs 'another rank' '--r was 4 and is 8;' "$model" data --r 8
differs 'two other options' '--learning-rate was 0.0002 and is 0.001, --seed was 42 and is 7;' "$model" data --seed 7 --learning-rate 1e-3
differs 'a shorter run' '--max-steps was 6 and is 12;' "$model" data --max-steps 12
differs 'another schedule' '--lr-scheduler-type was cosine and is linear;' "$model" data --lr-scheduler-type linear
differs 'another optimiser' '--optim was adamw_bnb and is sgd;' "$model" data --optim sgd
differs 'other evaluations' '--eval-strategy was epoch and is no;' "$model" data --eval-strategy no
differs 'another filter' '--only was not set and is split=train;' "$model" data --only split=train
differs 'fewer records' '--limit was not set and is 20;' "$model" data --limit 20
differs 'an option that is off' '--group-by-length was no and is yes;' "$model" data --group-by-length
seq 0 23 >order
differs 'another order' 'order was ' "$model" data --order order
differs 'other first weights' 'first weights was ' "$model" data --init-adapter begun
sed '1s/"ids": \[[0-9]*/"ids": [9/' rows | stream data2
differs 'other records' 'records was ' "$model" data2
tail -n 39 rows | stream data3
differs 'fewer records' 'records was ' "$model" data3
cp -r "$model" model2 && sed -i 's/"hidden_size"/ "hidden_size"/' model2/config.json
differs 'another model' 'model was ' model2 data
it "refuses a checkpoint of a run with metrics where there are none, and the other way round"
go "$model" data -o bad --checkpoint run --resume
exit_is 65
err_has '--metrics was given and is not given'

it "goes on with another interval between lines, unless evaluations follow it"
rm got
go "$model" data --metrics metrics -o got --checkpoint run --resume --logging-steps 2
ok
same want got
go "$model" data --metrics metrics -o bad --checkpoint run --resume --eval-strategy steps --logging-steps 2
exit_is 65
err_has '--eval-strategy was '

it "takes the same records from elsewhere"
cp data elsewhere
rm got
go "$model" - --metrics metrics -o got --checkpoint run --resume <elsewhere
ok
same want got

it "goes on in another metrics file only when it is a copy"
cp metrics copy
echo 'a line behind' >>copy
rm got
go "$model" data --metrics copy -o got --checkpoint run --resume
ok
timeless copy
same want.metrics.timeless copy.timeless
{ echo '{"other": 1}'; cat metrics metrics; } >foreign
go "$model" data --metrics foreign -o bad --checkpoint run --resume
exit_is 65
one_line
err_has "foreign: does not begin with the lines that the checkpoint's run wrote"
check grep -q other foreign
go "$model" data --metrics nowhere -o bad --checkpoint run --resume
exit_is 65
absent nowhere

# damaged NAME: the file "damaged" is refused as it is
damaged() {
	it "refuses $1"
	cp damaged damaged.before
	go "$model" data --metrics metrics -o bad --checkpoint damaged --resume
	exit_is 65
	one_line
	err_has 'damaged: is '
	absent bad
	same damaged damaged.before
}
size=$(wc -c <run)
head -c $((size - 1)) run >damaged
damaged 'a checkpoint without its last byte'
head -c $((size / 2)) run >damaged
damaged 'half a checkpoint'
: >damaged
damaged 'an empty checkpoint'
for byte in 0 9 300 $((size / 2)) $((size - 1))
do
	{ head -c "$byte" run; printf '\377'; tail -c +$((byte + 2)) run; } >damaged
	damaged "a checkpoint whose byte $byte is another one"
done
cp data damaged
damaged 'a stream for a checkpoint'
cp "$model/model.safetensors" damaged
damaged 'a model for a checkpoint'

# forge 'PYTHON': another header under a right digest
forge() {
	python3 - "$1" <<'PY'
import hashlib, json, sys
data = open("run", "rb").read()
n = int.from_bytes(data[:8], "little")
h = json.loads(data[8:8 + n])
m, rest = h["__metadata__"], data[8 + n:-32]
exec(sys.argv[1])
text = json.dumps(h).encode()
data = len(text).to_bytes(8, "little") + text + rest
open("forged", "wb").write(data + hashlib.sha256(data).digest())
PY
	it "refuses a checkpoint after $1"
	go "$model" data --metrics metrics -o bad --checkpoint forged --resume
	exit_is 65
	one_line
	err_has "${2-forged}"
	absent bad
}
forge 'm["format"] = "slmtools checkpoint 2"' "forged: its format is 'slmtools checkpoint 2' and not 'slmtools checkpoint 1'; go on with the build that wrote it, or "
forge 'm["identity"] = m["identity"].replace("0.1.0", "0.0.9")' 'the checkpoint is of another run: program was 0.0.9 and is 0.1.0;'
build='; go on with the build that wrote it, or begin anew with --force and without --resume'
forge 'm["identity"] = "[]"' "the checkpoint is of another build: it does not know of this one's 'program'$build"
forge 'm["identity"] = m["identity"].replace("\"--label-smoothing\"", "\"--smoothing\"")' \
	"the checkpoint is of another build: it does not know of this one's '--label-smoothing'$build"
forge 'm["identity"] = "{\"--new\":\"1\"," + m["identity"][1:]' "the checkpoint is of another build: this one does not know of its '--new'$build"
forge 'm["state"] = m["state"].replace("\"lr\":", "\"rate\":")' "the checkpoint's 'history' is not one of curves$build"
forge 'm["identity"] = "x"'
forge 'del m["state"]' "is no checkpoint: it has no 'state'"
forge 'm["state"] = "{}"' 'does not say how far the run was'
forge 'm["state"] = m["state"].replace("\"step\":6", "\"step\":7")'
forge 'm["state"] = m["state"].replace("\"step\":6", "\"step\":-1")'
forge 'm["state"] = m["state"].replace("\"step\":6,\"evaluate\":false", "\"step\":0,\"evaluate\":true")'
forge 'm["state"] = m["state"].replace("\"step\":6,\"evaluate\":false", "\"step\":1,\"evaluate\":true")'
forge 'm["state"] = m["state"].replace("\"bytes\":", "\"bytes\":1e15,\"x\":")' metrics
forge 'h["weight"] = h.pop("weights")' "forged: its 'weights' is not float32"

it "names what is no checkpoint"
mkdir -p place
for what in place /dev/zero
do
	go "$model" data -o bad --checkpoint $what --resume
	exit_is 66
	err_has "$what: is no file"
done
absent bad

it "needs a place for the checkpoint before it begins"
go "$model" data -o bad --checkpoint no/such/place --metrics none
exit_is 73
one_line
absent bad
absent none

it "is no input and no other output, whatever the path"
cp data data.before
for other in '--checkpoint ./data --force' '--metrics ./data --force' '--checkpoint twice --metrics ./twice' \
	'--checkpoint ./bad' '--metrics ./bad'
do
	go "$model" data -o bad $other
	exit_is 73
	one_line
	absent bad
done
same data data.before
absent twice

# ---- what stays of a run that does not end well ----

it "keeps the lines of a run that fails"
go "$model" data --learning-rate 1e6 --max-grad-norm 0 --warmup-ratio 0 --max-steps 30 --logging-steps 1 --metrics broken -o bad
exit_is 70
check grep -q '"step": 1,' broken
absent bad
it "does not write over metrics, nor over those of a run that is not resumed"
go "$model" data --metrics broken -o bad
exit_is 73
err_has 'broken: is there already'
go "$model" data --metrics broken -o bad --checkpoint fresh --resume
exit_is 73
absent fresh
go "$model" data --metrics broken -o good --force
ok
timeless broken
same want.metrics.timeless broken.timeless

it "writes a line for fewer steps than an interval"
go "$model" data --max-steps 3 --logging-steps 25 --metrics few -o short
ok
check [ "$(grep -c '"step": 3.*"loss"' few)" -eq 1 ]

it "saves adapters on the way again, with --force"
go "$model" data -o way --save-steps 3
ok
go "$model" data -o way --save-steps 3
exit_is 73
go "$model" data -o way --save-steps 3 --force
ok
it "saves them beside a checkpoint only when --save-total-limit says so"
go "$model" data -o both --save-steps 2 --checkpoint both.run --save-total-limit 1
ok
check [ "$(echo both*)" = "both both.run both.step-6" ]
rm both
go "$model" data -o both --save-steps 2 --checkpoint both.run --save-total-limit 1 --resume
ok
same want both

# On a file system of so many kilobytes, one of which is for the folder.
small() { # small KILOBYTES OPTION...
	size=$1
	shift
	run unshare -rm sh -c 'mount -t tmpfs -o size="$1"k none place && shift && "$@" && df --output=avail place' sh "$size" \
		lora-train -q -m "$model" --r 4 --max-steps 6 data -o place/out --metrics place/none "$@"
}
mkdir -p place
it "does not begin where there is no room for the adapter, or for two checkpoints"
if unshare -rm mount -t tmpfs none place 2>"$dir/err"
then
	adapter=$(($(tar -xOf want adapter_model.safetensors 2>/dev/null | wc -c) / 1024)) state=$(($(wc -c <run) / 1024))
	small $((adapter / 2))
	exit_is 74
	one_line
	err_has 'out: '
	small $((adapter + state + state / 2)) --checkpoint place/run
	exit_is 74
	one_line
	err_has 'run: '
	small $((2 * adapter + 2 * state + 100)) --checkpoint place/run --save-steps 1
	ok
else
	skip "no file system can be mounted: $(cat "$dir/err")"
fi

it "says once that steps have fewer records than they should"
run lora-train -m "$model" --r 4 --gradient-accumulation-steps 64 --max-steps 2 data -o few.records
ok
[ "$(grep -c 'warning: 2 of 2 steps have fewer' "$dir/err")" -eq 1 ]; report $? "$(cat "$dir/err")"
err_has '30 micro-batches, whose gradient is divided by 64'

it "takes an order as people's editors save it"
printf '5\n3\n4\n1\n' >order
printf '\357\273\2775\r\n3\r\n4\r\n1\r\n' >order.dos
run lora-train -q -m "$model" --gradient-accumulation-steps 2 --order order data -o unix
ok
run lora-train -q -m "$model" --gradient-accumulation-steps 2 --order order.dos data -o dos
same unix dos

check [ "$(find . -name '*.tmp' | wc -l)" -eq 0 ]
finish
