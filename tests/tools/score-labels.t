#!/bin/sh
# score --labels, and labels whose characters mean something to a table or a terminal. That the numbers
# are scikit-learn's is in tests/parity/sklearn-labels.t.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
peek --from-jsonl --kind predictions -o p.zst <<'IN'
{"label":"a","pred":"a"}
{"label":"a","pred":"b"}
{"label":"b","pred":"b"}
{"label":"c","pred":"none"}
IN

it "these labels, in this order"
sh_run 'score --labels c,a --json p.zst | grep -o "\"labels\": \[[^]]*\]"; score --labels c --labels a --tsv p.zst | grep -c "^per_label.b"; score --labels b p.zst | grep "^[abc] "'
out_is <<'EXPECT'
"labels": ["c", "a"]
0
b         0.5000  1.0000  0.6667        1
b            1        0
EXPECT
it "the conditions are about them"
run score --labels b --require 'macro_f1<0.67' --require 'per_label.b.recall==1' --require 'accuracy==0.5' p.zst
ok
it "one that nothing is predicted or true of has zeros"
sh_run 'score --labels a,zzz --tsv p.zst | grep "^per_label.zzz.\(f1\|support\)"'
out_is <<'EXPECT'
per_label.zzz.f1	0.0
per_label.zzz.support	0
EXPECT
it "none that is true of a record: refused"
run score --labels x,y p.zst
exit_is 65
err_has "no record's label is one of --labels x, y"
one_line
it "not with the article's report, which has its own"
run score --report seed --labels a p.zst
exit_is 2
err_has '--report seed has its own labels'

peek --from-jsonl --kind predictions -o odd.zst <<'IN'
{"label":"tab\there","pred":"new\nline","case":"x\ty"}
{"label":"new\nline","pred":"back\\slash","case":"x\ty"}
{"label":"back\\slash","pred":"e\u001b[1mc\u009b1m","case":"x\ty"}
{"label":"e\u001b[1mc\u009b1m","pred":"tab\there","case":"x\ty"}
IN
it "in --tsv a label stays inside its line and column"
sh_run 'score --tsv odd.zst | awk -F "\t" "NF != 2"; score --tsv odd.zst | grep -c .; score --tsv odd.zst | grep "confusion.*	1"'
out_is <<'EXPECT'
69
confusion.back\\slash.e\u001b[1mc\u009b1m	1
confusion.e\u001b[1mc\u009b1m.tab\there	1
confusion.new\nline.back\\slash	1
confusion.tab\there.new\nline	1
EXPECT
it "so does the value of --by"
sh_run 'score --by case --tsv odd.zst | head -n 1; score --by case odd.zst | head -n 1'
out_is <<'EXPECT'
case	x\ty
case=x\ty
EXPECT
it "a condition names them as --tsv does"
run score --require 'confusion.tab\there.new\nline==1' odd.zst
ok
it "the report for people has no control characters"
sh_run 'score odd.zst | LC_ALL=C grep -c "[[:cntrl:]]"'
out_is <<'EXPECT'
0
EXPECT
finish
