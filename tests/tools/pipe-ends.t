#!/bin/bash
# Pipes whose beginning fails, and texts without anything in them.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
mkmodel --hidden 32 --layers 1 --heads 2 --vocab 512 --partial-rotary-factor 0.5 --tokenizer "$root/pipelines/tiny" -o model/

it "a table that never came is not spoken of at length"
sh_run 'split-stratified no-such.csv | promptify -t financial-sentiment | tokenize -m model'
exit_is 66
check [ "$(grep -vc '; see the error before$' err)" -eq 1 ]
err_has 'promptify: error: standard input: empty; see the error before'
it "nor by split-stratified"
sh_run ': | split-stratified'
exit_is 66
one_line
it "one that is there and has nothing in it is"
: >empty
run promptify -t financial-sentiment empty
exit_is 65
err_has 'empty: is empty; a table has at least one row'
run promptify -t financial-sentiment </dev/null
exit_is 65
sh_run 'echo | promptify -t financial-sentiment'
exit_is 65
it "no lines are no error"
sh_run ': | promptify --lines -t financial-sentiment | peek --count'
ok
it "a blank line is refused behind tokenize --lines, and the manual's way around works"
sh_run 'printf "a b\n\nb a\n" | tokenize --lines -m model | predict -m model --mode loss'
exit_is 65
err_has 'no token ids; leave out records with an empty text'
sh_run 'printf "a b\n\nb a\n" | grep . | tokenize --lines -m model | predict -m model --mode loss | peek --count'
ok
out_is <<<2
finish
