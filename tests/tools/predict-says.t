#!/bin/sh
# What predict says while it works, and what it makes of its arguments.
. "$(dirname "$0")/../lib.sh"

mkmodel --hidden 32 --layers 1 --heads 4 --partial-rotary-factor 0.5 --vocab 512 --tokenizer "$root/pipelines/tiny" -o "$dir/m/"
labelled() { # labelled LABELS: a token stream whose header has them, and no answers
	printf '{"id":0,"ids":[1,2,3]}\n{"id":1,"ids":[4,5]}\n{"id":2,"ids":[7]}\n' |
		peek --from-jsonl --kind tokens --labels "$1" -o "$dir/$2"
}
labelled positive,neutral,negative three.tok
labelled up,down two.tok
printf 'text,label\nIt rose,positive\nIt fell,negative\n' | promptify -t financial-sentiment | tokenize -m "$dir/m" -o "$dir/answered.tok"
echo '{"id":0,"ids":[1,2,3]}' | peek --from-jsonl --kind tokens -o "$dir/none.tok"

it "--preset seed refuses other labels than the article's"
run predict --preset seed -m "$dir/m" "$dir/two.tok" -o "$dir/no"
exit_is 65
err_has "two.tok: --preset seed knows positive, neutral and negative, and not label 'up'"
absent "$dir/no"
it "... takes the three"; run predict --preset seed -m "$dir/m" "$dir/three.tok" -o "$dir/p3"; ok
it "... and a stream without labels"; run predict --preset seed -m "$dir/m" "$dir/none.tok" -o "$dir/p4"; ok
it "lora-train --preset seed refuses them too"
run lora-train --preset seed -m "$dir/m" "$dir/two.tok" -o "$dir/no.tar"
exit_is 65
err_has "not label 'up'"
absent "$dir/no.tar"
it "score --report seed too"
sh_run "printf '{\"label\":\"up\",\"pred\":\"up\"}\n' | peek --from-jsonl --kind predictions --labels up,down | score --report seed"
exit_is 65
err_has "not label 'up'"

it "which model lacks a tokenizer"
mkmodel --hidden 32 --layers 1 --heads 4 --partial-rotary-factor 0.5 --vocab 512 -o "$dir/mute/"
for mode in '--mode labels' '--mode generate --stop x' '--preset seed'
do
	# shellcheck disable=SC2086
	run predict -m "$dir/mute" $mode "$dir/three.tok" -o "$dir/no"
	exit_is 66
	err_has "$dir/mute: the model has no tokenizer, which"
	absent "$dir/no"
done

it "records without a split among others, here and in training"
printf '{"id":1,"ids":[1,2,3]}\n{"id":2,"ids":[4,5],"split":"test"}\n{"id":3,"ids":[4,6],"split":"train"}\n' | peek --from-jsonl --kind tokens -o "$dir/mixed.tok"
run predict -m "$dir/m" --mode loss "$dir/mixed.tok" -o "$dir/mixed"
ok
err_has "1 records have no split, where others have one, and are used like those of 'test'"
check [ "$(peek --count "$dir/mixed")" = 2 ]
run predict -m "$dir/m" --mode loss --only split=test "$dir/mixed.tok" -o "$dir/mixed" --force
check [ ! -s "$dir/err" ]
run lora-train -m "$dir/m" --max-steps 1 "$dir/mixed.tok" -o "$dir/mixed.tar"
ok
err_has "1 records have no split, where others have one, and are learned from as well"
run lora-train -m "$dir/m" --max-steps 1 "$dir/none.tok" -o "$dir/none.tar"
ok
check [ "$(grep -c 'have no split' "$dir/err")" = 0 ]

it "a record that is chosen, but is not test"
printf '{"id":%s,"ids":[1,2],"split":"%s"}\n' 5 train 6 test | peek --from-jsonl --kind tokens -o "$dir/parts.tok"
run predict -m "$dir/m" --mode loss --only id=5 "$dir/parts.tok" -o "$dir/chosen"
ok
err_has "no record has id=5 and split=test at once; choose others with --only split=VALUE"
run predict -m "$dir/m" --mode loss --only id=5 --only split=train "$dir/parts.tok" -o "$dir/chosen" --force
ok
check [ ! -s "$dir/err" ]

