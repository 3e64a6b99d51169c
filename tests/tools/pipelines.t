#!/bin/bash
# What an experiment's makefile promises: what a user has stays, and results belong to their inputs.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL OUT MODEL DATA
pipelines=$root/pipelines
bin=$(dirname "$(command -v predict)")
cp -r "$root/share" "$dir/share"
export SLMTOOLS_SHARE=$dir/share
mkdir "$dir/w" "$dir/home" && cd "$dir/w" || exit 1
tree() { find "$1" -printf '%P %s %T@ %i\n' | sort; }   # what must not change

# ---- an experiment of the article's form, as small as it can be ----
mkdir a b
tail -n +2 "$pipelines/tiny/headlines.csv" >rows.csv
mkmodel --hidden 32 --layers 1 --heads 2 --vocab 512 --partial-rotary-factor 0.5 --tokenizer "$pipelines/tiny" -o a/model/
mkmodel --hidden 32 --layers 1 --heads 2 --vocab 512 --partial-rotary-factor 0.5 --tokenizer "$pipelines/tiny" --seed 7 -o b/model/
printf 'News: {text}\nMood: {completion}' >template.txt
printf '%s\t%s\n' positive up neutral level negative down >verbalizer
printf '%s\n' negative neutral positive >"$SLMTOOLS_SHARE/labels/mood"
echo '--r 4' >extra
news() { # news [VARIABLE=VALUE | TARGET]...
	make -s -C "$pipelines/financial-news" BIN="$bin" MODEL=a/model DATA=rows.csv TEMPLATE=template.txt VERBALIZER=verbalizer \
		LABELS=mood SPLIT='--per-class --train 3 --test 2 --eval 1' TRAIN='--max-steps 1 @extra' PREDICT= \
		SCORE= LIMIT=1 OUT=out EXPECTED=digests "$@"
}
it "a run by several jobs makes all products"
run news -j4
ok
it "LIMIT takes so many test records of each class"
run peek --tsv label out/after.zst
out_is <<<$'label\npositive\nneutral\nnegative'
it "and they are up to date then"
run news -q
ok

it "two makes in one folder: the second says that the first is at work, and makes nothing"
began() { sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20; }
echo "$$ $(began $$)" >out/.slmtools/make
tree out >was
run news TRAIN='--max-steps 2 @extra'
exit_is 2
err_has "another make (process $$) is at work in it"
tree out | cmp - was >cmp.out
report $? "$(cat cmp.out)"
it "one that has ended is none, nor is another process of its number"
echo "$$ 1" >out/.slmtools/make
run news
ok

# said SPLIT TOLD: what split-stratified is told then, but for files and labels
said() {
	it "SPLIT='$1' says '$2'"
	news -s SPLIT="$1" PARTS='--recipe seed' OUT=said "$PWD/said/.slmtools/split"
	grep '^--[^l]' said/.slmtools/split >got
	echo "$2" | cmp - got >cmp.out
	report $? "$(cat got)"
}
said '' '--recipe seed'
said '--seed 2' '--recipe seed --seed 2'
said '--encoding latin-1' '--recipe seed --encoding latin-1'
said '--train 5' '--train 5'
said '--seed 2 --per-class --test=3' '--seed 2 --per-class --test=3'
it "DEVICE is told to the tools, beside RUN"
news -s DEVICE=cuda:1 RUN='--threads 2' OUT=said "$PWD/said/.slmtools/run"
grep '^--' said/.slmtools/run | cmp - <(printf '%s\n' "--device 'cuda:1'" '--threads 2') >cmp.out
report $? "$(cat said/.slmtools/run)"
rm -r said

# would CHANGE...: the products that make would make now, by -n, from the names behind -o.
would() { news -n "$@" | sed -nE 's,.* (-o|--html) .*/out/([^ ]*).*,\2,p' | sort | xargs; }
data="adapter.tar.zst after.txt after.zst before.txt before.zst data.tok.zst report.html"
model="adapter.tar.zst after.txt after.zst before.txt before.zst model.nf4.tar report.html"
both="adapter.tar.zst after.txt after.zst before.txt before.zst data.tok.zst model.nf4.tar report.html"
train="adapter.tar.zst after.txt after.zst report.html"
predict="after.txt after.zst before.txt before.zst report.html"
remakes() { # remakes PRODUCTS [VARIABLE=VALUE]...: these and no others
	local want=$1 got
	shift
	got=$(would "$@")
	[ "$got" = "$want" ]
	report $? "makes '$got', wanted '$want'"
}
changed() { # changed FILE PRODUCTS: FILE has other contents by now and gets its old ones back
	remakes "$2"
	rm "$1" && mv "$1.was" "$1"
}
keep() { cp -p "$1" "$1.was"; }

