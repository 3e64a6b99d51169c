#!/bin/sh
# What promptify promises on its command line; the article's prompts are in tests/parity/prompts.t.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
printf 'Say {text}: {completion}\n' >say.txt
printf 'text,label,split\nit rose,up,train\nit fell,down,test\n' >moves.csv

it "fills the template; the white space before the place begins the completion"
sh_run 'promptify -t say.txt moves.csv | peek --jsonl'
out_is <<'EXPECT'
{"id": 0, "text": "it rose", "label": "up", "split": "train", "prompt": "Say it rose:", "completion": " up"}
{"id": 1, "text": "it fell", "label": "down", "split": "test", "prompt": "Say it fell:"}
EXPECT

it "reads a stream from a pipe as well as a table"
sh_run 'peek --from-jsonl --kind examples <<IN | promptify -t say.txt | peek --text prompt
{"id":7,"text":"a","label":"x"}
{"id":9,"text":"b","label":"y"}
IN'
out_is <<'EXPECT'
Say a:
Say b:
EXPECT

it "plain text, a record a line, empty lines too"
sh_run "printf 'one, \"two\"\n\nthree' | promptify --lines -t say.txt | peek --jsonl"
out_is <<'EXPECT'
{"id": 0, "text": "one, \"two\"", "prompt": "Say one, \"two\":"}
{"id": 1, "text": "", "prompt": "Say :"}
{"id": 2, "text": "three", "prompt": "Say three:"}
EXPECT

it "strips white space as Python does, keeps braces, puts other fields and --set"
printf '\n\302\240 {{{n}}} {greet} {text}\343\200\200\n\n' >odd.txt
printf '{"text":"x ","label":"l","n":12}\n' >odd.jsonl
sh_run 'promptify -t odd.txt --set greet=hi --set empty= odd.jsonl | peek --jsonl'
out_is <<'EXPECT'
{"n": "12", "id": 0, "text": "x ", "label": "l", "prompt": "{12} hi x", "completion": " l"}
EXPECT

it "a verbalizer says the answer, and gives the labels"
printf 'up\tit goes up\ndown\tit goes down\n' >answers
sh_run 'promptify -t say.txt --verbalizer answers moves.csv -o v.zst && peek --only id=0 --text completion v.zst && peek --header v.zst | grep -o "\"labels\": \[[^]]*\]"'
out_is <<'EXPECT'
 it goes up
"labels": ["up", "down"]
EXPECT

it "a prompt or completion of the table that goes nowhere is said; one that is used is not"
printf 'text,label,prompt\na,l,p\n' >own.csv
printf 'prompt,completion,split\np,c,train\nq,d,test\n' >pairs.csv
printf '{prompt}:{completion}' >pairs.txt
sh_run 'exec 2>&1
	promptify -t say.txt own.csv -o 1.zst
	promptify -t pairs.txt --text prompt --label label own.csv -o 2.zst
	promptify -t pairs.txt --text prompt --label none pairs.csv -o 3.zst
	promptify -t say.txt --text prompt --label completion pairs.csv -o 4.zst
	promptify -t pairs.txt --text prompt --label none --only split=train pairs.csv -o 5.zst'
out_is <<'EXPECT'
promptify: warning: own.csv:1: has a prompt of its own, which is not kept; give that field another name if it should be
promptify: warning: pairs.csv:2: has a completion of its own, which is not kept; give that field another name if it should be
EXPECT

it "what follows the place ends the completion"
printf 'Q: {text}\nA:{completion} ###\n' >tail.txt
sh_run 'promptify -t tail.txt --completion yes moves.csv | peek --only id=0 --jsonl | grep -o "\"prompt.*"'
out_is <<'EXPECT'
"prompt": "Q: it rose\nA:", "completion": "yes ###"}
EXPECT

it "an answer with its own white space takes the place of the template's"
sh_run "promptify -t say.txt --completion '
ok ' moves.csv | peek --only id=0 --jsonl | grep -o '\"completion.*'"
out_is <<'EXPECT'
"completion": "\nok"}
EXPECT

it "--completion none leaves no completion"
printf 'prompt,completion\nhow?,so\n' >pairs.csv
printf '{prompt}' >p.txt
sh_run 'promptify -t p.txt --text prompt --set prompt=now --completion none pairs.csv | peek --jsonl'
out_is <<'EXPECT'
{"id": 0, "text": "how?", "label": "so", "prompt": "now"}
EXPECT

