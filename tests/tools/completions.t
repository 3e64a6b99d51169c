#!/bin/bash
# The shells offer what the option tables have, under the names the programs are installed as.
. "$(dirname "$0")/../lib.sh"
tools="split-stratified promptify tokenize quantize-nf4 lora-train predict score peek"
make_them() { "$root/share/completions/completions" "$@"; }

offered() { # offered WORD...: what bash would offer for the last one, a blank between two
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_slmtools "$1"
	echo "${COMPREPLY[*]}"
}

make_them bash "" $tools >"$dir/slmtools.bash"
. "$dir/slmtools.bash"
for t in $tools
do
	it "bash offers each option of $t --help, no more and no fewer"
	"$t" --help | sed -n 's/^ *\(-., \)\?--/--/p' | cut -d' ' -f1 >"$dir/help"
	sed 's/--\[no-\]\(.*\)/--\1\n--no-\1/' "$dir/help" | sort -u >"$dir/want"
	offered "$t" -- | tr ' ' '\n' | sort >"$dir/out"
	check diff "$dir/want" "$dir/out"
done

it "values that can be named are offered, also behind ="
run offered predict --mode l
out_is <<<"labels loss logits"
run offered predict --normalize = le
out_is <<<"length"
run offered predict --device =
out_is <<<"auto cpu cuda ref"
it "numbers and texts are not guessed"
run offered predict --max-new-tokens 3
out_is <<<""
it "files are offered for paths and operands"
cd "$dir" || exit 1
touch one.zst
run offered score one
out_is <<<"one.zst"
run offered predict -m one
out_is <<<"one.zst"

it "a prefix of the programs' names is part of what is completed"
make_them bash slm- score >"$dir/prefixed.bash"
run bash -c '. ./prefixed.bash; complete -p slm-score; COMP_WORDS=(slm-score --jso) COMP_CWORD=1; _slmtools slm-score; echo "$COMPREPLY"'
out_is <<'END'
complete -F _slmtools slm-score
--json
END

it "zsh gets a line for each option"
make_them zsh slm- predict >"$dir/_slm"
for o in $(predict --help | sed -n 's/^ *\(-., \)\?--/--/p' | cut -d' ' -f1)
do grep -qF -e "$o" "$dir/_slm" || echo "$o"
done >"$dir/missing"
check diff "$dir/missing" /dev/null
run cat "$dir/_slm"
out_has "'--version[print the version]'"
it "and is told the programs' names"
run head -n 1 "$dir/_slm"
out_is <<<"#compdef slm-predict"
if command -v zsh >/dev/null
then
	it "zsh reads it"
	make_them zsh "" $tools >"$dir/_slm"
	check zsh -n "$dir/_slm"
fi

it "a tool that is not there is an error"
run make_them bash "" nosuchtool
[ "$rc" -ne 0 ]
report $? "exit $rc"
finish
