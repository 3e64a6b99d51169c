#!/bin/sh
# score of two runs, and its intervals. Numbers against SciPy and statsmodels: tests/parity/intervals.t.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1

make_stream() { peek --from-jsonl --kind predictions --labels up,down -o "$1" --force; }
# line ID LABEL PRED SCORE_OF_UP DAY
line() { printf '{"id":%s,"label":"%s","pred":"%s","scores":[%s,%s],"day":"%s"}\n' "$1" "$2" "$3" "$4" "$(awk "BEGIN { print 1 - $4 }")" "$5"; }
{ line 0 up down 0.25 mon; line 1 up down 0.25 mon; line 2 down up 0.75 mon; line 3 down down 0.25 tue
  for i in 4 5 6 7 8 9; do line $i up down 0.25 tue; done; } | make_stream before.zst
{ for i in 9 8 7 6 5 4; do line $i up up 0.75 tue; done; line 3 down up 0.75 tue
  line 2 down down 0.125 mon; line 1 up up 0.75 mon; line 0 up up 0.75 mon; } | make_stream after.zst

it "compares two runs for people, by id and not by place"
run score before.zst after.zst --bootstrap 200
out_is <<'EXPECT'
a: before, accuracy 0.1000, 95 % interval 0.0179 to 0.4042 (Wilson)
b: after, accuracy 0.9000, 95 % interval 0.5958 to 0.9821 (Wilson)
majority class 'up': accuracy 0.8000

                           a          b      b - a  95 % interval
accuracy              0.1000     0.9000     0.8000  0.4000 to 1.0000
balanced_accuracy     0.2500     0.7500     0.5000  0.0000 to 1.0000
macro_f1              0.0909     0.8039     0.7130  0.2778 to 1.0000
weighted_f1           0.0364     0.8863     0.8499  0.4395 to 1.0000
mcc                  -0.6667     0.6667     1.3333  0.0000 to 2.0000
kappa                -0.2162     0.6154     0.8316
log_loss              1.2764     0.3821    -0.8943  -1.1449 to -0.4545
brier                 1.0250     0.2156    -0.8094  -1.0281 to -0.4091
ece                   0.6500     0.1375    -0.5125

Of 10 records both have 0 right, a alone 1, b alone 9, neither 0.
McNemar's exact p: 0.02148. Bootstrap p: 0.00995 (200 paired resamples, seed 42).
'after' is more often right than 'before': the interval of the difference, 0.4000 to 1.0000, does not contain zero.
EXPECT
it "a gain is told where the interval and the test agree"
out_has "'after' is more often right than 'before': the interval of the difference"
it "and not in the other direction"
run score --bootstrap 200 after.zst before.zst
out_has "'before' is less often right than 'after': the interval of the difference"
it "a run with itself: nothing is claimed"
run score --bootstrap 200 --name one --name two before.zst before.zst
out_has "Whether 'two' is more often right than 'one' is open: the interval of the difference, 0.0000 to 0.0000, contains zero."
it "counts, test and conclusion in TSV"
sh_run 'score --tsv before.zst after.zst | grep -E "^([a-z_]+_right|both_wrong|mcnemar_p|n|[ab]\.(name|accuracy|baseline_label)|b_is|difference.accuracy)	"'
out_is <<'EXPECT'
a.accuracy	0.1
b.accuracy	0.9
n	10
both_right	0
only_a_right	1
only_b_right	9
both_wrong	0
mcnemar_p	0.021484375
difference.accuracy	0.8
a.name	before
b.name	after
a.baseline_label	up
b.baseline_label	up
b_is	better
EXPECT
# called A B NAME_OF_A NAME_OF_B: copies in these places, and what their runs are called
called() {
	mkdir -p "$(dirname "$1")" "$(dirname "$2")"
	cp before.zst "$1" && cp after.zst "$2"
	it "$1 and $2 are called $3 and $4"
	sh_run "score --tsv --bootstrap 2 $1 $2 | grep name"
	out_is <<-EXPECT
	a.name	$3
	b.name	$4
	EXPECT
}
called runs/x/out/p.zst runs/y/out/p.zst x/out/p y/out/p
called runs/1x/p.zst runs/2x/p.zst 1x/p 2x/p
called p.zst ./runs/p.zst p runs/p
called "$dir/runs/1x/p.zst" runs/1x/p.zst "$(basename "$dir")/runs/1x/p" runs/1x/p
called runs/p.one.zst runs/p.two.zst p.one.zst p.two.zst
called runs/p.tar.zst runs/pq.zst p pq
called runs/p runs/p.zst p p.zst

