#!/bin/bash
# pipelines/sweep and pipelines/learning-curve: many runs of one experiment, which share what they can, are chosen by
# rows that test nothing, and go on when they were stopped.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL OUT MODEL DATA RANKS RATES EPOCHS SEEDS ROWS
export SLMTOOLS_SHARE=$root/share
bin=$(dirname "$(command -v predict)")
mkdir "$dir/w" && cd "$dir/w" || exit 1
mkmodel --hidden 32 --layers 1 --heads 2 --vocab 512 --partial-rotary-factor 0.5 --tokenizer "$root/pipelines/tiny" -o model/
train='--loss completion --gradient-accumulation-steps 4 --max-steps 3'
experiment() { # experiment NAME [VARIABLE=VALUE | TARGET]...
	make -s -C "$root/pipelines/$1" BIN="$bin" MODEL=model RUN='--threads 1' LIMIT=2 \
		SPLIT='--per-class --train 12 --eval 3 --test 3' TRAIN="$train" "${@:2}"
}
sweep() { experiment sweep OUT=sweep RANKS='2 4' RATES='1e-3 5e-2' EPOCHS=1 SEEDS='1 2' "$@"; }
curve() { experiment learning-curve OUT=curve ROWS='2 4 8' SEEDS='1 2' "$@"; }
made() { (cd "$1" && find . -newer "$dir/mark" -type f ! -path './.slmtools/*' | sed 's,^\./,,' | sort | xargs); }
picture() { # picture FILE TEXT...: it is XML that says these
	/usr/bin/python3 - "$@" <<'PY'
import sys, xml.etree.ElementTree as tree
texts = "".join(tree.parse(sys.argv[1]).getroot().itertext())
missing = [t for t in sys.argv[2:] if t not in texts]
sys.exit(f"{missing} not in {texts}" if missing else 0)
PY
}

# ---- sweep ----
it "a sweep by four jobs"
run sweep -j4 report
ok
it "a line for each setting, one of which is the best on the evaluation rows"
check [ "$(sed 1d sweep/sweep.txt | awk '{ print $1, $2, $3, $4, $5 }' | xargs -d '\n')" = "2 1e-3 1 2 6 2 5e-2 1 2 6 4 1e-3 1 2 6 4 5e-2 1 2 6" ]
check [ "$(grep -c ' best$' sweep/sweep.txt)" -eq 1 ]
out_has 'eval accuracy'
it "and a picture"
check picture sweep/sweep.svg 'Accuracy on evaluation rows' lr=1e-3 lr=5e-2 best
it "and a page of it, with how each run was trained"
check /usr/bin/python3 "$root/tests/tools/score-html.py" check sweep/report.html
check grep -q '<code>  lora-train .* r=4 .* seed=2' sweep/report.html
out_has 'All of it in pictures: '
it "the best one's test rows, beside those before training"
best=$(sed -n 's/ *best$//p' sweep/sweep.txt | awk '{ print "r=" $1 ",lr=" $2 ",epochs=" $3 }')
check [ "$(sed 1d sweep/chosen.txt | awk '{ print $1 }' | xargs)" = "before $best" ]
check grep -q "^$best .* 2  *6  *0" sweep/chosen.txt
it "no other run has seen a test row"
check [ "$(cd sweep && ls -d -- */after.zst | xargs)" = "$best,seed=1/after.zst $best,seed=2/after.zst" ]
check [ "$(peek --tally split "sweep/$best,seed=1/eval.zst" | xargs)" = "split all eval 6" ]
it "each run is the one its name says"
lora-train -q @sweep/.slmtools/train --r 4 --learning-rate 5e-2 --num-train-epochs 1 --seed 2 sweep/data.tok.zst -o one.tar.zst
same one.tar.zst "sweep/r=4,lr=5e-2,epochs=1,seed=2/adapter.tar.zst"
it "nothing is made again"
touch "$dir/mark"
run sweep -q all
ok
it "one more rate is two more runs for each rank, and no other is made"
run sweep RATES='1e-3 5e-2 1e-2'
ok
got=$(made sweep | tr ' ' '\n' | grep adapter | xargs)
[ "$got" = "r=2,lr=1e-2,epochs=1,seed=1/adapter.tar.zst r=2,lr=1e-2,epochs=1,seed=2/adapter.tar.zst r=4,lr=1e-2,epochs=1,seed=1/adapter.tar.zst r=4,lr=1e-2,epochs=1,seed=2/adapter.tar.zst" ]
report $? "$got"
[ -z "$(made sweep | tr ' ' '\n' | grep '^before\|^data')" ]
report $? "$(made sweep)"
it "another TRAIN makes all runs again, another PREDICT no adapter"
check [ "$(sweep -n TRAIN="$train --lora-dropout 0" | grep -c 'lora-train ')" -eq 8 ]
check [ "$(sweep -n PREDICT='--normalize length' | grep -c 'lora-train ')" -eq 0 ]
check [ "$(sweep -n PREDICT='--normalize length' | grep -c 'only split=eval ')" -eq 8 ]

