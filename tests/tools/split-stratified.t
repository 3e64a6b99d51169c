#!/bin/sh
# What split-stratified promises on its command line. Draws: tests/parity/split.t, sklearn-split.t.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1

{
	i=0
	while [ $i -lt 40 ]; do echo "good,fine day $i"; i=$((i + 1)); done
	while [ $i -lt 60 ]; do echo "bad,\"rain, $i\""; i=$((i + 1)); done
	while [ $i -lt 70 ]; do echo "so-so,clouds $i"; i=$((i + 1)); done
} >days.csv
printf '#!/bin/sh\npeek --tsv "$@" | tail -n +2\n' >cols
chmod +x cols

it "divides every label in the same proportion, test a quarter"
sh_run 'split-stratified days.csv | ./cols split,label | sort | uniq -c | awk "{ print \$2, \$3, \$1 }"'
out_is <<'EXPECT'
test bad 5
test good 10
test so-so 3
train bad 15
train good 30
train so-so 7
EXPECT

it "takes counts for each label"
sh_run 'split-stratified --per-class --train 3 --test 2 --eval 1 days.csv | ./cols split,label | uniq -c | awk "{ n[\$2 \" \" \$3] += \$1 } END { for (k in n) print k, n[k] }" | sort'
out_is <<'EXPECT'
eval bad 1
eval good 1
eval so-so 1
test bad 2
test good 2
test so-so 2
train bad 3
train good 3
train so-so 3
EXPECT

it "has no row in two parts, and all of them when the shares add up to 1"
sh_run 'split-stratified --train 0.7 --test 0.2 --eval 0.1 days.csv | ./cols id | sort -n | uniq | wc -l'
out_is <<'EXPECT'
70
EXPECT

it "writes train, eval, test in this order"
sh_run 'split-stratified --train 5 --test 5 --eval 5 days.csv | ./cols split | uniq'
out_is <<'EXPECT'
train
eval
test
EXPECT

it "the default split of seed 42 stays what it is"
sh_run 'split-stratified --train 6 --test 4 --eval 3 days.csv | ./cols id | xargs'
out_is <<'EXPECT'
0 10 40 68 7 57 41 16 35 55 5 69 23
EXPECT

it "gives the same bytes for the same seed, other rows for another"
split-stratified days.csv -o a.zst
split-stratified days.csv -j 3 -o b.zst
split-stratified --seed 43 days.csv -o c.zst
same a.zst b.zst
it "another seed is another split"
sh_run '! cmp -s a.zst c.zst'
ok

it "draws eval with replacement from rows that are in neither part"
sh_run 'split-stratified --train 0.5 --test 0.4 --eval 50 --eval-replace days.csv -o r.zst && ./cols id --only split=eval r.zst | wc -l'
out_is <<'EXPECT'
50
EXPECT
it "eval has none of the others' rows"
sh_run './cols id --only split=eval r.zst | sort -u >e; ./cols id --only split=train r.zst >t; ./cols id --only split=test r.zst >>t; sort t | comm -12 - e'
out_is </dev/null

it "where neither part leaves a row, there is none for eval"
for sizes in '--eval-replace --eval 5 --train 20' '--eval-replace --eval 0.1 --test 20' '--compat sklearn --eval 5' \
	'--compat sklearn --eval-replace --eval 5 --train 20'
do
	# shellcheck disable=SC2086
	run split-stratified $sizes days.csv -o none.zst
	exit_is 65
	err_has 'train and test leave no row for eval, which wants'
	absent none.zst
done

it "label order is by code point, or as --labels says"
sh_run 'split-stratified days.csv | peek --header | grep -o "\"labels\": \[[^]]*\]"; split-stratified --labels so-so,good,bad days.csv | peek --header | grep -o "\"labels\": \[[^]]*\]"'
out_is <<'EXPECT'
"labels": ["bad", "good", "so-so"]
"labels": ["so-so", "good", "bad"]
EXPECT

it "divides a stream of examples again, keeping its other fields"
sh_run 'printf "%s\n" "{\"text\":\"a\",\"label\":\"x\",\"source\":7}" "{\"text\":\"b\",\"label\":\"y\",\"source\":8}" "{\"text\":\"c\",\"label\":\"x\",\"source\":9}" "{\"text\":\"d\",\"label\":\"y\",\"source\":9}" | peek --from-jsonl --kind examples | split-stratified --train 0.5 --test 0.5 - | ./cols split,source | sort | cut -f1 | uniq -c | awk "{ print \$2, \$1 }"'
out_is <<'EXPECT'
test 2
train 2
EXPECT

