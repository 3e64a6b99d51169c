#!/bin/bash
# score --summary as a picture, and which row is the best where accuracies are the same.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1

# run_of FILE SPLIT RIGHT P: ten records, so many of them right, each said with probability P
run_of() {
	mkdir -p "$(dirname "$1")"
	/usr/bin/python3 - "$2" "$3" "$4" <<'PY' | peek --from-jsonl --kind predictions --labels up,down -o "$1"
import json, sys
split, right, p = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
for i in range(10):
    label = "up" if i % 5 else "down"
    said = label if i < right else {"up": "down", "down": "up"}[label]
    print(json.dumps({"id": i, "label": label, "pred": said, "split": split, "scores": [p, 1 - p] if said == "up" else [1 - p, p]}))
PY
}
points() { # points FILE: the texts of the picture, one a line
	/usr/bin/python3 -c 'import sys, xml.etree.ElementTree as tree
print(*(t.strip() for t in tree.parse(sys.argv[1]).getroot().itertext() if t.strip()), sep="\n")' "$1"
}

for seed in 1 2
do
	run_of "r=8,lr=1e-4,seed=$seed/eval.zst" eval 7 0.75
	run_of "r=8,lr=5e-4,seed=$seed/eval.zst" eval 7 0.7
	run_of "r=8,lr=1e-3,seed=$seed/eval.zst" eval 7 0.75
	for rate in 1e-4 5e-4 1e-3
	do run_of "r=16,lr=$rate,seed=$seed/eval.zst" eval 6 0.9
	done
done

it "of equals the one with the smaller log-loss is the best"
sh_run 'score --summary --over seed */eval.zst | grep best$'
check [ "$(awk '{ print $1, $2, $4, $5 }' out)" = "8 5e-4 10 0.7000" ]
it "another figure chooses another one"
sh_run 'score --summary --over seed --best ece */eval.zst | grep best$'
check [ "$(awk '{ print $1, $2 }' out)" = "8 5e-4" ]

it "the setting with most values is the axis, the others are lines"
run score --summary --over seed */eval.zst --plot sweep.svg
ok
out_has 'eval accuracy'
points sweep.svg >texts
for text in 'Accuracy on evaluation rows' lr 1e-4 5e-4 1e-3 r=8 r=16 'most frequent label' best 'whiskers: 95 % (Wilson) for 10 records'
do check grep -qxF -- "$text" texts
done
check [ -z "$(grep -F seed texts)" ]
it "rows in the order of the axis: 1e-3 comes last"
check [ "$(grep -x '[15]e-[34]' texts | xargs)" = "1e-4 5e-4 1e-3" ]
it "many values that are numbers stand where they are"
for rows in 0 20 50 100 200
do run_of "rows=$rows/after.zst" test $((5 + rows / 50)) 0.8
done
run score --summary rows=*/after.zst --plot curve.svg
ok
points curve.svg >texts
check grep -qx 150 texts
check grep -qx Accuracy texts
it "runs without settings stand side by side by their names"
run_of before.zst test 4 0.8 && run_of after.zst test 8 0.8
run score --summary before.zst after.zst --plot two.svg
ok
points two.svg >texts
check [ "$(grep -x 'before\|after' texts | xargs)" = "before after" ]
it "so do more lines than there are colours"
for a in 1 2 3; do for b in 1 2 3 4; do run_of "a=$a,b=$b,c=$b/x.zst" test 5 0.8; done; done
run score --summary a=*/x.zst --plot many.svg
ok
check grep -q 'a=1,b=1,c=1' many.svg
it "the same files are the same picture, whatever their order"
run score --summary --over seed $(ls -rd */eval.zst) --plot again.svg
same sweep.svg again.svg
it "a value from outside is no markup"
run_of 'k=<b>&"x,seed=1/eval.zst' eval 7 0.8
run_of "k=y,seed=1/eval.zst" eval 7 0.8
run score --summary k=*/eval.zst --plot odd.svg
ok
points odd.svg >texts
check grep -qF '<b>&"x' texts
it "on standard output it takes the place of the table"
sh_run 'score --summary --over seed */eval.zst --plot - | cmp - sweep.svg'
ok
it "a picture that is there stays without --force"
run score --summary before.zst after.zst --plot two.svg
exit_is 73
run score --summary before.zst after.zst --plot two.svg --force
ok
finish
