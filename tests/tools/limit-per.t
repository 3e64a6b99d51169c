#!/bin/bash
# --limit-per FIELD=N takes the first N records of each value, from streams and from tables.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
printf '%s\n' '{"label": "a", "n": 1}' '{"label": "a", "n": 2}' '{"label": "a", "n": 1}' '{"n": 1}' \
	'{"label": "b", "n": 1}' '{"label": "a", "n": 3}' '{"n": 2}' '{"label": "b", "n": 3}' '{"n": 3}' >in.jsonl
peek --from-jsonl in.jsonl -o in.zst

it "takes the first N of each value, in their order; those without the field are a class too"
run peek --limit-per label=2 --tsv id in.zst
out_is <<<$'id\n0\n1\n3\n4\n6\n7'
it "counts whole numbers as it does texts"
run peek --limit-per n=1 --tsv id in.zst
out_is <<<$'id\n0\n1\n5'
it "counts what --only leaves, and --limit counts what it leaves"
run peek --only n=3 --limit-per label=1 --tsv id in.zst
out_is <<<$'id\n5\n7\n8'
run peek --limit-per label=1 --limit 2 --tsv id in.zst
out_is <<<$'id\n0\n3'
it "takes them from a table too"
printf 'text,label\nx,a\ny,b\nz,a\n' >in.csv
sh_run "split-stratified --limit-per label=1 --train 1 in.csv | peek --tsv text | sort"
out_is <<<$'text\nx\ny'
it "is part of the chain"
sh_run "split-stratified --limit-per label=1 --train 1 in.csv | peek --chain"
out_has 'limit-per=label=1'
it "says that no record has the field"
run peek --limit-per nope=1 --tsv id in.zst
err_has "no record has a field 'nope'"
it "says that no record is all that --only says"
run peek --only label=b --only n=2 --tsv id in.zst
ok
err_has "no record has label=b and n=2 at once; choose others with --only n=VALUE"
run peek --only label=b --only n=3 --limit 0 --tsv id in.zst
ok
check [ ! -s err ]
for value in label =1 label= label=x label=-1 label=1234567890123456
do
	it "refuses $value"
	run peek --limit-per "$value" in.zst
	exit_is 2
	err_has 'is not FIELD=N'
done
it "an input is read to its end: what is broken behind the last record that is used is found"
printf 'text,label\na,x\nb,y\nc,x,2,3\n' >broken.csv
sh_run "promptify -t '$root/share/templates/financial-sentiment.txt' --limit 1 broken.csv -o none.zst"
exit_is 65
err_has 'broken.csv:'
head -c 60 in.zst >cut.zst
run peek --limit 1 --tsv id cut.zst
exit_is 65
it "is refused where there are no records"
run mkmodel --limit-per label=1 -o m/
exit_is 2
finish
