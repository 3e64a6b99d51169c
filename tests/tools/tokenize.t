#!/bin/sh
# What tokenize promises on its command line. Equal ids: tests/parity/tokens.t, tests/unit/test_token*.c.
. "$(dirname "$0")/../lib.sh"
model=$root/tests/parity/tokenizer-odd.json
make_stream() { peek --from-jsonl --kind "$@"; }

it "numbers lines and adds ids"
sh_run "printf 'a aa\n\nthe\n' | tokenize --lines -m $model >$dir/lines.zst"
ok
peek --jsonl "$dir/lines.zst" >"$dir/out"
out_is <<'IN'
{"id": 0, "ids": [64, 220, 256], "text": "a aa"}
{"id": 1, "ids": [], "text": ""}
{"id": 2, "ids": [270], "text": "the"}
IN

it "joins prompt and completion and says how much is prompt; other fields pass"
make_stream prompts --labels positive,negative >"$dir/prompts.zst" <<'IN'
{"id": 7, "prompt": "x th", "completion": "e", "label": "positive", "other": [1, {"deep": null}]}
{"id": 8, "prompt": "ab", "completion": " ab", "split": "train"}
{"id": 9, "prompt": "ab", "split": "test"}
{"id": 10, "prompt": "", "completion": ""}
IN
sh_run "tokenize -m $model $dir/prompts.zst >$dir/tokens.zst"
ok
peek --jsonl "$dir/tokens.zst" >"$dir/out"
out_is <<'IN'
{"id": 7, "ids": [87, 220, 270], "label": "positive", "other": [1, {"deep": null}], "prompt": "x th", "n_prompt": 2, "completion": "e"}
{"id": 8, "ids": [259, 220, 259], "split": "train", "prompt": "ab", "n_prompt": 1, "completion": " ab"}
{"id": 9, "ids": [259], "split": "test", "prompt": "ab"}
{"id": 10, "ids": [], "prompt": "", "n_prompt": 0, "completion": ""}
IN

it "takes the field it is told"
sh_run "tokenize -m $model --field label --only id=7 $dir/prompts.zst >$dir/o.zst"
ok
peek --jsonl "$dir/o.zst" >"$dir/out"
out_has '"ids": [79'

it "ends texts, not prompts that wait for their completion"
sh_run "tokenize -m $model --add-eos $dir/prompts.zst | tokenize -m $model --decode -o $dir/back.zst"
ok
peek --text text "$dir/back.zst" >"$dir/out"
out_is <<'IN'
x the<|endoftext|>
ab ab<|endoftext|>
ab
<|endoftext|>
IN

it "stops at a record that is too long, by name, and leaves no file"
run tokenize -m "$model" --max-length 2 -o "$dir/cut.zst" "$dir/prompts.zst"
exit_is 65
err_has "prompts.zst:7: 3 ids are more than --max-length 2"
one_line
absent "$dir/cut.zst"

it "cuts the end, and says how many"
run tokenize -m "$model" --max-length 2 --truncation right -o "$dir/cut.zst" "$dir/prompts.zst"
ok
err_has "2 of 4 records were cut to 2 ids"
peek --jsonl "$dir/cut.zst" >"$dir/out"
out_has '"ids": [259, 220], "split": "train", "prompt": "ab", "n_prompt": 1'

it "cuts the beginning"
run tokenize -m "$model" --max-length 2 --truncation left -o "$dir/left.zst" "$dir/prompts.zst"
ok
peek --jsonl "$dir/left.zst" >"$dir/out"
out_has '"ids": [220, 259], "split": "train", "prompt": "ab", "n_prompt": 0'

it "counts"
run tokenize -m "$model" --count "$dir/prompts.zst"
ok
out_is <<'IN'
records	4
tokens	7
min	0
mean	1.75
max	3
IN

it "counts nothing at all"
run tokenize -m "$model" --count --limit 0 "$dir/prompts.zst"
ok
out_has 'records	0'

it "stops reading lines at --limit"
sh_run "yes foo bar | timeout 20 tokenize --lines --limit 3 -m $model | peek --count"
ok
out_is <<'IN'
3
IN

it "finds the prompt's ids wherever the prompt can be cut"
whole=$root/tests/parity/tokenizer-whole.json
make_stream prompts >"$dir/cut.zst" <<'IN'
{"id": 0, "prompt": "foo bar foo ba", "completion": "r bar"}
{"id": 1, "prompt": "foo bar foo ", "completion": " bar"}
{"id": 2, "prompt": "foo bar foo", "completion": " bar"}
IN
sh_run "tokenize -m $whole $dir/cut.zst | peek --tsv n_prompt,ids"
out_is <<'IN'
n_prompt	ids
10	[293, 78, 220, 260, 81, 220, 293, 78, 220, 260, 81, 220, 260, 81]
9	[293, 78, 220, 260, 81, 220, 293, 78, 220, 220, 260, 81]
8	[293, 78, 220, 260, 81, 220, 293, 78, 220, 260, 81]
IN

