#!/bin/sh
# What peek promises on its command line. The stream format itself: stream.t, hostile-streams.t.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
cat >in.jsonl <<'IN'
{"text":"a \"b\",\tc\n\\d","label":"positive","scores":[0.1,0.30000001192092896,1e-7]}

{"text":"Täx","label":"negative","ids":[1,2,70000],"z":{"b":[1,-2.5,null],"aa":true},"loss":1}
{"id":17,"text":"","label":"neutral","ids":[],"big":1e300,"neg":[-1,9007199254740992]}
IN
peek --from-jsonl in.jsonl -o a.zst || exit 1

it "shows records as JSON lines by default, in the order of the format"
run peek a.zst
out_is <<'OUT'
{"id": 0, "text": "a \"b\",\tc\n\\d", "label": "positive", "scores": [0.1, 0.3, 1e-07]}
{"z": {"b": [1, -2.5, null], "aa": true}, "id": 1, "ids": [1, 2, 70000], "loss": 1.0, "text": "Täx", "label": "negative"}
{"id": 17, "big": 1e+300, "ids": [], "neg": [-1, 9007199254740992], "text": "", "label": "neutral"}
OUT
mv out jsonl
run peek --jsonl <a.zst
same out jsonl

it "makes the same stream again from what it shows"
sh_run "peek a.zst | peek --from-jsonl | cmp - a.zst"
exit_is 1       # the input's digest is another
sh_run "peek a.zst | peek --from-jsonl | peek --diff a.zst"
ok
out_is </dev/null

it "shows one field as plain text"
run peek --text text a.zst
printf 'a "b",\tc\n\\d\nTäx\n\n' >expect; out_is <expect
run peek --text scores a.zst
printf '[0.1, 0.3, 1e-07]\n\n\n' >expect; out_is <expect
run peek --text nope a.zst
exit_is 65
err_has "peek: error: a.zst: no record has a field 'nope'; --jsonl shows what there is"

it "shows fields as columns"
run peek --tsv id,text,ids,nope a.zst
printf 'id\ttext\tids\tnope\n0\t"a ""b"",\tc\n\\d"\t\t\n1\tTäx\t[1, 2, 70000]\t\n17\t\t[]\t\n' >expect; out_is <expect
run peek --csv id,text,ids a.zst
printf 'id,text,ids\n0,"a ""b"",\tc\n\\d",\n1,Täx,"[1, 2, 70000]"\n17,,[]\n' >expect; out_is <expect
run peek --tsv id,,text a.zst
exit_is 2
err_has "a field name is empty; write --tsv id,text"
run peek --csv '' a.zst
exit_is 2
err_has "a field name is empty; write --csv id,text"

it "shows header, chain and count"
run peek --header a.zst
out_has '"labels": ["negative", "neutral", "positive"], "version": 1}'
run peek --chain a.zst
out_has "input jsonl $(sha256sum <in.jsonl | cut -d' ' -f1)"
run peek --count a.zst
echo 3 >expect; out_is <expect
run peek --count --only label=neutral a.zst a.zst
err_has 'a.zst: is given more than once, and so is each of its records'
one_line
echo 2 >expect; out_is <expect
run peek --count --limit 2 a.zst
echo 2 >expect; out_is <expect
run peek --text id --head 2 a.zst
printf '0\n1\n' >expect; out_is <expect
run peek --count --only id=17 --only label=neutral a.zst
echo 1 >expect; out_is <expect
run peek --count --only lable=neutral a.zst
ok
err_has "peek: warning: --only lable=neutral: no record has a field 'lable'"
run peek --count --only label=nobody a.zst
ok
err_has "no record's label is 'nobody'"
run peek --only scores=1 a.zst
exit_is 2
err_has "peek: error: a.zst:0: --only compares texts and whole numbers; field 'scores' is neither"
printf '{"n": %s}\n' -1 1 -9223372036854775808 | peek --from-jsonl -o whole.zst
for whole in 1 -1 -9223372036854775808
do
	run peek --tsv n --only "n=$whole" whole.zst
	printf 'n\n%s\n' "$whole" >expect; out_is <expect
done

it "more labels than a header takes are refused where they are"
sh_run "seq 5000 | sed 's/.*/{\"label\": \"&\"}/' | peek --from-jsonl -o none.zst"
exit_is 65
err_has 'standard input:4097: more than 4096 labels'
absent none.zst

