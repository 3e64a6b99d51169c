#!/bin/sh
# The completion that stands for a label travels in the header: predict scores what was learned.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
mkmodel --hidden 64 --layers 1 --heads 4 --vocab 512 --seed 3 --tokenizer "$root/pipelines/tiny" -o model/
printf 'label\ttext\nup\tProfit rose\ndown\tProfit fell\n' >rows.tsv
printf '%s\n' '{text} It is {completion}' >say.txt
printf 'up\tpositive\ndown\tnegative\n' >words

it "promptify writes the answers of a verbalizer into the header"
sh_run 'promptify -t say.txt --verbalizer words rows.tsv | tokenize -m model | peek --header'
out_has '"answers": [" positive", " negative"]'
it "and those of a template without a space"
printf '%s\n' '{text} It is:{completion}' >close.txt
sh_run 'promptify -t close.txt --verbalizer words rows.tsv | peek --header'
out_has '"answers": ["positive", "negative"]'
it "streams whose labels have other answers are not read one after another"
sh_run 'promptify -t say.txt --verbalizer words rows.tsv -o say.zst; promptify -t close.txt --verbalizer words rows.tsv -o close.zst; peek --count say.zst close.zst'
exit_is 65
err_has 'close.zst: its labels have other answers than in the file before it; make both with the same template and verbalizer'
it "but none where every record has a completion of its own"
sh_run 'promptify -t say.txt --verbalizer words --completion yes rows.tsv | peek --header | grep -c answers'
out_is <<'EXPECT'
0
EXPECT
it "predict scores the answers: a verbalizer is as good as labels of that name"
promptify -t say.txt --verbalizer words rows.tsv | tokenize -m model | predict -m model | peek --tsv id,scores >by-answer
sed 's/^up/positive/; s/^down/negative/' rows.tsv >named.tsv
promptify -t say.txt --set x=1 named.tsv >plain.zst
peek --jsonl plain.zst | peek --from-jsonl --kind prompts --labels positive,negative |
	tokenize -m model | predict -m model | peek --tsv id,scores >by-name
same by-answer by-name
it "without answers predict says which text it scores"
sh_run 'peek --jsonl plain.zst | peek --from-jsonl --kind prompts --labels positive,negative | tokenize -m model | predict -m model | peek --count'
err_has "each label is scored by a space and its name, as ' positive'"
it "and with them nothing"
sh_run 'peek --jsonl plain.zst | peek --from-jsonl --header-from plain.zst | tokenize -m model | predict -m model -o q.zst'
[ ! -s err ]
report $? "it said: $(cat err)"
it "which differ from those of the labels' own names"
peek --jsonl plain.zst | sed 's/"positive"/"up"/; s/"negative"/"down"/' | peek --from-jsonl --kind prompts --labels up,down |
	tokenize -m model | predict -m model | peek --tsv id,scores >other
! cmp -s by-answer other
report $? "the same scores"
finish
