#!/bin/bash
# The manual is true: it names exactly the options that --help prints, and its examples run.
. "$(dirname "$0")/../lib.sh"
set -o pipefail
cd "$root" || exit 1
tools="split-stratified promptify tokenize quantize-nf4 lora-train predict score peek"
options() { sed 's/--\[no-\]/--/g' | grep -oE -- '--[a-z][a-z0-9-]+' | sort -u; }
described() { sed '/^# EXAMPLES/,$d' "$1" | grep '^\*-' | options | grep -v '^--no-'; }

described share/man/slmtools.7.scd >"$dir/common"
for t in $tools
do
	it "$t(1) names the options of --help, no more and no fewer"
	"$t" --help | sed -n 's/^ *\(-., \)\?--/--/p' | cut -d' ' -f1 | options | grep -vxFf "$dir/common" >"$dir/help"
	described "tools/$t/$t.1.scd" | grep -vxFf "$dir/common" >"$dir/man"
	check diff "$dir/help" "$dir/man"
	it "$t(1) describes no option twice"
	sed '1,/^# OPTIONS/d; /^# EXAMPLES/,$d' "tools/$t/$t.1.scd" | grep '^\*-' | sed 's/--\[no-\]/--/g' |
		grep -oE -- '--[a-z][a-z0-9-]+' | sort | uniq -d >"$dir/twice"
	check diff "$dir/twice" /dev/null
	it "$t(1) is a page"
	check sh -c "scdoc <tools/$t/$t.1.scd >/dev/null"
done
it "slmtools(7) names the options that every tool has"
for t in $tools; do "$t" --help | sed -n 's/^ *\(-., \)\?--/--/p' | cut -d' ' -f1 | options; done | sort >"$dir/every"
uniq -c "$dir/every" | awk '$1 == 8 { print $2 }' >"$dir/all"
check diff "$dir/all" "$dir/common"

# The things that the examples speak of, then every example in the order of the pipe.
cp pipelines/tiny/headlines.csv "$dir/" && cd "$dir" || exit 1
mkmodel --arch phi --hidden 64 --layers 2 --heads 4 --vocab 512 --seed 1 --tokenizer "$root/pipelines/tiny" -o model/
PYTHONPATH=$root/tests PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -c 'import gguf_files as g; open("model.gguf", "wb").write(g.write(*g.model("llama", "Q8_0")))'
for t in $tools
do
	[ "$t" != predict ] || cp tuned.tar.zst adapter.tar.zst
	[ "$t" != score ] || cp before2.zst before.zst
	it "the examples of $t(1) run"
	awk '/^# EXAMPLES/ { on = 1 } /^# SEE/ { on = 0 } on && /^```$/ { code = !code; next } on && code' \
		"$root/tools/$t/$t.1.scd" >ex.sh
	[ -s ex.sh ] && bash -euo pipefail ex.sh >ex.out 2>&1
	report $? "$(tail -n 3 ex.out)"
done
finish