it "reads to the end whatever is asked for, and says where a file is broken"
run peek --verify a.zst - <a.zst
printf 'a.zst: 3 records, kind examples, whole\nstandard input: 3 records, kind examples, whole\n' >expect; out_is <expect
size=$(wc -c <a.zst)
head -c $((size - 50)) a.zst >cut.zst
for view in --verify --count --header --chain "--head 1" "--text id" "--diff a.zst"
do
	run peek $view cut.zst -o none
	exit_is 65
	err_has "peek: error: cut.zst: byte $((size - 50)): cut short"
	absent none
done

it "finds the first difference"
sed 's/Täx/Tax/' jsonl | peek --from-jsonl >b.zst
run peek --diff a.zst b.zst
exit_is 1
echo "record 1: field 'text': \"Tax\", \"Täx\"" >expect; out_is <expect
sed 's/"big": 1e+300, //' jsonl | peek --from-jsonl >b.zst
run peek a.zst --diff b.zst
exit_is 1
echo "record 17: field 'big': 1e+300, not there" >expect; out_is <expect
head -n 2 jsonl | peek --from-jsonl --labels negative,neutral,positive >b.zst
run peek a.zst --diff b.zst
exit_is 1
echo "b.zst ends after 2 records, the other one goes on" >expect; out_is <expect
run peek a.zst --diff b.zst --limit 2
ok
peek --from-jsonl --kind prompts in.jsonl >b.zst
run peek a.zst --diff b.zst
exit_is 1
echo "header: kind examples, prompts" >expect; out_is <expect

it "makes streams from JSON lines, strictly"
bad() { # bad LINE WHAT
	printf '{"text":"x"}\n%s\n' "$1" >bad.jsonl
	run peek --from-jsonl bad.jsonl -o none
	exit_is 65
	err_has "peek: error: bad.jsonl:2: $2"
	one_line
	absent none
}
bad '{"a":1' "not valid JSON at line 1"
bad '{"a":01}' "not valid JSON at line 1"
bad '[1]' "a line must be one JSON object"
bad '{"":1}' "field '': a field's name must not be empty"
bad '{"id":-1}' "field 'id': it should be a whole number"
bad '{"id":"x"}' "field 'id': it should be a whole number"
bad '{"scores":[1,"x"]}' "field 'scores': it should be an array of numbers"
bad '{"scores":[1e39]}' "field 'scores': it should be an array of numbers that float32 can hold"
bad '{"x":1e999}' "field 'x': a number is too large"
bad '{"x":{"y":[1,18446744073709551616]}}' "field 'x': an integer needs more than 64 bits"
bad '{"x":-9223372036854775809}' "field 'x': an integer needs more than 64 bits"
bad '{"x":[100000000000000000000000000000000000000000000000000000000000000000000000]}' "field 'x': an integer needs"
bad '{"id":18446744073709551616}' "field 'id': an integer needs more than 64 bits"
bad '{"id":1.0}' "field 'id': it should be a whole number"
bad '{"label":"a\u0000b"}' "a label must not hold U+0000"
bad '{"label":5}' "field 'label' is an unsigned integer; it should be a text"
bad '{"x":[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]}' "field 'x': values are nested more than 16 deep"
run peek --from-jsonl --labels positive,negative in.jsonl -o none
exit_is 65
err_has "peek: error: in.jsonl:4: label 'neutral' is not one of positive, negative; correct it, or give --labels"
absent none
sh_run "printf '{\"a\":1}' | peek --from-jsonl --kind tokens | peek --header"
out_has '"kind": "tokens"'
printf '\357\273\277{"text":"x"}\n' >bom.jsonl
sh_run "peek --from-jsonl bom.jsonl bom.jsonl | peek --text text"
printf 'x\nx\n' >expect; out_is <expect
sh_run "cat bom.jsonl bom.jsonl | peek --from-jsonl"
exit_is 65      # it stands at the start of a file only
err_has "standard input:2: not valid JSON at line 1, column 1"
sh_run "peek --from-jsonl </dev/null | peek --count"
echo 0 >expect; out_is <expect

sh_run "peek --from-jsonl --limit 2 in.jsonl | peek --text id"
printf '0\n1\n' >expect; out_is <expect
sh_run "peek --from-jsonl --only label=negative in.jsonl | peek --text id"
echo 1 >expect; out_is <expect
run peek --from-jsonl --only ids=1 in.jsonl -o none
exit_is 2
absent none