it "--decode says how many ids no token has"
sh_run "echo '{\"ids\":[0,1,4000000000]}' | peek --from-jsonl --kind tokens | tokenize --decode -m $model | peek --count"
ok
err_has '1 of 3 ids are no tokens of this model'
it "reads back what it wrote: --decode"
seq 1 3000 | sed 's/.*/line & \t  with <|endoftext|> tokens à 日本   foo barfoo\\ /' >"$dir/text"
sh_run "tokenize --lines -m $model $dir/text | tokenize --decode -m $model >$dir/o.zst"
ok
it "... every byte of the text"
peek --text text "$dir/o.zst" >"$dir/back"
check cmp "$dir/text" "$dir/back"

it "gives the same bytes for any number of threads, chunks of a pipe, locale and time zone"
tokenize --lines -m "$model" -j 1 "$dir/text" >"$dir/one.zst"
for j in 2 3 8
do
	tokenize --lines -m "$model" -j $j "$dir/text" >"$dir/more.zst"
	same "$dir/one.zst" "$dir/more.zst"
done
sh_run "dd if=$dir/text bs=7 2>/dev/null | LC_ALL=tr_TR.UTF-8 TZ=Asia/Tokyo tokenize --lines -m $model -j 2 >$dir/more.zst"
same "$dir/one.zst" "$dir/more.zst"

it "keeps ids above 65,535 whole"
/usr/bin/python3 - "$model" >"$dir/wide.json" <<'IN'
import json, sys
file = json.load(open(sys.argv[1]))
for i in range(66000):
    file["model"]["vocab"].setdefault(f"<{i}>", len(file["model"]["vocab"]))
file["added_tokens"] = [{**file["added_tokens"][0], "id": len(file["model"]["vocab"])}]
json.dump(file, sys.stdout)
IN
sh_run "echo '<|endoftext|>a' | tokenize --lines -m $dir/wide.json | peek --jsonl"
out_has '"ids": [66300, 64]'

it "names a line that is not UTF-8"
sh_run "printf 'good\nb\377d\n' | tokenize --lines -m $model -o $dir/x.zst"
exit_is 65
err_has ':2: byte 1 of the line'
absent "$dir/x.zst"

it "refuses what is no stream, and the wrong kind"
sh_run "echo text | tokenize -m $model -o $dir/x.zst"
exit_is 65
run tokenize -m "$model" -o "$dir/x.zst" "$dir/tokens.zst"
exit_is 65
err_has 'tokens'
absent "$dir/x.zst"

it "refuses a stream that was cut"
head -c 200 "$dir/prompts.zst" >"$dir/short.zst"
run tokenize -m "$model" -o "$dir/x.zst" "$dir/short.zst"
exit_is 65
one_line
absent "$dir/x.zst"

it "names a record without text"
echo '{"id": 3, "label": "x"}' | make_stream examples >"$dir/none.zst"
run tokenize -m "$model" -o "$dir/x.zst" "$dir/none.zst"
exit_is 65
err_has "none.zst:3: there is no field 'prompt' or 'text'"

it "names a completion that has no prompt"
echo '{"id": 3, "text": "x", "completion": " y"}' | make_stream prompts >"$dir/half.zst"
run tokenize -m "$model" -o "$dir/x.zst" "$dir/half.zst"
exit_is 65
err_has "half.zst:3: there is a 'completion' without a 'prompt'"

it "numbers lines from 1 in its messages"
sh_run "printf 'a\nlonger than that\n' | tokenize --lines -m $model --max-length 2 -o $dir/x.zst"
exit_is 65
err_has "standard input:2: "

it "refuses a tokenizer by the name of what is missing here"
sed 's/"normalizer": null/"normalizer": {"type": "NFKC"}/' "$model" >"$dir/nfkc.json"
run tokenize -m "$dir/nfkc.json" --lines -o "$dir/x.zst" "$dir/text"
exit_is 69
err_has "normalizer NFKC"
one_line

it "says which model is not there"
run tokenize -m "$dir/no-such" --lines "$dir/text"
exit_is 66
err_has no-such

it "takes --device as every tool does, and says the same with any"
tokenize --lines -m "$model" "$dir/text" -o "$dir/plain.zst" && tokenize --lines -m "$model" --device cuda:3 "$dir/text" -o "$dir/cuda.zst"
cmp "$dir/plain.zst" "$dir/cuda.zst"; report $? "other bytes"
grep -q 'take it without effect' "$root/share/man/slmtools.7.scd"; report $? "the manual does not say so"
run tokenize --lines -m "$model" --device gpu "$dir/text"
exit_is 2

it "keeps to the options there are"
for wrong in '--train x' '--vocab-size 9' '--max-length 0' '--max-length 3x' '--truncation middle' \
	'--truncation right' '--decode --lines' '--decode --count' '--lines --field text' '--lines --only text=a' '--lines --limit-per text=1' '--add-eos --decode'
do
	# shellcheck disable=SC2086
	run tokenize -m "$model" $wrong "$dir/text"
	exit_is 2
done

finish
