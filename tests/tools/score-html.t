#!/bin/sh
# The page of score --html: what it holds, that data stays data, and that its numbers are those of --json.
# score-html.py reads it as XML.
. "$(dirname "$0")/../lib.sh"
py() { python3 "$root/tests/tools/score-html.py" "$@"; }
cd "$dir" || exit 1

stream() { peek --from-jsonl --kind predictions "$@"; }
py data pair a >a.jsonl; py data pair b >b.jsonl
stream --labels up,down,side -o a.zst a.jsonl && stream --labels up,down,side -o b.zst b.jsonl
cat >metrics.jsonl <<'IN'
{"step": 10, "epoch": 0.5, "lr": 0.001, "loss": 2.5, "grad_norm": 3.0, "tokens": 100, "tokens_per_s": 50.0}
{"step": 10, "epoch": 0.5, "eval_loss": 2.25, "eval_tokens": 12, "eval_accuracy": 0.5}
{"step": 20, "epoch": 1.0, "lr": 0.0, "loss": 1.5, "grad_norm": 1.0, "tokens": 100, "tokens_per_s": 60.0}
{"step": 20, "epoch": 1.0, "eval_loss": null, "eval_tokens": 12, "eval_accuracy": 0.75}
IN

it "one run: the page, and the report as always"
run score --html one.html --bootstrap 50 a.zst
ok
check py check one.html
score --bootstrap 50 a.zst >want; check cmp want out

it "two runs, with what training said"
run score --html two.html --metrics metrics.jsonl --bootstrap 50 --json a.zst b.zst
ok
mv out two.json
check py check two.html
check py numbers two.html two.json
for section in numbers comparison confusions labels calibration coverage training lengths mistakes twins origin
do check grep -q "<section id=\"$section\">" two.html
done
check grep -q 'nats/token' two.html

it "one run: every number is that of --json, and what only the records tell is right"
run score --html one.html --force --bootstrap 50 --json a.zst
mv out one.json
check py numbers one.html one.json
check py recount one.json a.jsonl

it "what the other run says of a mistake"
check grep -q '; <bdi class="c">a</bdi> has it right' two.html
check grep -q '; <bdi class="c">a</bdi> says <bdi class="c">' two.html

it "slices of a field"
run score --html by.html --bootstrap 50 --by day --json a.zst b.zst
ok
check py check by.html
check grep -q '<section id="slices">' by.html
mv out by.json
check py numbers by.html two.json by.json

it "the same bytes each time, whatever the threads"
score --html again.html --metrics metrics.jsonl --bootstrap 50 --threads 1 a.zst b.zst >/dev/null
check cmp two.html again.html

it "hostile texts, labels, values and names are text"
for twin in hostile benign
do
	py data $twin >$twin.jsonl; stream -o $twin.zst $twin.jsonl 2>/dev/null
	score --html $twin.html --bootstrap 20 --by day --note "$(py name $twin)" --name "$(py name $twin)" --name "b $(py name $twin)" $twin.zst $twin.zst >/dev/null
	score --plot $twin.svg $twin.zst >/dev/null
done
check py check hostile.html
check py twins hostile.html benign.html
check py svg hostile.svg
check py twins hostile.svg benign.svg
check test "$(wc -c <hostile.html)" -lt 400000

it "100 labels, 900 records"
py data labels 100 >many.jsonl; stream -o many.zst many.jsonl
run score --html many.html --json --bootstrap 20 many.zst
ok
mv out many.json
check py check many.html
check py numbers many.html many.json
check test "$(wc -c <many.html)" -lt 400000

it "little: one record, no scores, no text, no id, an empty class, nothing right, all right"
echo '{"label":"up","pred":"up"}' | stream --labels up,down -o little.zst
echo '{"label":"up","pred":"none"}' | stream --labels up,down -o wrong.zst
for args in little.zst wrong.zst 'little.zst wrong.zst' '--by label little.zst' '--labels down,up little.zst'
do
	# shellcheck disable=SC2086
	run score --html little.html --force --json $args
	ok
	mv out little.json
	check py check little.html
done
printf '%s\n' '{"label":"up","pred":"up","text":"a"}' '{"label":"up","pred":"down","text":""}' | stream -o little.zst --force
run score --html little.html --force little.zst
check py check little.html

it "a record without ids among others has no tokens"
printf '%s\n' '{"label":"up","pred":"up","text":"a","ids":[1,2]}' '{"label":"up","pred":"down","text":""}' | stream --labels up,down -o ids.zst
run score --html ids.html --json ids.zst
out_has '"lengths": [{"from": 0, "to": 0, "n": 1, "wrong": 1}, {"from": 2, "to": 2, "n": 1, "wrong": 0}]'

it "tidy has nothing to say"
if command -v tidy >/dev/null
then
	for page in one two by hostile many little
	do check sh -c "tidy -q -e -utf8 $page.html 2>&1 | tee tidy.out; test ! -s tidy.out"
	done
else skip "tidy is not installed"
fi

it "the commands that make it again are those of the chain, quoted for a shell, and they do"
echo '{"label":"b c","pred":"it'"'"'s"}' >DATA
stream --labels "it's,b c" -o quoted.zst DATA
run score --html quoted.html quoted.zst
check py pre quoted.html "peek --from-jsonl --kind=predictions '--labels=it'\\''s,b c' DATA > quoted.zst"
mkdir again && py pre quoted.html >again/commands && cp DATA again/ && (cd again && sh commands >out)
check cmp quoted.zst again/quoted.zst
check cmp quoted.html again/report.html

it "a picture alone"
run score --plot one.svg a.zst
ok
check py svg one.svg
run score --plot two.svg a.zst b.zst
check py svg two.svg

it "on standard output in place of the report"
sh_run 'score --html - --bootstrap 50 a.zst'
mv out stdout.html
score --html one.html --force --bootstrap 50 a.zst >/dev/null
check cmp stdout.html one.html
sh_run 'score --html - -o report.txt --bootstrap 50 a.zst'
check cmp out one.html
check grep -q accuracy report.txt

it "what cannot be meant is refused, and nothing is written"
run score --metrics metrics.jsonl a.zst
exit_is 2; err_has "--html"
run score --note text a.zst
exit_is 2; err_has "--html"
run score --html - --plot - a.zst
exit_is 2
run score --plot new.PNG a.zst
exit_is 2; err_has "--plot 'new.PNG': pictures are SVG; call it new.svg"; absent new.PNG
run score --summary --metrics metrics.jsonl --html new.html a.zst b.zst
exit_is 2; err_has '--metrics'; absent new.html
run score --html one.html a.zst
exit_is 73; err_has "--force"
run score --html new.html --metrics a.jsonl a.zst
exit_is 65; err_has "a.jsonl"; absent new.html
run score --html new.html -o new.html a.zst
exit_is 73; absent new.html
run score --html nowhere/new.html a.zst
exit_is 73

finish