it "a field split that was there is replaced, whatever it was, and its neighbours stay"
sh_run 'printf "%s\n" "{\"text\":\"a\",\"label\":\"x\",\"split\":\"Dev\",\"topic\":1}" "{\"text\":\"b\",\"label\":\"x\",\"split\":\"train\",\"zone\":2}" "{\"text\":\"c\",\"label\":\"x\",\"stage\":3}" | peek --from-jsonl --kind examples | split-stratified --train 0 --eval 3 - | peek --jsonl | sort'
out_is <<'EXPECT'
{"id": 0, "text": "a", "label": "x", "split": "eval", "topic": 1}
{"id": 1, "text": "b", "zone": 2, "label": "x", "split": "eval"}
{"id": 2, "text": "c", "label": "x", "split": "eval", "stage": 3}
EXPECT

it "texts that only resemble each other are not the same"
/usr/bin/python3 -c '
import json
texts = ["a" * n for n in range(60)] + ["\0" * n + "a" for n in range(1, 40)] + ["a" + "\0" * n for n in range(1, 40)]
texts += ["\0" * n for n in range(1, 40)] + ["b" * 7 + "c" * n for n in range(1, 30)] + ["c" * n + "b" * 7 for n in range(1, 30)]
texts += ["x" * 50, "twice" * 9, "x" * 50, "twice" * 9, "a"]
for i, t in enumerate(texts):
    print(json.dumps({"text": t, "label": "xy"[i % 2]}))' >resemble.jsonl
run split-stratified --audit --seed 1 resemble.jsonl -o resemble.zst
err_has 'rows=240 labels=2 duplicates='
sh_run 'split-stratified --audit --seed 1 resemble.jsonl -o resemble.zst --force 2>&1 | sed -n "s/.*duplicates=\([0-9]*\) conflicts=\([0-9]*\) .*/\1 \2/p" | awk "{ print \$1 + \$2 }"'
out_is <<'EXPECT'
3
EXPECT

it "reads standard input"
sh_run 'split-stratified - <days.csv | peek --count'
out_is <<'EXPECT'
70
EXPECT

it "reads a named pipe, which cannot be read twice"
mkfifo pipe
sh_run 'split-stratified days.csv -o file.zst; cat days.csv >pipe & split-stratified pipe -o piped.zst && cmp piped.zst file.zst'
ok
it "which may hold a stream, too"
sh_run 'cat file.zst >pipe & split-stratified --test 0.5 pipe | peek --count'
out_is <<'EXPECT'
70
EXPECT
rm -f pipe

it "brings rows with the same text into one part, counts unchanged"
printf 'x,same\nx,same\nx,j\ny,other\ny,twice\nx,twice\ny,d\ny,e\nx,f\nx,g\nx,h\ny,i\n' >dup.csv
sh_run 'for seed in 1 2 3 4 5 6 7 8; do split-stratified --seed $seed --audit --label 1 --per-class --train 3 --test 1 --eval 1 dup.csv -o d$seed.zst || echo leak; ./cols split,label d$seed.zst | sort | uniq -c; done | sort | uniq -c | tr -s " \t" "  "'
out_is <<'EXPECT'
 8 1 eval x
 8 1 eval y
 8 1 test x
 8 1 test y
 8 3 train x
 8 3 train y
EXPECT
it "--audit reports duplicates, conflicts and overlap, and exits 1 on overlap"
printf 'x,a\ny,a\nx,same\ny,b\nx,same\ny,c\n' >alike.csv
run split-stratified --label 1 --audit --compat sklearn --train 3 --test 3 alike.csv -o audit.zst
exit_is 1
err_has 'rows=6 labels=2 duplicates=1 conflicts=1 overlap='
it "--audit without overlap exits 0"
run split-stratified --audit days.csv -o audit2.zst
ok
it "the output is whole all the same"
run peek --verify audit.zst
ok

it "says how many rows --max-memory has room for, however little it is"
printf 'a,x\nb,y\nc,x\n' >three.csv
for size in 1 100 191
do
	run split-stratified --max-memory $size three.csv -o none.zst
	exit_is 71
	err_has "split-stratified: error: --max-memory has room for $((size / 64)) rows, at 64 bytes each, and there are more; look"
	absent none.zst
done