it "the article's template brings the label set of its name"
sh_run 'echo fine | promptify --lines -t financial-sentiment | peek --header | grep -o "\"labels\": \[[^]]*\]"'
out_is <<'EXPECT'
"labels": ["positive", "neutral", "negative"]
EXPECT

it "the same bytes however the pipe is cut"
sh_run '(cat moves.csv; seq 1 9000 | sed "s/.*/text &,up,train/") >many.csv
promptify -t say.txt many.csv -o m1.zst; perl -e "\$|=1; while (read STDIN, \$b, 7) { print \$b }" <many.csv | promptify -t say.txt -o m2.zst'
same m1.zst m2.zst

it "wants a template"
run promptify moves.csv
exit_is 2
err_has template
it "names an unknown field and the record"
printf '{text} {colour}' >colour.txt
run promptify -t colour.txt moves.csv -o none.zst
exit_is 65
err_has "moves.csv:1: there is no field 'colour', which the template names"
one_line
absent none.zst
it "an unknown template: says which there are"
run promptify -t nonsense moves.csv -o none.zst
exit_is 66
err_has 'financial-sentiment'
it "refuses a template with an open brace"
printf 'x {text' >open.txt
run promptify -t open.txt moves.csv -o none.zst
exit_is 65
err_has "a '{' is not closed"
it "refuses a lone closing brace"
printf 'x } {text}' >close.txt
run promptify -t close.txt moves.csv -o none.zst
exit_is 65
it "refuses two places"
printf '{completion}{completion}' >two.txt
run promptify -t two.txt moves.csv -o none.zst
exit_is 65
err_has '{completion} is there twice'
it "refuses a label that is not in the set"
run promptify -t financial-sentiment moves.csv -o none.zst
exit_is 65
err_has "moves.csv:1: label 'up' is not one of positive, neutral, negative"
run promptify -t say.txt --labels "$(seq -s , 100 199)" moves.csv -o x.zst
err_has "label 'up' is not one of 100, 101, "
err_has "139, 140 and 59 more; correct it"
absent none.zst
it "refuses a label without an answer"
printf 'up\tyes\nx\ty\n' >half
run promptify -t say.txt --verbalizer half --only id=0 moves.csv -o t.zst
ok
printf 'text,label\na,sideways\n' >side.csv
run promptify -t say.txt --verbalizer half side.csv -o none.zst
exit_is 65
err_has "label 'sideways' is not one of up, x"
it "refuses a bad verbalizer by its line"
printf 'up\tyes\nup no\n' >broken
run promptify -t say.txt --verbalizer broken moves.csv -o none.zst
exit_is 65
err_has 'broken:2: is not a label, a tab and its answer'
it "refuses a stream of another kind"
sh_run 'printf "{\"ids\":[1]}\n" | peek --from-jsonl --kind tokens -o tok.zst; promptify -t say.txt tok.zst -o none.zst'
exit_is 65
it "a cut stream leaves no file"
sh_run 'split-stratified moves.csv --train 1 --test 1 -o ok.zst; head -c 100 ok.zst >cut.zst; promptify -t say.txt cut.zst -o none.zst'
exit_is 65
absent none.zst
it "--lines --limit reads no further, and then names no digest"
sh_run 'yes foo bar | timeout 20 promptify -t say.txt --lines --limit 3 -o few.zst && peek --count few.zst'
ok
out_is <<OUT
3
OUT
check sh -c '! peek --chain few.zst | grep "input table"'
sh_run 'yes foo | head -n 3 | promptify -t say.txt --lines --limit 4 | peek --chain'
out_has 'input table'
it "says when the prompt gives the answer away"
printf 'As {label} as {text}: {completion}' >told
run promptify -t told moves.csv -o told.zst
ok
err_has 'told: {label} stands in the prompt, which gives the answer away'
printf '{text}: {completion}, {label}' >after
run promptify -t after moves.csv -o after.zst
check [ ! -s "$dir/err" ]
run promptify -t told --completion none moves.csv -o none.zst
check [ ! -s "$dir/err" ]
finish
