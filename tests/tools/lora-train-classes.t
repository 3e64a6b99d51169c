#!/bin/sh
# --class-weights and --label-smoothing: what is refused, what stays. Their numbers: tests/parity/classes.t.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
model=$root/tests/golden/phi-tiny/nf4
head -n 24 "$root/tests/golden/phi-tiny/records.jsonl" |
	awk '{ split("good,fine bad", l, " "); sub(/}$/, ", \"label\": \"" l[1 + (NR % 3 == 0)] "\"}")
		if (NR > 18) sub(/"split": "train"/, "\"split\": \"eval\""); print }' >rows
peek --from-jsonl --kind tokens --labels good,fine --labels bad --labels never -o data rows
peek --from-jsonl --kind tokens -o unlabelled - <<X
{"ids": [1, 2, 3], "n_prompt": 1}
X
sed '5s/"label"/"other"/' rows | peek --from-jsonl --kind tokens --labels good,fine --labels bad -o gap -

go() { run lora-train -q -m "$model" --r 4 --gradient-accumulation-steps 4 --max-steps 4 --logging-steps 1 --force --metrics metrics -o made "$@"; }
timeless() { sed 's/, "tokens_per_s": [^}]*//' metrics >"$1"; }

# refuses CODE SAYS DATA OPTION...
refuses() {
	code=$1 says=$2
	it "refuses $says"
	shift 2
	rm -f made
	go "$@"
	exit_is "$code"
	one_line
	err_has "$says"
	absent made
}
for weight in 0 -1 nan inf 1e400 1e31 '' x 2x
do
	refuses 2 "--class-weights bad=$weight: the weight is not a number from 1e-30 to 1e+30" data --class-weights "bad=$weight"
done
refuses 2 "the stream has no label 'worse'; its labels are good,fine, bad, never" data --class-weights bad=2,worse=1
refuses 2 "'bad' has two weights" data --class-weights bad=2 --class-weights bad=2
refuses 2 "'bad' is not NAME=WEIGHT" data --class-weights bad
refuses 2 "'balanced' is not NAME=WEIGHT; balanced stands alone" data --class-weights balanced,bad=1
refuses 2 "'' is not NAME=WEIGHT" data --class-weights bad=1,,never=1
refuses 65 "names no labels, which --class-weights is about" unlabelled --class-weights balanced
refuses 65 "gap:4: no field 'label', which --class-weights goes by" gap --class-weights balanced
for share in 1 1.5 -0.1 nan inf x
do
	refuses 2 "--label-smoothing" data --label-smoothing "$share"
done

it "takes labels with commas, with others or not, and those that no record has"
go data --class-weights good,fine=2 --class-weights bad=0.5,never=7
ok
timeless list
go data --class-weights bad=0.5 --class-weights good,fine=2
ok
timeless each
same list each
go data
timeless plain
check [ "$(head -n 1 list)" != "$(head -n 1 plain)" ]

it "says what balanced is under -v"
run lora-train -v -m "$model" --max-steps 1 --class-weights balanced data --force -o made
ok
err_has "records of 'good,fine' count 0.75 times"
err_has "records of 'bad' count 1.5 times"

it "evaluates without weights and smoothing"
go data --learning-rate 0
grep eval_loss metrics >want
go data --learning-rate 0 --class-weights bad=3 --label-smoothing 0.2
grep eval_loss metrics >got
same want got
check [ -s got ]

it "changes nothing by a smoothing of 0"
go data
timeless plain
cp made plain.out
go data --label-smoothing 0
timeless zero
same plain zero
check peek --diff plain.out made

it "plans"
run lora-train -q -m "$model" --max-steps 1 --class-weights balanced --label-smoothing 0.1 data --plan -
ok
run lora-train -q -m "$model" --max-steps 1 --class-weights worse=1 data --plan -
exit_is 2

it "does not go on with other weights, labels or smoothing"
both="--class-weights bad=2 --label-smoothing 0.1 --checkpoint run"
go data $both
ok
cp made want
rm made
go data $both --resume
ok
same want made
go data $both --resume --class-weights never=3
exit_is 65
err_has '--class-weights was bad=2 and is bad=2 and never=3'
go data $both --resume --label-smoothing 0.2
exit_is 65
err_has '--label-smoothing was 0.1 and is 0.2'
sed '1s/good,fine/bad/' rows | peek --from-jsonl --kind tokens --labels good,fine --labels bad --labels never -o relabelled -
go relabelled $both --resume
exit_is 65
err_has 'records was '

it "has the same bytes for any number of threads"
for j in 1 2 3 8
do
	go data -j $j --class-weights balanced --label-smoothing 0.1
	ok
	mv made made.$j
	same made.1 made.$j
done
finish
