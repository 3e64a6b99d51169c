#!/bin/bash
# peek --tally counts what a field says.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
cat >rows.jsonl <<'IN'
{"label": "ham", "split": "train", "text": "a", "n": 1}
{"label": "spam", "split": "train", "text": "b", "n": 2}
{"label": "a\tb", "split": "test", "text": "b", "n": 2}
{"label": "spam", "split": "test", "text": "c", "n": 2}
{"label": "spam", "text": "d"}
IN
peek --from-jsonl rows.jsonl -o rows.zst
it "the most frequent first, of equals the one that came first"
run peek --tally label rows.zst
ok
out_is <<'OUT'
label	all
spam	3
ham	1
a\tb	1
OUT
it "two fields are a table; what a record has not counts for -"
run peek --tally label,split rows.zst
out_is <<'OUT'
label	all	train	test	-
spam	3	1	1	1
ham	1	1	0	0
a\tb	1	0	1	0
OUT
it "numbers too"
run peek --tally n rows.zst
out_is <<<$'n\tall\n2\t3\n1\t1\n-\t1'
it "of what --only chooses"
run peek --tally label --only split=train rows.zst
out_is <<<$'label\tall\nham\t1\nspam\t1'
it "of no record, nothing"
run peek --tally label --limit 0 rows.zst
out_is <<<$'label\tall'
it "a field that is not there"
run peek --tally labl rows.zst
exit_is 65
err_has "rows.zst: no record has a field 'labl'"
run peek --tally label,splt rows.zst
exit_is 65
for odd in '' , a, ,a a,b,c
do
	it "--tally '$odd' is a mistake"
	run peek --tally "$odd" rows.zst
	exit_is 2
	one_line
done
it "what has too many values"
for i in {1..1001}; do echo "{\"text\": \"$i\", \"label\": \"x\"}"; done | peek --from-jsonl -o many.zst
run peek --tally text many.zst
exit_is 65
err_has "field 'text' has more than 1000 different values"
run peek --tally label,text many.zst
exit_is 65
err_has "field 'text' has more than 64 different values"
finish