it "takes what JSON allows and C strings do not, and the last value of a doubled key"
cat >odd.jsonl <<'IN'
{"a\u0000b":"\u0000","text":"x\u0000y\n","id":-1,"text\u0000":[1,2],"m":{"k":1,"\u0000":["\u0000z"],"\u006b":2},"id":7}
IN
sh_run "peek --from-jsonl odd.jsonl | peek"
out_is <<'OUT'
{"m": {"\u0000": ["\u0000z"], "k": 2}, "id": 7, "a\u0000b": "\u0000", "text": "x\u0000y\n", "text\u0000": [1, 2]}
OUT
sh_run "peek --from-jsonl odd.jsonl | peek --text text | od -An -c | tr -d ' \n'"
printf 'x\\0y\\n\\n' >expect; out_is <expect

it "keeps every integer of 64 bits, and floats that are whole"
cat >numbers.jsonl <<'IN'
{"v": 9007199254740993, "w": -9223372036854775808, "id": 18446744073709551615, "max": [9223372036854775807, -9223372036854775807], "map": {"a": [[18446744073709551615]], "b": -9007199254740993}, "ids2": [1, 65535, 65536, 4294967295], "wide": [4294967296, 1], "float": [1.0, 100000.0, -0.0, 1e+22]}
IN
sh_run "sed 's/100000.0/1e5/; s/-0.0/-0/; s/1e+22/10.0E21/' numbers.jsonl | peek --from-jsonl | tee numbers.zst | peek"
check python3 -c "import json
want, got = (json.loads(open(f).read(), parse_float=str) for f in ('numbers.jsonl', '$dir/out'))
assert got == want, got"
run peek --count --only v=9007199254740993 numbers.zst
echo 1 >expect; out_is <expect

it "keeps every float32"
check python3 - <<'PY'
import array, json, random, subprocess, struct
r = random.Random(1)
bits = [r.getrandbits(32) & 0xbfffffff for _ in range(20000)] + [1, 0x7fffff, 0x800000, 0x7f7fffff, 0x80000000]
want = [f for f in struct.unpack(f"<{len(bits)}f", struct.pack(f"<{len(bits)}I", *bits)) if f == f and abs(f) != float("inf")]
line = json.dumps({"scores": want}).encode()
made = subprocess.run("peek --from-jsonl | peek | peek --from-jsonl | peek --jsonl", shell=True, input=line, capture_output=True, check=True).stdout
got = array.array("f", json.loads(made)["scores"])
assert got.tobytes() == array.array("f", want).tobytes()
PY

it "shows tokens with their loss mask"
tokenizer=$root/tests/parity/tokenizer-whole.json
sh_run "echo '{\"ids\":[0,1,2],\"n_prompt\":2}' | peek --from-jsonl --kind tokens | peek --tokens -m '$tokenizer'"
ok
cut -f1-5 out >cols && mv cols out
printf 'record\tposition\tid\tall\tcompletion\n0\t0\t0\t0\t0\n0\t1\t1\t1\t0\n0\t2\t2\t1\t1\n' >expect; out_is <expect
sh_run "echo '{\"ids\":[0,1]}' | peek --from-jsonl --kind tokens | peek --tokens -m '$tokenizer' | cut -f2,4,5 | tail -n 2"
printf '0\t0\t-\n1\t1\t-\n' >expect; out_is <expect
sh_run "echo '{\"ids\":[0,1],\"n_prompt\":0}' | peek --from-jsonl --kind tokens | peek --tokens -m '$tokenizer' | cut -f2,4,5 | tail -n 2"
printf '0\t0\t0\n1\t1\t1\n' >expect; out_is <expect
sh_run "echo '{\"ids\":[9999999]}' | peek --from-jsonl --kind tokens | peek --tokens -m '$tokenizer'"
exit_is 65
err_has "standard input:0: id 9999999 is no token of this model"
run peek --tokens a.zst
exit_is 2
err_has "peek: error: --tokens needs --model"

it "shows the tensors of models, adapters and safetensors files"
model=$shared/golden/phi-tiny/model
if [ -d "$model" ]
then
	run peek "$model"
	ok
	out_has "lm_head.bias	F32	[512]	2048	bc6ff0f811aeb1333686e07b8d31d7edac38580e3520306df4e63e4a65385c7f"
	mv out want
	tar cf m.tar -C "$model" .
	zstd -q m.tar -o m.tar.zst
	for from in m.tar m.tar.zst "$model/model.safetensors"
	do
		run peek "$from"
		same out want
	done
	run sh -c "peek - <m.tar"
	same out want
	run peek --diff "$shared/golden/phi-tiny/nf4" "$model"
	exit_is 1
	echo "tensor 'model.layers.0.mlp.fc1.weight': F32 [512,128], U8 [32768,1]" >expect; out_is <expect
	run peek --diff m.tar "$model"
	ok