it "nothing is made when nothing changed"
remakes ""
it "a setting remakes what depends on it: SPLIT";     remakes "$data" SPLIT='--per-class --train 4 --test 2 --eval 1'
it "PROMPTIFY";  remakes "$data" PROMPTIFY='--set x=y'
it "TOKENIZE";   remakes "$data" TOKENIZE=--add-eos
it "TEMPLATE, by name"; remakes "$data" TEMPLATE=financial-sentiment
it "VERBALIZER, to none"; remakes "$data" VERBALIZER=
it "LABELS, a list"; remakes "$data" LABELS=positive,neutral,negative
it "QUANT";      remakes "$model" QUANT=--double-quant
it "TRAIN";      remakes "$train" TRAIN='--max-steps 2 @extra'
it "PREDICT";    remakes "$predict" PREDICT='--normalize length'
it "LIMIT";      remakes "$predict" LIMIT=2
it "SCORE";      remakes "after.txt before.txt" SCORE=--json
it "PAGE";       remakes "report.html" PAGE='--by label'
it "RUN, which changes no result"; remakes "" RUN='--threads 1'
it "nor does DEVICE"; remakes "" DEVICE=cpu
it "another MODEL of the same name and size"; remakes "$both" MODEL=b/model
it "another DATA of the same name and contents"
cp -p rows.csv b/
remakes "$data" DATA=b/rows.csv
it "the same files by another way to say so"
remakes "" MODEL=./b/../a/model/ DATA="$dir/w/rows.csv"

it "another revision of a model in the hub's cache"
hub=$dir/hub/models--org--small
mkdir -p "$hub"/{refs,snapshots} && cp -r a/model "$hub/snapshots/one" && cp -r a/model "$hub/snapshots/two"
export HF_HUB_CACHE=$dir/hub
echo one >"$hub/refs/main"
run news MODEL=hf:org/small OUT=cached "$dir/w/cached/model.nf4.tar"
ok
run news MODEL=hf:org/small OUT=cached -q "$dir/w/cached/model.nf4.tar"
ok
echo two >"$hub/refs/main"
run news MODEL=hf:org/small OUT=cached -q "$dir/w/cached/model.nf4.tar"
exit_is 1

it "an input with other contents does, older than the products: the data"
keep rows.csv; sed -i 's/Borg/Bork/' rows.csv; touch -d 2001-01-01 rows.csv
changed rows.csv "$data"
it "as old as it was"
keep rows.csv; sed -i 's/Borg/Bork/' rows.csv; touch -r rows.csv.was rows.csv
changed rows.csv "$data"
it "touched"
keep rows.csv; touch rows.csv
changed rows.csv "$data"
it "the template"
keep template.txt; printf 'N: {text}\nMood: {completion}' >template.txt; touch -d 2001-01-01 template.txt
changed template.txt "$data"
it "the verbalizer"
keep verbalizer; sed -i s/down/bad/ verbalizer; touch -r verbalizer.was verbalizer
changed verbalizer "$data"
it "a label set of one's own"
printf '%s\r\n' neutral negative positive >set
remakes "$data" LABELS=set
it "the label set in share"
labels=$SLMTOOLS_SHARE/labels/mood
keep "$labels"; printf '%s\n' neutral negative positive >"$labels"; touch -d 2001-01-01 "$labels"
changed "$labels" "$data"
it "the tokenizer of the model"
keep a/model/tokenizer.json; sed -i 's/"byte_fallback": false/"byte_fallback": false /' a/model/tokenizer.json
changed a/model/tokenizer.json "$both"
it "its weights, of the same size and time"
keep a/model/model.safetensors; cp b/model/model.safetensors a/model/; touch -r a/model/model.safetensors.was a/model/model.safetensors
mv a/model/model.safetensors.was .      # must be no file of the model
remakes "$model"
mv model.safetensors.was a/model/model.safetensors
it "a file that an option names"
keep extra; echo '--r 2' >extra; touch -d 2001-01-01 extra
changed extra "$train"
it "and all as it was is up to date again"
remakes ""
it "a product that was removed"
mv out/adapter.tar.zst .
remakes "$train"
mv adapter.tar.zst out/

it "-n has changed nothing, and what it says is what is made"
tree out >before
run news TRAIN='--max-steps 2 @extra'
tree out >after
diff before after | sed -n 's/^> \([a-z][a-z0-9.]*\) .*/\1/p' | xargs >made
[ "$(cat made)" = "adapter.tar.zst after.txt after.zst metrics.jsonl report.html" ]
report $? "$(cat made)"
it "a missing MODEL is an error though all products are there"
run news MODEL=nowhere/model
exit_is 2
err_has "MODEL=nowhere/model: $dir/w/nowhere/model is not there; in Hugging Face's cache it would be hf:nowhere/model"
it "a missing DATA too"
run news DATA=none.csv
exit_is 2
err_has "DATA=none.csv: $dir/w/none.csv is not there"
it "and a MODEL that is not named"
run news MODEL=
exit_is 2
err_has "MODEL is not set"
it "a tool that fails leaves no product, and the next run makes it"
printf 'a,b,c\n1,2,3\n' >bad.csv
rm out/data.tok.zst
run news DATA=bad.csv
exit_is 2
absent out/data.tok.zst
remakes "$data"
run news
ok

