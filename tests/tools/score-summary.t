#!/bin/sh
# score --summary: many runs in one table.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1

# run_of FILE SPLIT RIGHT WRONG: so many records of label up, and as many again of down, all right.
run_of() {
	mkdir -p "$(dirname "$1")"
	awk -v part="$2" -v right="$3" -v wrong="$4" 'BEGIN {
		q = "\""; n = right + wrong
		for (i = 0; i < 2 * n; i++)
			print "{" q "id" q ":" i "," q "label" q ":" q (i < n ? "up" : "down") q "," q "pred" q ":" q \
				(i < right || i >= n ? (i < n ? "up" : "down") : "down") q "," q "split" q ":" q part q "}"
	}' | peek --from-jsonl --kind predictions --labels up,down -o "$1"
}
for seed in 1 2
do
	run_of "r=16,lr=5e-4,seed=$seed/test.zst" test $((8 - seed)) $((2 + seed))
	run_of "r=16,lr=5e-4,seed=$seed/eval.zst" eval 3 2
	run_of "r=4,lr=5e-4,seed=$seed/test.zst" test $((7 - 2 * seed)) $((3 + 2 * seed))
	run_of "r=4,lr=5e-4,seed=$seed/eval.zst" eval $((2 + seed)) $((3 - seed))
done
run_of before.zst test 4 6
run_of after.v2.zst test 9 1

it "a run is a file without its folder and endings; two files, two rows"
run score --summary before.zst after.v2.zst
out_is <<'EXPECT'
run      n  accuracy     95 % interval  macro_f1  baseline
before  20    0.7000  0.4810 to 0.8545    0.6703    0.5000
after   20    0.9500  0.7639 to 0.9911    0.9499    0.5000
EXPECT
it "--name"
sh_run "score --summary --tsv --name 'one	two' --name three before.zst after.v2.zst | cut -f1-4"
out_is <<'EXPECT'
name	runs	n	accuracy
one\ttwo	1	20	0.7
three	1	20	0.95
EXPECT
it "numbers of a row are those of score --json"
score --json before.zst >one.json && score --summary --json before.zst >many.json
check /usr/bin/python3 - one.json many.json <<'EOF'
import json, sys
one, row = (json.load(open(f)) for f in sys.argv[1:])
for key in ("n", "accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "mcc"):
    assert one[key] == row[key], key
assert row["settings"] == {} and row["name"] == "before" and row["log_loss"] is None and not row["best"]
EOF

it "settings are columns, rows are sorted by their values, the best on eval is marked"
sh_run 'score --summary */*.zst | sed "s/ *$//"'
out_is <<'EXPECT'
r   lr    seed   n  accuracy     95 % interval  eval n  eval accuracy     95 % interval  macro_f1  baseline
4   5e-4  1     20    0.7500  0.5313 to 0.8881      10         0.8000  0.4902 to 0.9433    0.7333    0.5000
4   5e-4  2     20    0.6500  0.4329 to 0.8188      10         0.9000  0.5958 to 0.9821    0.6011    0.5000  best
16  5e-4  1     20    0.8500  0.6396 to 0.9476      10         0.8000  0.4902 to 0.9433    0.8465    0.5000
16  5e-4  2     20    0.8000  0.5840 to 0.9193      10         0.8000  0.4902 to 0.9433    0.7917    0.5000
EXPECT
it "--over seed: means, deviations, and the interval of one run's records"
sh_run 'score --summary --tsv --over seed */*.zst | cut -f1-9,26-31,49'
out_is <<'EXPECT'
name	r	lr	runs	n	accuracy	accuracy_low	accuracy_high	accuracy_sd	baseline	eval_n	eval_accuracy	eval_accuracy_low	eval_accuracy_high	eval_accuracy_sd	best
r=4,lr=5e-4	4	5e-4	2	20	0.7	0.4810271816464766	0.8545227551323957	0.07071067811865474	0.5	10	0.8500000000000001	0.5411539838433438	0.9645730562526337	0.07071067811865474	1
r=16,lr=5e-4	16	5e-4	2	20	0.825	0.6113748781567111	0.9338937691089565	0.03535533905932733	0.5	10	0.8	0.4901624715366418	0.9433178485456248	0.0	0
EXPECT
it "--best: less log loss is better, and none is marked where it is not there"
sh_run 'score --summary --tsv --best log_loss --over seed */*.zst | grep -c "	1$"'
out_has 0
it "--over all settings is one row"
sh_run 'score --summary --tsv --over seed --over r --over lr */test.zst | cut -f1-3'
out_is <<'EXPECT'
name	runs	n
all	4	20
EXPECT

refuses score 65 "both have records of the run 'before'" --summary before.zst ./before.zst
refuses score 65 "run 'r=4,lr=5e-4,seed=1' has records with split eval, run 'before' has none" --summary before.zst r=4*1/*.zst
refuses score 2 "--over 'rank': no run has this setting; run 'before' is an example" --summary --over rank before.zst
refuses score 2 "--best 'loss' is none of accuracy" --summary --best loss before.zst
refuses score 2 "--summary needs the files" --summary
refuses score 2 "--name is given 1 times for 2 files" --summary --name a before.zst after.v2.zst
refuses score 2 "--over and --best go with --summary" --over seed before.zst
refuses score 2 "--summary excludes" --summary --by split before.zst
for name in n mcc best accuracy_low eval_n eval_baseline eval_mcc_sd
do refuses score 65 "a setting is called '$name', as a number of the table is" --summary --name "$name=4" before.zst
done
it "... and others are not"
run score --summary --name "mccs=1,eval_runs=2,n_sd=3" before.zst
ok
refuses score 66 "gone.zst" --summary before.zst gone.zst
peek --jsonl before.zst | sed '1s/"test"/"train"/' | peek --from-jsonl --kind predictions --labels up,down -o mixed.zst
refuses score 65 "mixed.zst: has records of split 'test' and of others" --summary mixed.zst
it "... unless they are chosen"
sh_run 'score --summary --only split=test --tsv mixed.zst | cut -f1-3 | tail -1'
out_is <<'EXPECT'
mixed	1	19
EXPECT
finish