# A lora-train that is killed once it has a checkpoint.
mkdir killer && ln -s "$bin"/* killer/ && rm killer/lora-train
cat >killer/lora-train <<KILLER
#!/bin/sh
for word; do case \$before in --checkpoint) checkpoint=\$word ;; esac; before=\$word; done
"$bin/lora-train" "\$@" &
until [ -e "\$checkpoint" ]; do sleep 0.02; done
kill -9 \$!
exit 137
KILLER
chmod +x killer/lora-train
long="$train --max-steps 200 --logging-steps 1"
it "runs that were killed leave their checkpoints"
run sweep OUT=killed TRAIN="$long" BIN=killer -j4 -k RANKS=2 RATES='1e-3 2e-3' SEEDS=1
exit_is 2
check [ "$(cd killed && ls -d -- */checkpoint | xargs)" = "r=2,lr=1e-3,epochs=1,seed=1/checkpoint r=2,lr=2e-3,epochs=1,seed=1/checkpoint" ]
it "and go on from them to the same bytes"
touch "$dir/mark"
run sweep OUT=killed TRAIN="$long" RANKS=2 RATES='1e-3 2e-3' SEEDS=1
ok
[ -z "$(made killed | tr ' ' '\n' | grep '^data\|checkpoint')" ]
report $? "$(made killed)"
lora-train -q @killed/.slmtools/train --r 2 --learning-rate 2e-3 --num-train-epochs 1 --seed 1 killed/data.tok.zst -o one.tar.zst --force
same one.tar.zst "killed/r=2,lr=2e-3,epochs=1,seed=1/adapter.tar.zst"

it "digests are of all products, verify compares them"
run sweep EXPECTED=digests digests
ok
check grep -q '  r=4,lr=1e-3,epochs=1,seed=2/eval.zst$' digests
run sweep EXPECTED=digests verify
ok
it "clean takes all runs away, also of settings that were tried before, and leaves what it did not make"
echo mine >"sweep/r=2,lr=1e-3,epochs=1,seed=1/notes"
run sweep clean
ok
check [ "$(find sweep -type f)" = "sweep/r=2,lr=1e-3,epochs=1,seed=1/notes" ]
run sweep OUT=killed clean
absent killed

refused() { # refused MESSAGE VARIABLE=VALUE
	it "refused: $2"
	run sweep OUT=none "$2"
	[ "$rc" -eq 2 ] && grep -qF -e "$1" "$dir/err"
	report $? "exit $rc: $(cat "$dir/err")"
}
refused "RATES=5e-4 x: 'x' is no number" RATES='5e-4 x'
refused "RANKS=8,16: '8,16' is no number" RANKS=8,16
refused "SEEDS=../x: '../x' is no number" SEEDS=../x
refused "'\$(shell' is no number" RANKS='$(shell touch here)'
refused "no runs; give each list at least one number" SEEDS=
refused "'*' is no number" EPOCHS='*'
absent none
absent here

# ---- learning-curve ----
it "a learning curve by three jobs"
run curve -j3 report
ok
it "a line for each number of rows, from none on"
check [ "$(sed 1d curve/curve.txt | awk '{ print $1, $2, $3 }' | xargs)" = "0 1 6 2 2 6 4 2 6 8 2 6" ]
out_has '95 % interval'
check picture curve/curve.svg rows Accuracy 'most frequent label'
check /usr/bin/python3 "$root/tests/tools/score-html.py" check curve/report.html
it "the smaller sets are in the larger ones, so many of each class"
plan() { lora-train --plan /dev/stdout @curve/.slmtools/train --max-steps 1000 --num-train-epochs 1 --only split=train --limit-per label="$1" curve/data.tok.zst -o none.zst; }
for rows in 2 4 8
do plan $rows | /usr/bin/python3 -c 'import json, sys
print(*sorted({i for line in sys.stdin for i in json.loads(line).get("ids", [])}), sep="\n")' >ids.$rows
done
check [ "$(wc -l <ids.2) $(wc -l <ids.4) $(wc -l <ids.8)" = "6 12 24" ]
check [ -z "$(comm -23 <(sort ids.2) <(sort ids.4))$(comm -23 <(sort ids.4) <(sort ids.8))" ]
it "each run is the one its name says"
lora-train -q @curve/.slmtools/train --only split=train --limit-per label=4 --seed 2 curve/data.tok.zst -o one.tar.zst --force
same one.tar.zst "curve/rows=4,seed=2/adapter.tar.zst"
it "more rows are more runs, and no other is made"
touch "$dir/mark"
run curve ROWS='2 4 8 12'
ok
check [ "$(made curve | tr ' ' '\n' | grep adapter | xargs)" = "rows=12,seed=1/adapter.tar.zst rows=12,seed=2/adapter.tar.zst" ]
it "a table of one's own, whose path is from here and has blanks"
cp "$root/pipelines/tiny/headlines.csv" 'my rows.csv'
run experiment learning-curve OUT=own DATA='my rows.csv' ROWS=3 SEEDS=1 SPLIT='--train 0.6 --eval 0.1 --test 0.3' report
ok
run peek --head 1 --text prompt own/data.tok.zst
out_has 'The label of a text is one of: '
it "clean"
run curve clean
absent curve
finish