it "an interval without zero and too few records: still open"
for f in before after; do peek --jsonl $f.zst | grep -E '"id": (4|5),' | make_stream few-$f.zst; done
run score --json few-before.zst few-after.zst
out_has '"b_is": "undecided"'
it "... and so it says"
run score few-before.zst few-after.zst
out_has "is open: McNemar's p is 0.5."

it "JSON has all of each run, which alone is the same; numbers have names"
score --json --bootstrap 300 before.zst >a.json && score --json --bootstrap 300 before.zst after.zst >both.json
check /usr/bin/python3 - a.json both.json <<'EOF'
import json, sys
a, both = (json.load(open(f)) for f in sys.argv[1:])
assert both["a"].pop("name") == "before" and both["b"]["name"] == "after"
assert both["a"] == a, (both["a"], a)
d = both["difference"]
assert abs(d["accuracy"]["value"] - 0.8) < 1e-15 and d["accuracy"]["interval"][0] > 0 and d["accuracy"]["p"] == 2 / 301
assert d["log_loss"]["interval"][1] < 0 and "interval" not in d["ece"]
assert a["bootstrap"]["resamples"] == 300 and a["bootstrap"]["seed"] == 42 and list(a["bootstrap"]["f1"]) == ["up", "down"]
EOF
it "the same bytes for any number of threads, other ones for another seed"
for t in 1 3; do score --json --threads $t before.zst after.zst >t$t.json; done
score --json --seed 7 before.zst after.zst >seed.json
cmp -s t1.json t3.json && ! cmp -s t1.json seed.json
report $? "$(cmp t1.json t3.json)"
it "--by: the records with each value are compared for themselves"
sh_run 'score --tsv --by day before.zst after.zst | grep -E "^(day|n|only_[ab]_right|b.name)	"'
out_is <<'EXPECT'
day	mon
n	3
only_a_right	0
only_b_right	3
b.name	after
day	tue
n	7
only_a_right	1
only_b_right	6
b.name	after
EXPECT
it "--by with JSON"
sh_run 'score --json --by day before.zst after.zst | cut -c1-34'
out_is <<'EXPECT'
{"by": {"day": "mon"}, "a": {"name
{"by": {"day": "tue"}, "a": {"name
EXPECT
it "--require on a run and on the comparison"
run score --require 'b.accuracy>0.85' --require 'difference.accuracy_low>0' --require 'mcnemar_p<0.05' before.zst after.zst
ok
it "... and where it does not hold"
run score --require 'difference.accuracy>0.8' before.zst after.zst
exit_is 1
err_has "'difference.accuracy>0.8' does not hold"
it "--labels holds for both, in their order"
sh_run 'score --json --labels down before.zst after.zst | grep -o "\"f1\": {[^}]*}" | cut -c1-14'
out_is <<'EXPECT'
"f1": {"down":
"f1": {"down":
EXPECT
it "one file may be standard input"
sh_run 'score --tsv - after.zst <before.zst | grep name'
out_is <<'EXPECT'
a.name	predictions
b.name	after
EXPECT
it "--bootstrap of one run, for people"
sh_run 'score --bootstrap 50 before.zst | sed -n "/resamples/,\$p" | cut -c1-18'
out_is <<'EXPECT'
95 % intervals of 
accuracy          
balanced_accuracy 
macro_f1          
weighted_f1       
mcc               
kappa             
log_loss          
brier             
f1 of up          
f1 of down        
EXPECT
it "streams without labels in their headers: labels are those of both"
for f in before after
do peek --jsonl $f.zst | sed 's/, "scores": \[[^]]*\]//; 1s/"pred": "[a-z]*"/"pred": "x'$f'"/' >$f.jsonl
done
if /usr/bin/python3 -c 'import cbor2, zstandard' 2>/dev/null
then
	for f in before after
	do { echo '{"format":"slmtools stream","version":1,"kind":"predictions","chain":[]}'; cat $f.jsonl; echo '{"":"end"}'; } |
		/usr/bin/python3 "$root/tests/streams.py" write >bare-$f.zst
	done
	sh_run 'score --json bare-before.zst bare-after.zst | grep -o "\"labels\": \[[^]]*\]"'
	out_is <<'EXPECT'
"labels": ["down", "up", "xafter", "xbefore"]
"labels": ["down", "up", "xafter", "xbefore"]
EXPECT
else
	skip "no python3-cbor2 or python3-zstandard"
fi

change() { peek --jsonl after.zst | sed "$1" | make_stream changed.zst; }
change '/"id": 5,/d'
refuses score 65 "before.zst:5: this id is not in changed.zst" before.zst changed.zst
refuses score 65 "before.zst:5: this id is not in changed.zst" changed.zst before.zst
change 's/"id": 5,/"id": 50,/'
refuses score 65 "before.zst:5: this id is not in changed.zst" before.zst changed.zst
change 's/"id": 5,/"id": 6,/'
refuses score 65 "changed.zst:6: this id is there twice, in records #3 and #4" before.zst changed.zst
if [ -e bare-after.zst ]
then
	{ echo '{"format":"slmtools stream","version":1,"kind":"predictions","labels":["up","down"],"chain":[]}'
	  sed '5s/"id": 5, //; 1s/xafter/up/' after.jsonl; echo '{"":"end"}'; } | /usr/bin/python3 "$root/tests/streams.py" write >no-id.zst
	refuses score 65 "no-id.zst:#4: has no id" before.zst no-id.zst
fi
change '/"id": 5,/s/"label": "up"/"label": "down"/'
refuses score 65 "before.zst:5: label is 'up', in changed.zst it is 'down'" before.zst changed.zst
change '/"id": 5,/s/"day": "tue"/"day": "wed"/'
refuses score 65 "before.zst:5: day is 'tue', in changed.zst it is 'wed'" --by day before.zst changed.zst
it "says where texts of the same id differ"
for f in a b
do peek --jsonl before.zst | awk -v f=$f '{ sub(/^\{/, "{\"text\": \"" (NR < 4 ? f : "") NR "\", "); print }' | make_stream texts.$f.zst
done
sh_run 'score texts.a.zst texts.b.zst --bootstrap 1 2>&1 >none; score texts.a.zst before.zst --bootstrap 1 2>&1 >none; cp texts.a.zst texts.c.zst; score texts.a.zst texts.c.zst --bootstrap 1 2>&1 >none'
out_is <<'EXPECT'
score: warning: texts.a.zst: 3 of 10 records have another text in texts.b.zst; compare predictions of the same data
EXPECT
peek --jsonl after.zst | sed 's/"scores": \[\([^,]*\), \([^]]*\)\]/"scores": [\2, \1]/' | peek --from-jsonl --kind predictions --labels down,up -o turned.zst
refuses score 65 "before.zst has the labels up, down, turned.zst has down, up" before.zst turned.zst
refuses score 2 "both runs are called 'before'" before.zst ./before.zst
refuses score 2 "more than two files" before.zst after.zst after.zst
refuses score 2 "--report is of one file" --report sklearn before.zst after.zst
refuses score 2 "--report is of one file" --report sklearn --bootstrap 10 before.zst
refuses score 2 "--name is given 1 times for 2 files" --name x before.zst after.zst
refuses score 2 "--name goes with two files" --name x before.zst
refuses score 2 "only one file can come from standard input" - -
refuses score 2 "--bootstrap" --bootstrap 0 before.zst
refuses score 2 "there is no number 'accuracy'" --require 'accuracy>0.5' before.zst after.zst
finish