it "what token ids are"
sh_run "echo '{\"ids\":[3,-2]}' | peek --from-jsonl --kind tokens | predict -m '$dir/m' --mode loss"
exit_is 65
err_has "field 'ids' is an array; it should be an array of uint8, uint16 or uint32: whole numbers from 0 on"

it "progress: how many there will be, batch by batch"
run predict -m "$dir/m" --mode loss --progress json --limit 2 "$dir/three.tok" -o "$dir/p5"
grep -q '"done": 2, "total": 2' "$dir/err"
report $? "$(cat "$dir/err")"
it "... but not of a pipe"
sh_run "predict -m '$dir/m' --mode loss --progress json <'$dir/answered.tok' -o '$dir/p6'"
grep -q '"done": 2, "per_s"' "$dir/err"
report $? "$(cat "$dir/err")"
it "... with the time left, on a terminal"
if command -v script >/dev/null
then
	for records in 100 1000 10000 100000 # as many as keep this machine busy until the line is due
	do
		seq $records | sed 's/.*/{"ids":[1,2,3]}/' | peek --from-jsonl --kind tokens >"$dir/many.tok"
		script -qec "predict -m '$dir/m' --mode generate --max-new-tokens 50 --batch-tokens 1 --force '$dir/many.tok' -o '$dir/p7'" /dev/null </dev/null >"$dir/out"
		! grep -q " left" "$dir/out" || break
	done
	out_has " left"
else skip "no script(1)"
fi
it "--stream shows the text and nothing else"
if command -v script >/dev/null
then
	script -qec "predict -m '$dir/m' --mode generate --stream '$dir/none.tok' -o '$dir/p8'" /dev/null </dev/null >"$dir/out"
	! grep -q "records" "$dir/out"
	report $? "$(cat "$dir/out")"
else skip "no script(1)"
fi
it "--stream and JSON lines exclude each other"
run predict -m "$dir/m" --mode generate --stream --progress json "$dir/none.tok" -o "$dir/no"
exit_is 2

it "an adapter whose name ends in =NUMBER"
lora-train -q -m "$dir/m" --max-steps 1 "$dir/answered.tok" -o "$dir/r=8/"
run predict -m "$dir/m" -a "$dir/r=8" --mode loss "$dir/answered.tok" -o "$dir/p9"
ok
run predict -m "$dir/m" -a "$dir/r=8=0.5" --mode loss "$dir/answered.tok" -o "$dir/p10"
ok
sh_run "peek --chain '$dir/p10' | grep -c 'input adapter=0.5 '"
out_has 1
it "a scale that is no finite number"
for scale in nan inf -inf 1e999
do
	run predict -m "$dir/m" -a "$dir/r=8=$scale" --mode loss "$dir/answered.tok" -o "$dir/no"
	exit_is 2
	one_line
	err_has "r=8=$scale: the scale '$scale' is not a finite number"
	absent "$dir/no"
done
it "a scale beyond a float"
run predict -m "$dir/m" -a "$dir/r=8=1e300" --mode loss "$dir/answered.tok" -o "$dir/no"
exit_is 70
err_has "smaller scale"

it "a hub's name that is no folder"
run predict -m microsoft/phi-2 "$dir/none.tok" -o "$dir/no"
exit_is 66
err_has "hf:microsoft/phi-2"
it "... any other name that is not there"
run predict -m "$dir/microsoft/phi-2" "$dir/none.tok" -o "$dir/no"
exit_is 66
! grep -q hf: "$dir/err"
report $? "$(cat "$dir/err")"
it "an archive with a folder's name is said"
run quantize-nf4 "$dir/m" -o "$dir/m.nf4"
ok
err_has "m.nf4 is a .tar.zst archive; for a folder write $dir/m.nf4/"
it "... others are not"
run quantize-nf4 "$dir/m" -o "$dir/m.nf4.tar.zst"
[ "$rc" -eq 0 ] && [ ! -s "$dir/err" ]
report $? "$(cat "$dir/err")"

finish
