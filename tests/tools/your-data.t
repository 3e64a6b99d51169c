#!/bin/bash
# pipelines/your-data: tables that people have, each to its end with nothing else touched, or one line that says why not.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL OUT MODEL DATA TEXT LABEL
export SLMTOOLS_SHARE=$root/share
bin=$(dirname "$(command -v predict)")
mkdir "$dir/w" && cd "$dir/w" || exit 1
mkmodel --hidden 32 --layers 1 --heads 2 --vocab 512 --partial-rotary-factor 0.5 --tokenizer "$root/pipelines/tiny" -o model/
yours() { # yours DATA=TABLE [VARIABLE=VALUE | TARGET]...: with a small random model, and few steps
	make -s -C "$root/pipelines/your-data" BIN="$bin" OUT=out MODEL=model RUN='--threads 2' \
		TRAIN='--loss completion --max-steps 2 --gradient-accumulation-steps 1' "$@"
}
parts() { expand out/rows.txt | sed 1d | tr -s ' ' | sed 's/ $//'; }

cat >tables.py <<'PY'
import csv, random
def table(path, counts, text=lambda label, i, r: f"{label} thing number {r.randrange(10**6)}", head=("text", "label")):
    r = random.Random(path)
    rows = [(text(label, i, r), label) for label, n in counts.items() for i in range(n)]
    r.shuffle(rows)
    with open(path, "w", newline="") as f:
        csv.writer(f).writerows([head, *rows])
table("five.csv", {"a": 500, "b c": 200, "d": 100, "e": 40, "rare one": 10})
table("one.csv", {"only": 20})
table("two.csv", {"yes": 1, "no": 1})
table("hundred.csv", {f"class {i}": 4 for i in range(100)})
table("stars.csv", {str(i): 12 for i in range(1, 11)})
table("alike.csv", {"x": 10, "y": 10}, lambda *a: "the same")
table("long.csv", {"x": 12, "y": 12}, lambda label, i, r: "{text} %s " % label + "word " * (200000 if i == 0 else 5) + str(i))
table("none.csv", {"none": 5, "y": 5})
table("many.csv", {"x": 3000, "y": 1000})
table("it's 5 $(x).csv", {"x": 10, "y": 10}, head=("my 'text'", "a label"))
PY
/usr/bin/python3 tables.py

it "five classes, 50 to 1, labels with blanks: how many rows of each are in which part"
run yours DATA=five.csv report
ok
parts >got
check diff got - <<'W'
a 500 300 50 150
b c 200 120 20 60
d 100 60 10 30
e 40 24 4 12
rare one 10 6 1 3
W
it "before, after, the majority class, and whether the difference is one"
out_has '== before training =='
out_has '== after training =='
out_has "majority class 'a': accuracy 0.5882"
out_has "McNemar"
grep -q 'rare one   *10   *6   *1   *3' "$dir/out"
report $? "rows of each label"
it "the prompt names the classes, and an answer ends"
run peek --head 1 --text prompt out/data.tok.zst
out_has 'The label of a text is one of: a, b c, d, e, rare one.'
run peek --header out/data.tok.zst
out_has '" rare one."'
it "nothing is made again"
run yours DATA=five.csv -q all
ok
it "of many rows a thousand are used"
run yours DATA=many.csv "$dir/w/out/rows.txt"
ok
check diff <(parts) - <<<$'x 750 450 75 225\ny 250 150 25 75'

works() { # works TABLE [VARIABLE=VALUE]...
	run yours DATA="$@" report
	[ "$rc" -eq 0 ] && [ -s out/after.txt ] && [ -s out/rows.txt ]
	report $? "exit $rc: $(cat "$dir/err")"
}
it "one class works, and it is said that there is nothing to tell apart"
works one.csv
err_has "all rows have the label 'only'"
it "two rows";       works two.csv
err_has 'train has no row of'
it "nothing named but the table, and a page with the curves of the evaluations"
run make -s -C "$root/pipelines/your-data" BIN="$bin" OUT=plain MODEL=model DATA=two.csv
ok
run make -s -C "$root/pipelines/your-data" BIN="$bin" OUT=plain MODEL=model DATA=one.csv
ok
check [ "$(grep -c '"eval_loss": .*"eval_accuracy": ' plain/metrics.jsonl)" -eq 3 ]
check grep -q 'Accuracy on evaluation records' plain/report.html
check test -s plain/report.html
it "100 labels";     works hundred.csv
it "labels of which one begins with another have answers that do not"
works stars.csv
! grep -q 'begins with' "$dir/err"
report $? "$(cat "$dir/err")"
it "rows that are all alike"; works alike.csv
err_has '1 text is in more than one part'
it "a text of a megabyte, and braces"; works long.csv
check [ "$(peek --text prompt out/data.tok.zst | wc -L)" -lt 1100 ]
it "columns by their names, and a file name with blanks, quotes and \$"
works "it's 5 \$(x).csv" TEXT="my 'text'" LABEL='a label'
it "JSON lines, compressed"
/usr/bin/python3 -c 'import csv, json
for row in csv.DictReader(open("stars.csv")): print(json.dumps(row))' | zstd -q >stars.jsonl.zst
works stars.jsonl.zst
it "a table in a zip"
/usr/bin/python3 -m zipfile -c stars.zip stars.csv
works stars.zip
it "an archive with a file of lines for each class"
mkdir p && seq 20 >p/polarity.neg && seq 30 60 >p/polarity.pos && tar caf p.tar.gz p
works p.tar.gz
check diff <(parts) - <<<$'pos 31 19 3 9\nneg 20 12 2 6'
it "labels of one's own, one of which no row has"
works stars.csv LABELS="$(seq -s, 1 11)"

refused() { # refused MESSAGE DATA [VARIABLE=VALUE]...
	it "refused: ${*:2}"
	run yours DATA="${@:2}"
	[ "$rc" -eq 2 ] && grep -qF -e "$1" "$dir/err" && [ "$(grep -vc '; see the error before$\|^make: \|nothing was made' "$dir/err")" -eq 1 ]
	report $? "exit $rc: $(cat "$dir/err")"
}
rm -rf out
refused 'DATA is not set' ''
refused 'is not there' nowhere.csv
refused "a label is called 'none'" none.csv
printf 'text,label\na,x\nb,\n' >empty.csv
refused 'empty.csv:2: has no label; give it one or leave the row out' empty.csv
printf 'text,label\n' >header.csv
refused 'has no rows to divide' header.csv
: >nothing.csv
refused 'nothing.csv: is empty' nothing.csv
printf 'a,b,c\n1,2,3\n1,2,4\n' >three.csv
refused "has no column 'text'" three.csv
refused "has no column 'z'; it has 'text', 'label'" five.csv TEXT=z
refused 'is a folder' p
absent out/data.tok.zst

for data in sms_spam/SMSSpamCollection subjectivity.zip sentence_polarity.zip
do
	it "the public $data"
	if [ -e "$shared/data/labelled/$data" ]
	then works "$shared/data/labelled/$data" LIMIT=5
	else skip "$shared/data/labelled is not there"
	fi
done
it "clean leaves nothing"
run yours DATA=five.csv clean
ok
absent out
finish
