#!/bin/sh
# Records that leave a stream as JSON lines and come back keep its label order, answers, kind and chain.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
printf 'text,label\nit rose,up\nit fell,down\nup again,up\ndown again,down\n' >moves.csv
printf 'up\tit goes up\ndown\tit goes down\n' >answers
printf '{text}: {completion}\n' >say.txt
split-stratified --train .5 --test .5 --labels up,down moves.csv |
	promptify -t say.txt --verbalizer answers -o p.zst
says() { peek --header "$1" | sed 's/"chain": \[[^]]*\][^]]*\][^]]*\]//'; }
kept() { # kept FILE: kind, labels, answers and records are those of p.zst, and its chain goes on
	peek --diff p.zst "$1" && peek --chain p.zst | grep -v '^input' >chain &&
		peek --chain "$1" | head -n 2 | diff chain - && peek --chain "$1" | grep -q '^peek .* from-jsonl'
}

it "the header as a first line"
sh_run 'peek --jsonl --with-header p.zst | head -n 1'
out_has '{"": {"kind": "prompts", "chain": [{"tool": "split-stratified"'
out_has '"labels": ["up", "down"], "answers": [" it goes up", " it goes down"], "version": 1}}'
it "comes back"
sh_run 'peek --jsonl --with-header p.zst | peek --from-jsonl -o back.zst'
ok
check kept back.zst
it "through another program"
sh_run "peek --jsonl --with-header p.zst | python3 -c 'import json, sys
for line in sys.stdin: print(json.dumps(json.loads(line), sort_keys=True))' | peek --from-jsonl --with-header -o back.zst --force"
ok
check kept back.zst
it "from the stream itself"
sh_run 'peek --jsonl p.zst | peek --from-jsonl --header-from p.zst -o from.zst'
ok
check kept from.zst
it "which is an input then"
sh_run "peek --chain from.zst | grep -c \"^input stream \$(zstd -dc p.zst | sha256sum | cut -d' ' -f1)\""
out_is <<'EXPECT'
1
EXPECT
it "both streams' chains where there are two"
sh_run 'peek --jsonl --with-header p.zst p.zst | peek --from-jsonl | peek --count'
out_is <<'EXPECT'
8
EXPECT
it "--labels and --kind go before the header's"
sh_run 'peek --jsonl --with-header p.zst | peek --from-jsonl --kind examples --labels down,up | peek --header'
out_has '"kind": "examples"'
out_has '"labels": ["down", "up"], "version"'
it "a header without records"
sh_run 'peek --jsonl --with-header --limit 0 p.zst | peek --from-jsonl | peek --header'
out_has '"labels": ["up", "down"]'
it "a stream without labels stays one"
sh_run 'promptify --lines -t say.txt --completion none moves.csv -o n.zst; peek --jsonl --with-header n.zst | peek --from-jsonl -o m.zst && peek --diff n.zst m.zst'
ok

it "a label that the header has not"
sh_run 'peek --jsonl --with-header p.zst | sed "s/\"label\": \"up\"/\"label\": \"sideways\"/" | peek --from-jsonl -o none.zst'
exit_is 65
err_has "label 'sideways' is not one of up, down; correct it, or give --labels"
absent none.zst
it "a header that is not the first line"
sh_run '(peek --jsonl p.zst; peek --jsonl --with-header p.zst) | peek --from-jsonl -o none.zst'
exit_is 65
err_has "standard input:5:"
it "a first line that is no header where one is promised"
sh_run 'peek --jsonl p.zst | peek --from-jsonl --with-header -o none.zst'
exit_is 65
err_has 'standard input:1: is not the header that peek --jsonl --with-header writes first'
it "two headers"
sh_run 'peek --jsonl --with-header p.zst | peek --from-jsonl --header-from p.zst -o none.zst'
exit_is 65
it "a hostile header"
for line in '{"":1}' '{"":{}}' '{"":{"format":"slmtools stream","version":2,"kind":"tokens","chain":[]}}' \
	'{"":{"format":"slmtools stream","version":1,"kind":"tokens","chain":[],"labels":["a","a"]}}' \
	'{"":{"format":"slmtools stream","version":1,"kind":"tokens","chain":[],"labels":["a\u0000b"]}}' \
	'{"":{"format":"slmtools stream","version":1,"kind":"none","chain":[]}}' '{"":{"kind":"tokens"}}'
do
	echo "$line" >bad.jsonl
	run peek --from-jsonl bad.jsonl -o none.zst
	exit_is 65
	err_has 'bad.jsonl:1: '
done
absent none.zst
it "two chains that are too long for one"
long() { # long FIRST: a stream that FIRST and 599 more programs have touched
	seq -s , -f '{"tool":"t","options":["--x=%g"],"version":"1"}' "$1" $(($1 + 599)) |
		sed 's/.*/{"":{"format":"slmtools stream","version":1,"kind":"examples","chain":[&]}}/'
	echo '{"text":"a"}'
}
long 1 | peek --from-jsonl -o one.zst
long 2001 | peek --from-jsonl -o two.zst
run promptify -t financial-sentiment -o none.zst one.zst two.zst
exit_is 65
err_has '1201 programs have touched the stream before, and its chain holds 1024'
absent none.zst
it "goes with JSON lines"
run peek --count --with-header p.zst
exit_is 2
finish