else
	skip "no golden models beside the project"
fi
mkmodel --hidden 32 --layers 1 --heads 4 --partial-rotary-factor 0.5 --vocab 64 -o small/
run peek small
mv out want
cp small/model.safetensors run.ckpt # as README names a checkpoint
run peek run.ckpt
same out want
run sh -c "peek - <run.ckpt"
same out want
run peek --diff run.ckpt small/model.safetensors
ok
rm run.ckpt
run peek "$dir"
exit_is 66
printf '\10\0\0\0\0\0\0\0{"a":1}\n' >bad.safetensors
run peek --verify bad.safetensors
exit_is 65
one_line

it "says what is wrong with the command line"
run peek --text id --count a.zst
exit_is 2
err_has "peek: error: --text and --count exclude each other; give one of them"
run peek --kind tokens a.zst
exit_is 2
err_has "--kind, --labels and --header-from go with --from-jsonl"
run peek --from-jsonl --kind songs
exit_is 2
err_has "option '--kind': 'songs' is not one of examples, prompts, tokens, predictions"
for view in --header --chain --verify --tensors '--file x' --devices
do
	for choice in '--head 1' '--limit 1' '--limit-per id=1' '--only id=0'
	do
		# shellcheck disable=SC2086
		run peek $view $choice a.zst
		exit_is 2
		err_has "${view% x} is about whole files; leave out --head, --limit, --limit-per and --only"
	done
done
run peek --model a.zst a.zst
exit_is 2
err_has "--model goes with --tokens"
run peek --nope
exit_is 2
err_has "peek: error: unknown option '--nope'; see peek --help"
run peek nofile
exit_is 66
err_has "peek: error: nofile: cannot open: No such file or directory"
run peek a.zst -o in.jsonl
exit_is 73
err_has "in.jsonl: is there already; use --force to replace it"
run peek a.zst -o none/x
exit_is 73
run peek a.zst -o .
exit_is 73
err_has "is a folder"
echo "--only 'label=neutral' # one of them" >options
run peek --text id @options a.zst
echo 17 >expect; out_is <expect

it "stops with one line and leaves nothing when it cannot go on"
for to in ">/dev/full" ">&-"
do
	sh_run "(yes '{\"text\":\"Profit rose sharply\"}' | head -n 60000 | peek --from-jsonl --labels a,b; echo \$? >code) $to"
	echo 74 >code.want
	same code code.want
	one_line
done
run peek --from-jsonl in.jsonl -o /dev/full
exit_is 74
for sig in INT TERM HUP
do
	mkdir sig
	mkfifo fifo
	# a shell without job control starts background jobs with SIGINT ignored, and nohup ignores SIGHUP
	run python3 - "$sig" <<'PY'
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
p = subprocess.Popen(["peek", "--from-jsonl", "--labels", "a,b", "fifo", "-o", "sig/out"])
w = open("fifo", "w")
w.write('{"text":"x"}\n' * 100000)
w.flush()
while not os.listdir("sig"):
    time.sleep(0.01)
p.send_signal(getattr(signal, "SIG" + sys.argv[1]))
sys.exit(p.wait())
PY
	exit_is 75
	one_line
	err_has "the output was not finished, run it again"
	check rmdir sig         # nothing is in it
	rm -f fifo
done
if script -qec true /dev/null >/dev/null 2>&1
then
	run script -qec "peek --from-jsonl in.jsonl" /dev/null
	exit_is 2
	out_has "the output is binary and standard output is a terminal; use -o FILE, or pipe it into peek"
	run script -qec "peek" /dev/null
	exit_is 2
	out_has "standard input is a terminal; name a stream, or pipe one in"
else
	skip "no pseudo-terminal"
	skip "no pseudo-terminal"
	skip "no pseudo-terminal"
	skip "no pseudo-terminal"
fi

it "a column that no record has, and scores whose order no one gave, are said"
sh_run 'echo "{\"label\":\"b\",\"pred\":\"b\"}" | peek --from-jsonl -o gap.zst && peek --tsv pred,perd gap.zst'
ok
err_has "peek: warning: --tsv: no record has a field 'perd'"
one_line
echo '{"label":"b","pred":"b","scores":[0.5]}' >scored.jsonl
run peek --from-jsonl scored.jsonl -o scored.zst
ok
err_has 'scores are in the order of the labels, which was not given'
run peek --from-jsonl --labels b scored.jsonl --force -o scored.zst
check [ ! -s "$dir/err" ]

finish
