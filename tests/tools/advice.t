#!/bin/sh
# What an error advises works: each is provoked, read, and followed.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
data=$root/pipelines/tiny/headlines.csv
mkmodel --hidden 32 --layers 1 --heads 4 --partial-rotary-factor 0.5 --vocab 512 --tokenizer "$root/pipelines/tiny" -o model/
split-stratified --per-class --train 4 --test 2 "$data" -o examples.zst
promptify -t financial-sentiment examples.zst -o prompts.zst
tokenize -m model prompts.zst -o tokens.zst
predict -m model tokens.zst -o predictions.zst
: >empty
mkdir folder

says() { # says CODE TEXT COMMAND...: one line of error that ends so
	code=$1 text=$2
	shift 2
	run "$@"
	[ "$rc" -eq "$code" ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF -e "$text" err
	report $? "exit $rc: $(cat err)"
}
does() { run "$@"; ok; } # what it advised

it "a name with a slash is a path"
for word in "promptify -t" "promptify -t financial-sentiment --verbalizer" "split-stratified --labels" "score --labels"
do says 66 './nothing: cannot open: No such file or directory; check the name' $word ./nothing examples.zst
done
says 66 "no 'nothing' in share/templates; there are: classify, financial-sentiment" promptify -t nothing examples.zst
does promptify -t financial-sentiment examples.zst

it "--labels PATH"
printf 'neutral\npositive\nnegative\n' >mine
sh_run "split-stratified --labels ./mine '$data' | peek --header"
out_has '["neutral", "positive", "negative"]'
says 65 './empty: is empty; it has a label a line' score --labels ./empty predictions.zst
says 65 'no record'"'"'s label is one of --labels n/a; there are: positive, neutral, negative' score --labels n/a predictions.zst
does score --labels positive predictions.zst

it "a folder as a file"
says 66 'folder: is a folder; give a file' promptify -t folder examples.zst
says 66 'folder: is a folder; give a file' score @folder predictions.zst

it "a template"
says 65 'empty: is empty; it is the prompt, with {text}' promptify -t empty examples.zst
echo same >constant
says 0 'constant: names no field, so all prompts are the same; write {text}' promptify -t constant examples.zst
echo '{text}' >text
run promptify -t text examples.zst
[ "$rc" -eq 0 ] && [ ! -s err ]; report $? "exit $rc: $(cat err)"
printf '{"text": {text}}\n' >object
says 65 "write {{ for a brace" promptify -t object examples.zst
printf '{"prompt":1} {text}\n' >object
says 65 "names; write {{ and }} for braces" promptify -t object examples.zst
printf '{{"prompt":1}} {text}\n' >object
does promptify -t object examples.zst
echo '{title}' >title
says 65 "there are: id, text, label, split; or give it with --set title=..." promptify -t title examples.zst
does promptify -t title --set title=News examples.zst

it "a stream from behind this program"
says 65 'a stream of prompts; promptify wants examples: give it the one that promptify read' promptify -t financial-sentiment prompts.zst
says 65 'a stream of tokens; tokenize wants prompts: give it the one that tokenize read' tokenize -m model tokens.zst
says 65 'a stream of predictions; lora-train wants tokens: give it the one that predict read' lora-train -m model predictions.zst -o a/
says 65 'put predict in between' score tokens.zst
says 65 'give one kind' peek examples.zst prompts.zst
says 65 "has no field 'pred'; predict it with --mode labels or generate" sh -c 'predict -m model tokens.zst --mode loss | score'
does score predictions.zst
says 65 "no field 'nothing'; name another with --field" tokenize -m model --field nothing examples.zst
does tokenize -m model --field text examples.zst

it "closed and empty names"
says 66 'standard input: is closed; name a file, or pipe one in' sh -c 'score <&-'
says 74 'standard output: is closed; name a file with --output' sh -c 'peek examples.zst >&-'
does sh -c 'peek examples.zst --output out.txt >&-'
says 66 'an input has an empty name; give the name of a file' score ''
says 2 "option '--model': the value is empty" predict -m '' tokens.zst

it "a file that is no checkpoint"
echo 'my notes' >notes
says 65 'notes: is no checkpoint, it is too short; give --checkpoint another name' lora-train -m model tokens.zst --max-steps 1 --checkpoint notes --resume -o a/
says 65 'give --checkpoint another name, or' lora-train -m model tokens.zst --max-steps 1 --checkpoint predictions.zst --resume -o a/
[ "$(cat notes)" = 'my notes' ]; report $? "it is changed"
does lora-train -q -m model tokens.zst --max-steps 1 --checkpoint other --resume -o a/

it "a model, an adapter and neither"
lora-train -q -m model tokens.zst --max-steps 1 --r 2 -o adapter/
for word in "predict tokens.zst --model" "lora-train tokens.zst --model" quantize-nf4 "tokenize prompts.zst -m" "peek --tokens tokens.zst -m"
do says 65 'adapter: is an adapter and no model; give the model that it was trained on, and the adapter to predict --adapter or' $word adapter
done
says 66 'folder: there is no config.json in it; give the folder or archive of a model' predict tokens.zst --model folder
says 65 'model: is a model and no adapter; give an adapter as lora-train and PEFT write it, and the model to --model' predict -m model -a model tokens.zst
does predict -m model -a adapter tokens.zst
says 65 'nor a GGUF file; give a model or an adapter' quantize-nf4 "$data"
: >nothing
says 66 'nothing: empty; the program that should have written it has failed' predict tokens.zst --model nothing
says 66 'give a model that has one' tokenize -m folder prompts.zst
echo '{"a":1}' >some.json
says 65 "there is no 'model'; give a tokenizer.json" tokenize -m some.json prompts.zst
does tokenize -m model/tokenizer.json prompts.zst
says 66 'name a folder that holds tokenizer.json' mkmodel --hidden 32 --partial-rotary-factor 0.5 --tokenizer adapter -o other-model/
says 2 'only one of model, adapters and records can come from standard input' predict -m - -a - tokens.zst

it "a folder as the output"
says 73 'adapter: is a folder; write adapter/ for one, or the name of a file' lora-train -q -m model tokens.zst --max-steps 1 -o adapter
says 73 'adapter: is there already; use --force to replace it' lora-train -q -m model tokens.zst --max-steps 1 -o adapter/
does lora-train -q -m model tokens.zst --max-steps 1 -o adapter/ --force
says 73 'folder: is a folder; give the name of a file' score predictions.zst -o folder

it "what is no stream, and joined streams"
tar cf model.tar model
says 65 'not a record stream: it is a tar archive; split-stratified, promptify and peek --from-jsonl make streams' score model.tar
cat examples.zst examples.zst >joined
says 65 'give joined streams one by one' peek --count joined
does peek --count examples.zst examples.zst

it "what is no text as a side file"
printf '\211PNG\r\n\032\n0000' >picture
says 65 'picture: is a picture' promptify -t picture examples.zst
says 65 'picture: is a picture' lora-train -m model tokens.zst --order picture -o b/
printf '\351t\351\n' >french
says 65 'french:1: byte 1 is not valid UTF-8; save the file as UTF-8 text' promptify -t french examples.zst
says 65 'french:1: byte 0 of the line is not valid UTF-8; convert the file with iconv -t UTF-8' promptify --lines -t text french
does sh -c 'iconv -f LATIN1 -t UTF-8 french | promptify --lines -t text'

it "an order that is too short, and labels that are not"
peek --jsonl tokens.zst --only split=train | head -n 4 | sed 's/.*"id": *\([0-9]*\).*/\1/' >order
says 65 'or a smaller --gradient-accumulation-steps' lora-train -q -m model tokens.zst --order order -o c/
does lora-train -q -m model tokens.zst --order order --gradient-accumulation-steps 4 -o c/
says 65 'fewer steps' lora-train -q -m model tokens.zst --order order --gradient-accumulation-steps 4 --max-steps 2 -o d/
says 65 "the label 'a' is there twice; leave one out" score --labels a,a predictions.zst

it "one token alone"
echo a | tokenize --lines -m model -o one.zst
says 65 'one token alone has no loss; leave the record out' predict -m model --mode loss one.zst
finish