it "beyond --max-memory it grows by a few bytes a row, not with the length of the rows"
case ${BUILD-} in
*asan*) skip "the sanitizers keep memory of their own" ;;
*)
	for rows in 100 300
	do
		awk -v n=${rows}000 'BEGIN { for (i = 0; i < n; i++) printf "%s,%0200d\n", i % 3 ? "good" : "bad", i }' >long.csv
		# 64 bytes for each of 300,000 rows, and a MiB of records
		# a small process between: a child's peak counts what its parent held when it was made
		/usr/bin/python3 -c 'import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' split-stratified --max-memory 20M --train 0.8 --test 0.2 long.csv -o long.$rows.zst
	done >peaks 2>err
	grown=$(xargs <peaks | awk '{ print int(($2 - $1) * 1024 / 200000) }')
	[ "${grown:-999}" -lt 100 ]; report $? "$grown bytes a row of 206: $(cat peaks err)"
	it "all rows are there, in the file and in memory"
	sh_run 'peek --tsv text long.300.zst | tail -n +2 | sort -u | wc -l'
	[ "$(cat out)" = 300000 ]; report $? "$(cat out err)"
	it "each record comes with its own text and part, drawn twice or not"
	sh_run 'split-stratified --max-memory 20M --train 0.5 --test 0.2 --eval 90000 --eval-replace long.csv -o long.drawn.zst &&
		peek --tsv id,text,split long.drawn.zst | awk -F "\t" "
			NR > 1 { n++; if (\$2 + 0 != \$1) bad++; part[\$3]++; if (\$3 == \"eval\" && seen[\$1]++) again++ }
			END { print n, bad + 0, part[\"train\"], part[\"eval\"], part[\"test\"], (again > 1000) }"'
	[ "$(cat out)" = "300000 0 150000 90000 60000 1" ]; report $? "$(cat out err)"
	it "rows may be larger than what is kept"
	awk 'BEGIN { for (i = 0; i < 15; i++) printf "%s,%0*d\n", i % 3 ? "good" : "bad", i % 2 ? 3000000 : 30, i }' >large.csv
	sh_run 'split-stratified --max-memory 4M --train 0.6 --test 0.4 large.csv | peek --tsv id,text | awk "NR > 1 { n += \$2 == \$1; bytes += length(\$2) } END { print n, bytes }"'
	[ "$(cat out)" = "15 21000240" ]; report $? "$(cut -c 1-200 out err)"
	it "in memory and with one thread they give the same bytes"
	sh_run 'split-stratified -j 1 --train 0.8 --test 0.2 long.csv -o long.one.zst && cmp long.one.zst long.300.zst'
	ok
	it "no two of them are taken for the same text"
	sh_run 'split-stratified --audit long.csv -o long.audit.zst'
	err_has 'duplicates=0 conflicts=0 overlap=0'
	it "equal texts are found in the file, too"
	awk 'BEGIN { for (i = 0; i < 30000; i++) printf "%s,%0200d\n", i % 3 ? "good" : "bad", i % 29000 }' >again.csv
	sh_run 'for most in 2M 1G; do split-stratified --max-memory $most --audit again.csv -o again.zst --force 2>&1 | tail -n 1; done | sort | uniq -c | sed "s/^ *//; s/overlap.*//"'
	out_is <<'EXPECT'
2 split-stratified: audit: rows=30000 labels=2 duplicates=333 conflicts=667 
EXPECT
	it "says what to do where there is no room for the file"
	TMPDIR=$dir/nowhere run split-stratified --max-memory 20M long.csv -o none.zst
	exit_is 74
	err_has 'nowhere: cannot hold a temporary file: No such file or directory; set TMPDIR'
	absent none.zst
	rm -f long.*
	;;
esac

it "rows that stand twice or thrice: texts stay together, as far as they fit the parts, and numbers as they are"
again() { # again TIMES FROM: a table of 300 texts, those from FROM on so many times
	awk -v times="$1" -v from="$2" 'BEGIN { print "text,label"
		for (t = 1; t <= 300; t++) for (i = 0; i < (t < from ? 1 : times); i++) print "text " t "," t % 7 % 3 }'
}
overlap() { sed -n 's/.* overlap=//p' "$dir/err"; }
again 2 1 >twice.csv; again 3 1 >thrice.csv; again 2 150 >some.csv
for sizes in '--train .7 --test .3' '--train .6 --test .2 --eval .2' '--train 50 --test 51 --eval 40' '--per-class --train 11 --test 9 --eval 7'
do
	for table in twice:6 thrice:6 some:0
	do
		run split-stratified --audit $sizes ${table%:*}.csv --force -o again.zst
		[ "$(overlap)" -le ${table#*:} ]; report $? "$sizes, $table: $(cat "$dir/err")"
	done
done
check [ "$(peek --tally split again.zst | sort | xargs)" = 'eval 21 split all test 27 train 33' ]
check [ "$(peek --tsv id again.zst | sort | uniq -d)" = "" ]

it "warns of texts that are in two parts, and -q does not"
run split-stratified --label 1 --compat sklearn --train 3 --test 3 alike.csv -o warn.zst
err_has 'in more than one part, in several rows each; --audit lists them'
it "no word under -q"
run split-stratified -q --label 1 --compat sklearn --train 3 --test 3 alike.csv -o warn2.zst
[ ! -s err ]; report $? "$(cat err)"

it "names the label that has too few rows"
run split-stratified --per-class --train 8 --test 8 days.csv -o none.zst
exit_is 65
err_has "label 'so-so' has 10 rows and 2 of them left for test, which wants 8"
one_line
absent none.zst

it "names the row with an unknown label"
run split-stratified --labels good,bad days.csv -o none.zst
exit_is 65
err_has "days.csv:61: label 'so-so' is not one of good, bad"
absent none.zst

it "names the row with too few fields"
printf 'a,x\nb\nc,y\n' >short.csv
run split-stratified short.csv -o none.zst
exit_is 65
err_has 'short.csv:2: row has 1 field where 2 are expected'
absent none.zst

it "names the row that is not UTF-8, and what to do"
printf 'a,x\na,y\nb,caf\351\nb,z\n' >latin.csv
run split-stratified latin.csv -o none.zst
exit_is 65
err_has 'latin.csv:3: byte 0xE9 is not valid UTF-8; say --encoding'
it "reads it as Latin-1 when told"
sh_run 'split-stratified --encoding latin-1 latin.csv | peek --only label=b --text text | sort'
out_is <<'EXPECT'
café
z
EXPECT

it "asks for the columns when there are three"
printf 'id,body,kind\n1,a,x\n2,b,y\n' >three.csv
run split-stratified three.csv -o none.zst
exit_is 65
err_has "it has 'id', 'body', 'kind': name one with --text"
it "takes them by name and by number, and keeps all under their names; id, which is the position, under its number"
sh_run 'split-stratified --text body --label 3 --train 1 --test 1 three.csv | peek --jsonl | sed "s/, \"split.*//" | sort'
out_is <<'EXPECT'
{"1": "1", "id": 0, "body": "a", "kind": "x", "text": "a", "label": "x"
{"1": "2", "id": 1, "body": "b", "kind": "y", "text": "b", "label": "y"
EXPECT

it "passes on a key of some objects only"
printf '%s\n' '{"text":"a","label":"x"}' '{"source":7,"text":"b","label":"y"}' >some.jsonl
sh_run 'split-stratified --train 1 --test 1 some.jsonl | peek --jsonl | sed "s/, \"split\": \"[a-z]*\"//" | sort'
out_is <<'EXPECT'
{"id": 0, "text": "a", "label": "x"}
{"id": 1, "text": "b", "label": "y", "source": "7"}
EXPECT
it "refuses more columns than a record can have"
awk 'BEGIN { for (k = 0; k < 3; k++) { printf k ? "a,x" : "text,label"; for (i = 0; i < 1200; i++) printf k ? ",1" : ",c" i; print "" } }' >wide.csv
run split-stratified wide.csv -o none.zst
exit_is 65
err_has 'wide.csv:1: row has more than 1000 fields; leave columns out'
absent none.zst
it "calls by its number what has no name, and another column called text or label"
printf ',text,body,label\n0,no,a,x\n1,no,b,y\n' >index.csv
sh_run 'split-stratified --text body --train 1 --test 1 index.csv | peek --jsonl | sed "s/, \"split.*//" | sort; split-stratified --text text --label body --train 1 --test 1 index.csv | peek --jsonl | sed "s/, \"split.*//" | sort'
out_is <<'EXPECT'
{"1": "0", "2": "no", "id": 0, "body": "a", "text": "a", "label": "x"
{"1": "1", "2": "no", "id": 1, "body": "b", "text": "b", "label": "y"
{"1": "0", "4": "x", "id": 0, "body": "a", "text": "no", "label": "a"
{"1": "1", "4": "y", "id": 1, "body": "b", "text": "no", "label": "b"
EXPECT
it "asks for the columns or the header when neither was found"
sed 1d index.csv >bare.csv
run split-stratified bare.csv -o none.zst
exit_is 65
err_has "it has '1', '2', '3', '4': name one with --text, or say --header yes if the first row names them"
it "a column that is asked for by name and stands in the first row makes it a header"
printf 'a,b,c\n1,Profit rose,up\n2,Loss,down\n' >plain.csv
sh_run 'split-stratified --text b --label c --train 1 --test 1 plain.csv | peek --jsonl | sed "s/, \"split.*//" | sort'
out_is <<'EXPECT'
{"a": "1", "b": "Profit rose", "c": "up", "id": 0, "text": "Profit rose", "label": "up"
{"a": "2", "b": "Loss", "c": "down", "id": 1, "text": "Loss", "label": "down"
EXPECT
it "and so it does for promptify"
sh_run 'printf "{text}" >t.txt; promptify -t t.txt --text b plain.csv | peek --text prompt'
out_is <<'EXPECT'
Profit rose
Loss
EXPECT
it "a number does not, for it is a place"
sh_run 'printf "1,2\n3,4\n" | split-stratified --text 1 --label 2 --train 1 --test 1 - | peek --count'
out_is <<'EXPECT'
2
EXPECT
it "--header no stays no"
run split-stratified --header no --text b --label c plain.csv -o none.zst
exit_is 65
err_has "plain.csv: has no column 'b'; it has '1', '2', '3'"
it "a name that is nowhere, and no header was found"
run split-stratified --text d plain.csv -o none.zst
exit_is 65
err_has "plain.csv: has no column 'd'; it has '1', '2', '3'; say --header yes if the first row names them"

it "refuses what does not go together"
run split-stratified --recipe seed --train 5 days.csv -o none.zst
exit_is 2
err_has '--recipe sets --train itself'
it "refuses shares above 1"
run split-stratified --train 0.8 --test 0.5 days.csv -o none.zst
exit_is 2
it "refuses a size that is none"
run split-stratified --train 3x days.csv -o none.zst
exit_is 2
err_has "--train '3x' is neither a number of rows nor a share"
it "fails without its input"
run split-stratified nowhere.csv -o none.zst
exit_is 66
one_line
it "an empty table has nothing to divide"
run split-stratified /dev/null -o none.zst
exit_is 65
absent none.zst
it "nor has one whose rows were not chosen"
run split-stratified --only label=grand days.csv -o none.zst
exit_is 65
err_has 'days.csv: has no rows to divide; give rows'
absent none.zst
it "--recipe seed wants its labels"
run split-stratified --recipe seed days.csv -o none.zst
exit_is 65
err_has "label 'good' is not one of positive, neutral, negative"
article_rows() { # article_rows N: as many of each of its labels
	awk -v n="$1" 'BEGIN { for (i = 0; i < 3 * n; i++) print (i % 3 ? i % 3 == 1 ? "neutral" : "negative" : "positive") ",row " i ", of all" }' |
		sed 's/,\(.*\)/,"\1"/'
}
it "--recipe seed says how many rows it needs"
article_rows 8 >few.csv
run split-stratified --recipe seed few.csv -o none.zst
exit_is 65
err_has "few.csv: --recipe seed needs 600 rows of label 'positive', and there are 8; give it the article's table, or say --per-class"
one_line
absent none.zst
it "one more of the last label, for eval"
article_rows 600 >exact.csv
run split-stratified --recipe seed exact.csv -o none.zst
exit_is 65
err_has "needs 601 rows of label 'negative', and there are 600"
it "which is enough"
sh_run 'echo "negative,one more" >>exact.csv; split-stratified --recipe seed exact.csv | peek --count'
out_is <<'EXPECT'
1950
EXPECT
it "a row-count error names the file"
run split-stratified --compat sklearn --train 80 days.csv -o none.zst
exit_is 65
err_has 'days.csv: the table has 70 rows, and --train must be at least 1 and less than that'
it "and all files, where there are several"
split-stratified few.csv -o few.zst
run split-stratified --train 80 few.zst few.zst -o none.zst
exit_is 65
err_has 'few.zst, few.zst: there are 48 rows, and train, test and eval want 80; lower'
it "scikit-learn's rules for sizes hold under --compat sklearn"
run split-stratified --compat sklearn --train 2 --test 2 days.csv -o none.zst
exit_is 65
err_has 'fewer than the 3 labels'
finish
