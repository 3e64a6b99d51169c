#!/bin/bash
# The page of score --summary --html: its numbers are those of --json, data stays data, and what may be claimed.
. "$(dirname "$0")/../lib.sh"
py() { /usr/bin/python3 "$root/tests/tools/score-html.py" "$@"; }
cd "$dir" || exit 1

# run_of FILE SPLIT RIGHT: twenty records, so many of them right; nothing but digits is in their scores
run_of() {
	mkdir -p "$(dirname "$1")"
	/usr/bin/python3 - "$2" "$3" <<'PY' | peek --from-jsonl --kind predictions --labels up,down -o "$1"
import json, sys
split, right = sys.argv[1], int(sys.argv[2])
for i in range(20):
    label = "up" if i % 4 else "down"
    said = label if i < right else {"up": "down", "down": "up"}[label]
    p = 0.5 + (i * 7 + right) % 50 / 100
    print(json.dumps({"id": i, "label": label, "pred": said, "split": split, "scores": [p, 1 - p] if said == "up" else [1 - p, p]}))
PY
}
for seed in 1 2
do for rate in 1e-4 5e-4 1e-3
	do
		run_of "r=8,lr=$rate,seed=$seed/eval.zst" eval "$((10 + seed))"
		run_of "r=8,lr=$rate,seed=$seed/after.zst" test "$((13 + seed))"
		run_of "r=16,lr=$rate,seed=$seed/eval.zst" eval "$((16 + seed))"
		run_of "r=16,lr=$rate,seed=$seed/after.zst" test "$((15 + seed))"
	done
done

it "mean and deviation over seeds, on both kinds of rows"
run score --summary --over seed --json --html both.html */eval.zst */after.zst
ok
mv out both.json
check py check both.html
check py numbers both.html both.json
check grep -q '<b>best</b>' both.html
it "each run by itself, the rows of one kind"
run score --summary --json --html eval.html */eval.zst
ok
mv out eval.json
check py check eval.html
check py numbers eval.html eval.json
run score --summary --json --html test.html */after.zst
mv out test.json
check py numbers test.html test.json
check [ "$(grep -c '<b>best</b>' test.html)" -eq 0 ]
it "the report is printed as without a page, and standard output takes either"
run score --summary --over seed --html again.html */eval.zst
score --summary --over seed */eval.zst >want
same want out
sh_run 'score --summary --over seed --html - */eval.zst'
same out again.html
it "the same bytes"
run score --summary --over seed --json --html both.html --force -j 3 */eval.zst */after.zst
cp both.html twice.html
run score --summary --over seed --json --html both.html --force -j 1 */eval.zst */after.zst
same both.html twice.html

text() { # text PAGE: its words, one line
	/usr/bin/python3 -c 'import sys, xml.etree.ElementTree as tree
print(*" ".join(tree.parse(sys.argv[1]).getroot().itertext()).replace("\xa0", " ").split())' "$1"
}
it "what is chosen, how many other rows may be as good, and how many are above the baseline"
text both.html >words
check grep -q '6 rows, each the mean of runs that differ in seed alone' words
check grep -q 'Of 5 other rows, 2 have an accuracy inside that interval' words
check grep -q 'the whole interval of 0 of 6 rows is above that' words
for i in 1 2; do run_of "sure/$i.zst" test 20; done
run score --summary --html sure.html sure/1.zst sure/2.zst
text sure.html >words
check grep -q 'the whole interval of 2 of 2 rows is above that' words
it "one row is no rows"
run score --summary --over seed --html one.html r=8,lr=1e-4,*/eval.zst
text one.html >words
check grep -q '1 row, the mean of runs that differ in seed alone' words
check grep -q 'the whole interval of 0 of 1 row is above that' words
run score --summary --over seed --html two.html r=*,lr=1e-4,*/eval.zst
text two.html >words
check grep -q 'Of 1 other row, 0 have an accuracy inside' words

it "tidy has nothing to say"
if command -v tidy >/dev/null
then
	for page in both eval test sure
	do check sh -c "tidy -q -e -utf8 $page.html 2>&1 | tee tidy.out; test ! -s tidy.out"
	done
else skip "tidy is not installed"
fi

it "where runs come from: what they share once, what they do not, each"
mkmodel --hidden 32 --layers 1 --heads 2 --vocab 512 --partial-rotary-factor 0.5 --tokenizer "$root/pipelines/tiny" -o MODEL/
cp "$root/pipelines/tiny/headlines.csv" DATA
split-stratified --labels positive,neutral,negative --train 4 --test 4 --eval 4 --per-class DATA | promptify -t financial-sentiment | tokenize -m MODEL -o data
made() { # made SEED
	mkdir -p "x=a b,seed=$1"
	lora-train -q -m MODEL --r 2 --max-steps 1 --seed "$1" data -o adapter.tar --force
	predict -q -m MODEL -a adapter.tar --only split=eval data -o "x=a b,seed=$1/eval.zst"
	predict -q -m MODEL -a adapter.tar data -o "x=a b,seed=$1/test.zst"
}
made 1 && made 2
run score --summary --over seed --html made.html --note 'a note' x=*/*.zst
ok
text made.html >words
check [ "$(grep -o ' promptify 0' words | wc -l)" -eq 2 ]
check grep -q 'What each run has of its own .* lora-train .* seed=1 .* lora-train .* seed=2' words
check grep -q 'a note' words
it "and the commands of the chosen row make it and the page again"
mkdir anew && py pre made.html | sed "s/ FILES\$/ 'x=a b,seed='*\/*.zst/" >anew/commands && cp -r MODEL DATA anew && (cd anew && sh -e commands >/dev/null 2>err)
report $? "$(cat anew/err)"
for file in "x=a b,seed=1/eval.zst" "x=a b,seed=2/test.zst"; do same "$file" "anew/$file"; done
check grep -q -- "--note='*a note" anew/commands
check cmp made.html anew/report.html
it "adapters of one training are made once"
check [ "$(grep -c lora-train anew/commands)" -eq 2 ]

it "hostile names are data"
hostile='<script>alert("1")</script> & '$'\u202e'
run score --summary --html bad.html --name "$hostile" --name "$hostile=$hostile" --note "$hostile" sure/1.zst sure/2.zst
ok
check py check bad.html
good='xscriptxalertxx1xxxxscriptx x x'
run score --summary --html good.html --name "$good" --name "$good=$good" --note "$good" sure/1.zst sure/2.zst
check py twins bad.html good.html
long=$(printf '%300s' '' | tr ' ' x)
run score --summary --html long.html --name "$long" --name "k=$long" sure/1.zst sure/2.zst
check py check long.html

it "what cannot be meant is refused, and nothing is written"
run score --summary --html no.html --metrics DATA sure/1.zst
exit_is 2; one_line; absent no.html
run score --summary --html bad.html sure/1.zst
exit_is 73; one_line; err_has '--force'
run score --summary --html no.html sure/1.zst sure/missing.zst
exit_is 66; one_line; absent no.html
finish