# A lora-train that is killed once there is a checkpoint.
mkdir killer && ln -s "$bin"/* killer/ && rm killer/lora-train
cat >killer/lora-train <<KILLER
#!/bin/sh
"$bin/lora-train" "\$@" &
until [ -e out/checkpoint ]; do sleep 0.02; done
sleep 0.1
kill -9 \$!
exit 137
KILLER
chmod +x killer/lora-train
it "a training that was killed goes on from its checkpoint"
run news BIN=killer TRAIN='--max-steps 60'
exit_is 2
check test -s out/checkpoint
run news TRAIN='--max-steps 60'
ok
absent out/checkpoint
lora-train -q @out/.slmtools/train -m out/model.nf4.tar out/data.tok.zst -o whole.tar.zst
same whole.tar.zst out/adapter.tar.zst
it "and begins again when what it is told has changed"
run news BIN=killer TRAIN='--max-steps 61'
exit_is 2
run news
ok

# ---- the record of digests ----
it "verify wants a record, and makes none"
run news verify
exit_is 2
err_has "digests is not there"
it "digests writes it, verify compares"
run news digests
ok
run news verify
ok
out_has "all products are as recorded"
it "verify needs no MODEL, and makes nothing of another one"
tree out >before
run news verify MODEL= DATA=none.csv TRAIN=other
ok
check diff before <(tree out)
it "verify names a product that is missing and does not build it"
mv out/before.txt .
run news verify
exit_is 2
err_has "out/before.txt is not there; run make first"
absent out/before.txt
it "verify sees another byte"
(cat before.txt; echo) >out/before.txt
run news verify
exit_is 2
out_has "before.txt"
mv before.txt out/
it "a file that is no record is not written over"
echo 'my thesis' >thesis
run news digests EXPECTED=thesis
exit_is 2
check grep -qx 'my thesis' thesis
it "nor is the record put among the products"
run news digests EXPECTED=out/record
exit_is 2
err_has "EXPECTED is in it"

# ---- clean, and what it leaves ----
it "clean leaves what it did not make, and the record"
echo mine >out/notes
run news clean
ok
[ "$(find out -type f ! -name '*.tmp')" = out/notes ] && [ -e digests ]
report $? "$(find . -maxdepth 2)"
it "and removes a folder that is empty then"
run news OUT=other "$dir/w/other/data.tok.zst"
ok
run news clean OUT=other
absent other
it "clean of a folder that make did not fill removes nothing"
mkdir home && echo mine >home/after.txt && tree home >before
run news clean OUT=home
check diff before <(tree home)
it "and its files are not written over"
run news OUT=home
exit_is 2
err_has "its after.txt was not made here"
check diff before <(tree home)

# ---- what OUT and the others cannot be ----
refused() { # refused MESSAGE VARIABLE=VALUE...
	it "refused: ${*:2}"
	run news "${@:2}"
	[ "$rc" -eq 2 ] && grep -qF -e "$1" "$dir/err"
	report $? "exit $rc: $(cat "$dir/err")"
}
tree . >"$dir/before"
refused 'OUT is empty' OUT=
refused 'OUT is empty' OUT= clean
refused 'other things are in' OUT=.
refused 'other things are in' OUT=. clean
refused 'other things are in' OUT=/
refused 'other things are in' OUT="$root" clean
refused 'make takes no path with' OUT='a b'
refused 'make takes no path with' OUT='a%b'
refused 'make takes no path with' OUT='a#$(shell touch x)'
refused 'the shell left the ~' OUT='~/x'
refused 'is there and is no folder' OUT=rows.csv
refused 'MODEL is in it' OUT=a/model
refused 'MODEL is in it' OUT=a
refused 'MODEL is in it' OUT=a/model MODEL="$dir/w/a/model/"
refused 'is in MODEL' OUT=a/model/out
refused 'DATA is in it' OUT=b DATA=b/rows.csv
refused 'LIMIT=--limit 60: is no whole number' LIMIT='--limit 60'
refused 'there is no split-stratified in it' BIN=b
refused 'MODEL is not set' MODEL= OUT=new
refused 'a quote is not closed' TRAIN="--r '8"
it "and they have changed nothing"
check diff "$dir/before" <(tree .)

# ---- values as they stand ----
it "paths and options may hold blanks, quotes, \$ and #"
odd="it's \"\$5\" #1 \$(x)"
cp -r a/model "$odd" && cp rows.csv "$odd.csv" && cp template.txt "t $odd"
run news OUT=odd MODEL="$odd" DATA="$odd.csv" TEMPLATE="t $odd" PROMPTIFY="--set 'x=a  b \$c #d \"e\"'" "$dir/w/odd/before.txt"
ok
run news OUT=odd MODEL="$odd" DATA="$odd.csv" TEMPLATE="t $odd" PROMPTIFY=$'--set\n'"'x=a  b \$c #d \"e\"'" -q "$dir/w/odd/before.txt"
ok
run peek --chain odd/data.tok.zst
out_has 'set=x=a  b $c #d \"e\"'

# ---- the folder that make was called in ----
small() { make -s "$@" BIN="$bin" SPLIT='--per-class --train 3 --test 2 --eval 1' OUT=rel DATA=rows.csv MODEL=a/model; }
here() { # here COMMAND...: makes rel here and nowhere else
	rm -rf "$dir/w/rel"
	run "$@" && [ -e "$target" ] && [ ! -e "$pipelines/financial-news/rel" ]
	report $? "exit $rc: $(cat "$dir/err")"
}
ln -s "$pipelines/financial-news" experiment
cp -r rows.csv a "$dir/home/"
target=$dir/w/rel/data.tok.zst
it "is where relative paths begin: -C with an absolute path"; here small -C "$pipelines/financial-news" "$target"
it "-C with a relative path, through a link"; here small -C experiment "$target"
it "-C in two steps"; here small -C "$pipelines" -C financial-news "$target"
it "a make that calls make"
sub="\$(MAKE) --no-print-directory -C experiment BIN=$bin OUT=rel DATA=rows.csv MODEL=a/model $target"
printf '%s\n' 'shell:' "	@cd .; $sub SPLIT='--train 9 --test 9'" 'direct:' "	@$sub" >sub.mk
here make -s -f sub.mk shell
it "the same, called from another folder: the shell between them knows better than PWD"
cd / && here make -s -C "$dir/w" -f sub.mk shell
it "where there is none, it is said that this cannot be known"
run make -s -C "$dir/w" -f sub.mk direct
exit_is 2
err_has 'it is not certain in which folder make was called'
cd "$dir/w" || exit 1
it "PWD of another folder is not believed"
run env PWD=/usr make -s -C experiment BIN="$bin" OUT=rel DATA=rows.csv MODEL=a/model
exit_is 2
err_has 'it is not certain in which folder make was called'
it "but absolute paths are right from anywhere"
run env PWD=/usr make -s -C experiment BIN="$bin" OUT="$dir/w/rel" DATA="$dir/w/rows.csv" MODEL="$dir/w/a/model" \
	SPLIT='--per-class --train 3 --test 2' "$target"
ok

# ---- tiny, and an experiment of one's own ----
it "tiny leaves a MODEL and a DATA that are named alone"
export HOME=$dir/home
mkdir "$HOME/somewhere" && cp a/model/* "$HOME/somewhere" && tree "$HOME" >before
run make -s -C "$pipelines/tiny" BIN="$bin" OUT="$dir/w/tiny" MODEL="$HOME/somewhere" DATA="$HOME/rows.csv" TRAIN='--max-steps 1'
ok
err_has 'tiny has a MODEL of its own'
check diff before <(tree "$HOME")
it "a home as OUT is a home after clean"
run make -s -C "$pipelines/tiny" BIN="$bin" OUT="$HOME" "$HOME/data.tok.zst"
ok
run make -s -C "$pipelines/tiny" BIN="$bin" OUT="$HOME" clean
check diff <(cut -d' ' -f1,2,4 before | sed 1d) <(tree "$HOME" | cut -d' ' -f1,2,4 | sed 1d)

cp -r "$pipelines" "$dir/pipelines" && rm -rf "$dir"/pipelines/*/out
it "new makes an experiment that works as it is"
run make -s -C "$dir/pipelines" new NAME=mine
ok
run make -s -C "$dir/pipelines/mine" BIN="$bin" MODEL="$dir/w/a/model" DATA="$pipelines/tiny/headlines.csv" TRAIN='--max-steps 1' report
ok
out_has 'after training'
it "its products are in its folder"
check test -s "$dir/pipelines/mine/out/after.txt"
tree "$dir/pipelines" >before
for odd in '' mine new tiny a/b .. .x 'a b' '$(x)' "it's" --help
do
	it "new refuses NAME='$odd'"
	run make -s -C "$dir/pipelines" new NAME="$odd"
	exit_is 2
done
it "and changes nothing then"
check diff before <(tree "$dir/pipelines")
finish
