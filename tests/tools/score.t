#!/bin/sh
# What score promises on its command line. Numbers against scikit-learn: tests/parity/sklearn-report.t.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1

make_stream() { peek --from-jsonl --kind predictions --labels up,down -o "$1" --force; }
make_stream p.zst <<'IN'
{"id":0,"label":"up","pred":"up","scores":[0.75,0.25],"day":"mon"}
{"id":1,"label":"up","pred":"down","scores":[0.25,0.75],"day":"mon"}
{"id":2,"label":"down","pred":"down","scores":[0.125,0.875],"day":"tue"}
{"id":3,"label":"down","pred":"none","scores":[0.5,0.5],"day":"tue"}
IN

it "prints a report for people"
run score p.zst
out_is <<'EXPECT'
n                        4
accuracy            0.5000
balanced_accuracy   0.5000
macro_f1            0.5833
weighted_f1         0.5833
mcc                 0.2236
kappa               0.2000
none                     1
log_loss            0.6252
brier               0.4453
ece                 0.2812

label  precision  recall      f1  support
up        1.0000  0.5000  0.6667        2
down      0.5000  0.5000  0.5000        2

True labels down, predicted ones across:
true        up     down     none
up           1        1        0
down         0        1        1

Accuracy, 95 % interval (Wilson): 0.1500 to 0.8500
Always 'up', the most frequent label: 0.5000, inside that interval: accuracy may be no better
EXPECT

it "one JSON object"
run score --json p.zst
out_is <<'EXPECT'
{"n": 4, "accuracy": 0.5, "balanced_accuracy": 0.5, "macro_f1": 0.5833333333333333, "weighted_f1": 0.5833333333333333, "mcc": 0.22360679774997896, "kappa": 0.19999999999999996, "labels": ["up", "down"], "per_label": {"up": {"precision": 1.0, "recall": 0.5, "f1": 0.6666666666666666, "support": 2, "accuracy": 0.5}, "down": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2, "accuracy": 0.5}}, "confusion": [[1, 1, 0], [0, 1, 1]], "none": 1, "log_loss": 0.6251637516890349, "brier": 0.4453125, "ece": 0.28125, "accuracy_interval": [0.15003898915214953, 0.8499610108478505], "baseline": 0.5, "baseline_label": "up", "above_baseline": false, "per_label_intervals": {"up": {"precision": [0.20654931437723745, 1.0], "recall": [0.09453120573423074, 0.9054687942657693]}, "down": {"precision": [0.09453120573423074, 0.9054687942657693], "recall": [0.09453120573423074, 0.9054687942657693]}}, "calibration": [{"bin": 7, "n": 1, "confidence": 0.5, "accuracy": 0.0}, {"bin": 11, "n": 2, "confidence": 0.75, "accuracy": 0.5}, {"bin": 13, "n": 1, "confidence": 0.875, "accuracy": 1.0}]}
EXPECT

it "lines of name, tab, value"
sh_run 'score --tsv p.zst | grep -E "^(n|none|per_label.up.f1|confusion.up.down)	"'
out_is <<'EXPECT'
n	4
none	1
per_label.up.f1	0.6666666666666666
confusion.up.down	1
EXPECT

