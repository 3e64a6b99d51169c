#!/bin/sh
# Templates, verbalizers and label sets that do not fit the data or each other are refused by name,
# and nothing that is not in the template or the record gets into a prompt.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
printf 'text,label\ncall now,spam\nhello,ham\nwin,spam\nsee you,ham\n' >mail.csv
split-stratified --train .5 --test .5 mail.csv -o mail.zst
printf '{text} is {completion}\n' >say.txt

it "a zero byte in the name of a field is refused"
printf 'Say {x\000%0900d} and {text}\n' 7 >nul.txt
run promptify -t nul.txt --set x= mail.zst -o none.zst
exit_is 65
err_has 'nul.txt:1: byte 7 is zero'
absent none.zst
it "and between the fields"
printf '{text}\000%09000d{completion}' 7 >nul.txt
run promptify -t nul.txt mail.csv -o none.zst
exit_is 65
absent none.zst
it "and in a verbalizer"
printf 'ham\tgood\000x\nspam\tbad\n' >nul.pairs
run promptify -t say.txt --verbalizer nul.pairs mail.csv -o none.zst
exit_is 65
err_has 'nul.pairs:1: byte 9 is zero'

it "an unknown field: says which there are"
printf '{title}: {text}' >title.txt
run promptify -t title.txt mail.csv -o none.zst
exit_is 65
err_has "mail.csv:1: there is no field 'title', which the template names; there are: id, text, label; or give it with --set title=..."
one_line
it "of a stream too"
run promptify -t title.txt mail.zst -o none.zst
err_has "there are: id, text, label, split"

it "share's template over other labels, in a stream"
run promptify -t financial-sentiment mail.zst -o none.zst
exit_is 65
err_has 'the template financial-sentiment is made for the labels positive, neutral, negative, and the data have ham, spam; give another template, or a --verbalizer'
one_line
absent none.zst
it "in a table"
run promptify -t financial-sentiment mail.csv -o none.zst
exit_is 65
absent none.zst
it "in --labels"
run promptify -t financial-sentiment --labels positive,ham mail.csv -o none.zst
exit_is 65
err_has 'the data have ham;'
it "with a verbalizer it fits"
printf 'ham\tpositive\nspam\tnegative\n' >mail.pairs
run promptify -t financial-sentiment --verbalizer mail.pairs mail.zst -o fits.zst
ok
it "a part of its labels is enough"
sh_run 'printf "text,label\na,positive\nb,negative\nc,positive\nd,negative\n" | split-stratified --train .5 --test .5 | promptify -t financial-sentiment | peek --header'
out_has '"labels": ["negative", "positive"]'

it "a verbalizer that lacks a label, before the first record"
printf 'ham\tgood\n' >half.pairs
run promptify -t say.txt --verbalizer half.pairs mail.zst -o none.zst
exit_is 65
err_has 'half.pairs: has no answer for the label spam'
one_line
it "a label to test on has to be known too"
printf 'text,label,split\na,ham,train\nb,spam,test\n' >test.csv
run promptify -t say.txt --verbalizer half.pairs test.csv -o none.zst
exit_is 65
err_has "test.csv:2: label 'spam' is not one of ham"
it "answers for labels that the data have not are a warning"
printf 'ham\tgood\nspam\tbad\njunk\tugly\n' >more.pairs
run promptify -t say.txt --verbalizer more.pairs mail.zst -o more.zst
ok
err_has 'warning: more.pairs: has answers for labels that the data have not: junk'
it "two labels with one answer are refused"
printf 'ham\tfine\nspam\tfine\n' >same.pairs
run promptify -t say.txt --verbalizer same.pairs mail.zst -o none.zst
exit_is 65
err_has "labels 'ham' and 'spam' have the same answer ' fine'"
absent none.zst
it "an answer that begins with another one is a warning"
printf 'ham\ttrue\nspam\ttrue lie\n' >begin.pairs
run promptify -t say.txt --verbalizer begin.pairs mail.zst -o begin.zst
ok
err_has "the answer ' true lie' of label 'spam' begins with ' true' of label 'ham'"

it "--labels gives the order"
sh_run 'promptify -t say.txt --labels spam,ham mail.csv | peek --header'
out_has '"labels": ["spam", "ham"]'
it "also in place of a stream's"
sh_run 'promptify -t say.txt --labels spam,ham mail.zst | peek --header'
out_has '"labels": ["spam", "ham"]'
it "a label with a comma, given by itself"
printf 'text,label\na,"ham, no spam"\nb,spam\nc,"ham, no spam"\nd,spam\n' >comma.csv
for tool in 'split-stratified --train .5 --test .5 comma.csv' 'promptify -t say.txt comma.csv' \
	'peek --from-jsonl comma.jsonl'
do
	case $tool in peek*) peek --jsonl comma.zst >comma.jsonl ;; esac
	run $tool --labels 'spam' --labels 'ham, no spam' -o comma.zst --force
	ok
done
it "one label is a label"
printf 'text,label\na,x\nb,x\n' >one.csv
sh_run 'promptify -t say.txt --labels x one.csv | peek --header'
out_has '"labels": ["x"]'

# ---- share ----
it "without the share folder the order of labels is not guessed"
printf 'text,label\na,positive\nb,neutral\nc,negative\nd,positive\ne,neutral\nf,negative\n' >six.csv
mkdir -p bin && cp "$(command -v split-stratified)" bin/
run env -u SLMTOOLS_SHARE bin/split-stratified --train .5 --test .5 six.csv -o none.zst
exit_is 66
err_has 'there is no share folder ('
err_has '; set SLMTOOLS_SHARE to it'
one_line
absent none.zst
it "given labels need none"
run env -u SLMTOOLS_SHARE bin/split-stratified --train .5 --test .5 --labels neutral,positive,negative six.csv -o six.zst
ok
it "a share folder that is named and not there is an error"
run env SLMTOOLS_SHARE="$dir/nowhere" split-stratified --train .5 --test .5 six.csv -o none.zst
exit_is 66
err_has "SLMTOOLS_SHARE is $dir/nowhere, which is not there"
it "so is a set that cannot be read"
mkdir -p broken/labels/financial-sentiment
run env SLMTOOLS_SHARE=broken split-stratified --train .5 --test .5 six.csv -o none.zst
exit_is 66
err_has 'broken/labels/financial-sentiment: is a folder; give a file'
absent none.zst
it "and one that is no list of names"
mkdir -p bad/labels && printf 'positive\nneutral\npositive\n' >bad/labels/financial-sentiment
run env SLMTOOLS_SHARE=bad split-stratified --train .5 --test .5 six.csv -o none.zst
exit_is 65
err_has "the label 'positive' is there twice"
it "a template and a verbalizer of one's own need no share folder"
cp "$(command -v promptify)" bin/
run env -u SLMTOOLS_SHARE bin/promptify -t say.txt --verbalizer mail.pairs mail.csv -o own.zst
ok
it "share's template does"
run env -u SLMTOOLS_SHARE bin/promptify -t financial-sentiment six.csv -o none.zst
exit_is 66
err_has 'there is no share folder'
finish
