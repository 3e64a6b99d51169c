#!/bin/sh
# Files that people write beside their data, as the editors of other systems save them: a byte order
# mark, CR LF, CR CR LF, lone CR. What is no UTF-8 text is refused by line and byte.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
bom=$(printf '\357\273\277')
printf 'text,label\nit rose,up\nit fell,down\nup again,up\ndown again,down\n' >moves.csv
lines='say\nit: {text}\nso {completion}\n'
pairs='up\tit goes up\ndown\tit goes down\n'
prompts() { promptify -t "$1" --verbalizer "$2" moves.csv | peek --jsonl; }

printf "$lines" >plain.txt
printf "$pairs" >plain.pairs
prompts plain.txt plain.pairs >want
saved() { # saved HOW END: the files with a byte order mark and with END as their line end
	printf '%s' "$bom" >"$1.txt"
	printf '%s' "$bom" >"$1.pairs"
	printf "$(printf '%s' "$lines" | sed "s/\\\\n/$2/g")" >>"$1.txt"
	printf "$(printf '%s' "$pairs" | sed "s/\\\\n/$2/g")" >>"$1.pairs"
}
for how in 'mark \\n' 'crlf \\r\\n' 'crcrlf \\r\\r\\n' 'cr \\r'
do
	saved ${how}
	it "template and verbalizer with a byte order mark and lines that end in ${how#* }"
	run prompts "${how%% *}.txt" "${how%% *}.pairs"
	same want out
done

it "a label set of share"
mkdir -p share/labels
printf '%sdown\r\nup\r\n' "$bom" >share/labels/moves
sh_run 'SLMTOOLS_SHARE=share split-stratified --labels moves moves.csv --train .5 --test .5 | peek --header'
out_has '"labels": ["down", "up"]'

it "JSON files of a model"
mkmodel --hidden 64 --layers 1 --heads 4 --vocab 512 --seed 3 --tokenizer "$root/pipelines/tiny" -o model/
echo 'Profit rose' | tokenize --lines -m model -o want.zst
for json in model/*.json
do
	printf '%s' "$bom" | cat - "$json" | sed "s/\$/$(printf '\r')/" >marked && mv marked "$json"
done
sh_run 'echo "Profit rose" | tokenize --lines -m model -o marked.zst && peek --diff want.zst marked.zst'
ok
sh_run 'predict -m model --mode generate --max-new-tokens 1 marked.zst | peek --count'
ok
it "JSON lines"
sh_run "printf '%s{\"text\":\"a\"}\r\n{\"text\":\"b\"}\r\n' '$bom' | peek --from-jsonl | peek --text text"
printf 'a\nb\n' >expect; out_is <expect

it "UTF-16 is called so"
printf '\377\376{\000t\000' >wide.txt
run promptify -t wide.txt moves.csv -o none.zst
exit_is 65
err_has 'promptify: error: wide.txt: is UTF-16 text; save it as UTF-8'
it "UTF-16 without a mark too"
printf 'u\000p\000' >wide.pairs
run promptify -t plain.txt --verbalizer wide.pairs moves.csv -o none.zst
exit_is 65
err_has 'wide.pairs: is UTF-16 text'
it "a zero byte is refused by its place"
printf 'one\ntw\000o {text}\n' >zero.txt
run promptify -t zero.txt moves.csv -o none.zst
exit_is 65
err_has 'zero.txt:2: byte 3 is zero; save the file as UTF-8 text'
one_line
absent none.zst
it "so are bytes of another encoding"
printf 'up\tja\ndown\tn\366\n' >latin.pairs
run promptify -t plain.txt --verbalizer latin.pairs moves.csv -o none.zst
exit_is 65
err_has 'latin.pairs:2: byte 7 is not valid UTF-8'
finish