it "a report for each value of a field"
sh_run 'score --json --by day p.zst | cut -c1-50'
out_is <<'EXPECT'
{"by": {"day": "mon"}, "n": 2, "accuracy": 0.5, "b
{"by": {"day": "tue"}, "n": 2, "accuracy": 0.5, "b
EXPECT

it "scikit-learn's report: none is a class that is never true"
run score --report sklearn --digits 3 p.zst
out_is <<'EXPECT'
              precision    recall  f1-score   support

        down      0.500     0.500     0.500         2
        none      0.000     0.000     0.000         0
          up      1.000     0.500     0.667         2

    accuracy                          0.500         4
   macro avg      0.500     0.333     0.389         4
weighted avg      0.750     0.500     0.583         4

[[1 1 0]
 [0 0 0]
 [1 0 1]]
EXPECT

it "a condition that holds"
run score --require 'accuracy>=0.5' --require 'per_label.up.precision==1' --require 'none<2' p.zst
ok
it "a condition that does not hold: the report is there, exit 1"
run score --json --require 'accuracy>0.5' p.zst
exit_is 1
err_has "'accuracy>0.5' does not hold"
it "the report, all the same"
out_has '"accuracy": 0.5'
it "a condition on a number that is not there"
run score --require 'beauty>1' p.zst
exit_is 2
err_has "there is no number 'beauty'"
it "a condition that is none"
run score --require accuracy p.zst
exit_is 2
it "equal forms exclude each other"
run score --json --tsv p.zst
exit_is 2
it "--digits is for scikit-learn's report"
run score --digits 3 p.zst
exit_is 2
for option in '--picture x' 'p.zst'
do
	it "no such option, no second name: score p.zst $option"
	sh_run "score p.zst $option"
	exit_is 2
done
it "-o writes a file, and does not overwrite one"
sh_run 'score -o r.txt p.zst && score p.zst | cmp - r.txt && score -o r.txt p.zst'
exit_is 73

foreign() { # foreign <JSON LINES: a stream by a program that is not ours
	/usr/bin/python3 -c 'import cbor2, zstandard' 2>/dev/null || {
		skip "no python3-cbor2 or python3-zstandard"
		return 1
	}
	/usr/bin/python3 "$root/tests/streams.py" write >foreign.zst
}
header='"format":"slmtools stream","version":1,"kind":"predictions","chain":[]'

it "without labels in the header, the labels are those that come, by code point"
if foreign <<IN
{$header}
{"label":"b","pred":"c"}
{"label":"a","pred":"none"}
{"":"end"}
IN
then
	run score --json foreign.zst
	out_has '"labels": ["a", "b", "c"]'
fi

it "a label that would be taken for no label"
if foreign <<IN
{$header,"labels":["none","up"]}
{"label":"up","pred":"up"}
{"":"end"}
IN
then
	run score foreign.zst
	exit_is 65
	err_has "a label is called 'none'"
fi

it "NaN among the scores"
if foreign <<IN
{$header,"labels":["up","down"]}
{"id":3,"label":"up","pred":"up","scores":[NaN,0.5]}
{"":"end"}
IN
then
	run score foreign.zst
	exit_is 65
	err_has 'foreign.zst:3: score 0 is nan, which is not a probability'
fi

refuse() { # refuse NAME MESSAGE <RECORDS
	it "$1"
	make_stream bad.zst
	run score -o none.txt bad.zst
	exit_is 65
	err_has "$2"
	one_line
	absent none.txt
}
refuse "an empty stream" 'there are no records to score' </dev/null
refuse "a record without label" "bad.zst:5: has no field 'label'" <<'IN'
{"id":5,"pred":"up"}
IN
refuse "a record without pred" "bad.zst:5: has no field 'pred'" <<'IN'
{"id":5,"label":"up"}
IN
refuse "an unknown prediction" "pred 'sideways' is neither a label of this stream nor none" <<'IN'
{"id":5,"label":"up","pred":"sideways"}
IN
refuse "scores for another number of labels" 'has 3 scores for 2 labels' <<'IN'
{"id":5,"label":"up","pred":"up","scores":[0.5,0.25,0.25]}
IN
refuse "scores that are each a probability, and together are none" 'scores add up to 1.5, and probabilities to 1' <<'IN'
{"id":0,"label":"up","pred":"up","scores":[0.75,0.75]}
IN
refuse "scores that are no probabilities" 'score 1 is -0.5, which is not a probability' <<'IN'
{"id":5,"label":"up","pred":"up","scores":[0.5,-0.5]}
IN
refuse "scores in some records only" 'bad.zst:6: has no scores, unlike the records before it' <<'IN'
{"id":5,"label":"up","pred":"up","scores":[0.5,0.5]}
{"id":6,"label":"up","pred":"up"}
IN
it "a stream of another kind"
sh_run 'printf "{\"label\":\"up\"}\n" | peek --from-jsonl --kind examples --labels up,down | score'
exit_is 65
err_has 'wants predictions'
it "scores in another order than the labels"
sh_run 'peek --jsonl p.zst | peek --from-jsonl --kind predictions --labels down,up -o turned.zst && score turned.zst 2>&1 >none; score p.zst 2>&1 >none'
out_is <<'EXPECT'
score: warning: turned.zst: in 3 of 4 records the largest of the scores is not that of pred; are they in the order of the labels, as peek --header shows it
EXPECT
it "the article's report needs its labels"
run score --report seed p.zst
exit_is 65
err_has "not label 'up'"

finish
