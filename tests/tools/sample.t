#!/bin/bash
# split-stratified --sample: a part of a large table, and tables that are hardly any.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
{ echo text,label; for i in {1..600}; do echo "ham number $i,ham"; [ $((i % 6)) -ne 0 ] || echo "spam number $i,spam"; done; } >t.csv
parts() { peek --tsv label,split "$1" | sed 1d | sort | uniq -c | awk '{ print $2, $3, $1 }' | xargs; }
shares='--train 0.6 --eval 0.1 --test 0.3'

it "shares are of so many rows, label by label"
run split-stratified $shares --sample 70 t.csv -o s.zst
ok
check [ "$(parts s.zst)" = "ham eval 6 ham test 18 ham train 36 spam eval 1 spam test 3 spam train 6" ]
it "drawn from all of the table"
check [ "$(peek --tsv id s.zst | sort -n | tail -n 1)" -gt 500 ]
it "a count is a count, and the rest is of so many"
run split-stratified --train 50 --sample 70 t.csv -o r.zst
ok
check [ "$(parts r.zst)" = "ham test 17 ham train 43 spam test 3 spam train 7" ]
it "counts that are more are refused"
for sizes in '--train 71' '--train 50 --test 21' '--train 40 --test 20 --eval 11' '--per-class --train 71'
do
	run split-stratified $sizes --sample 70 t.csv -o no.zst
	exit_is 2
	err_has '--sample 70 is less than the 71 rows that train, test and eval want'
	absent no.zst
done
run split-stratified --train 40 --test 30 --eval 11 --eval-replace --sample 70 t.csv -o drawn.zst
ok
it "of each label with --per-class"
run split-stratified $shares --per-class --sample 20 t.csv -o p.zst
check [ "$(parts p.zst)" = "ham eval 2 ham test 6 ham train 12 spam eval 2 spam test 6 spam train 12" ]
it "no row is in two parts, nor is one there twice"
check [ "$(peek --tsv id s.zst | sort | uniq -d)" = "" ]
it "a table with fewer rows is divided as it is without"
run split-stratified $shares t.csv -o whole.zst
run split-stratified $shares --sample 700 t.csv -o same.zst
run peek --diff whole.zst same.zst
ok
it "the chain says it"
run peek --chain s.zst
out_has 'sample=70'
it "not where rows are drawn as others do"
for option in '--recipe seed' '--compat sklearn'
do
	run split-stratified --sample 70 $option t.csv -o no.zst
	exit_is 2
	err_has "--sample is not for ${option% *}"
	absent no.zst
done
run split-stratified --sample 0 t.csv
exit_is 2

it "two rows are a row to learn and one to test"
printf 'text,label\ngood,yes\nbad,no\n' >two.csv
run split-stratified $shares --sample 1000 two.csv -o two.zst
ok
check [ "$(peek --tsv split two.zst | sort | xargs)" = "split test train" ]
err_has 'train has no row of'
it "one label is nothing to tell apart"
printf 'text,label\na,x\nb,x\nc,x\nd,x\n' >one.csv
run split-stratified one.csv -o one.zst
ok
err_has "one.csv: all rows have the label 'x', so there is nothing to tell apart"
one_line
it "rows that are all alike"
{ echo text,label; for i in {1..50}; do echo same,x; echo same,y; done; } >alike.csv
run split-stratified $shares alike.csv -o alike.zst
ok
err_has '1 text is in more than one part'
finish
