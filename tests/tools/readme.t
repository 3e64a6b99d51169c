#!/bin/bash
# The README's quick start works as it stands, with its outputs in a scratch folder.
. "$(dirname "$0")/../lib.sh"
cd "$root" || exit 1
it "the quick start runs"
sed -n '/^```sh$/,/^```$/p' README.md | sed '/^```/d; /^export PATH/d' | sed "s#build/tiny#$dir/tiny#g" >"$dir/quick.sh"
[ "$(wc -l <"$dir/quick.sh")" -ge 8 ] && bash -euo pipefail "$dir/quick.sh" >"$dir/out" 2>"$dir/err"
report $? "$(tail -n 2 "$dir/err")"
it "and ends with a report"
out_has 'accuracy'
it "the table of tools names every program that is installed"
ls -d tools/*/ | xargs -n1 basename | sort >"$dir/tools"
sed -n 's/^| `\([a-z0-9-]*\)` |.*/\1/p' README.md | sort >"$dir/rows"
check diff "$dir/tools" "$dir/rows"
finish
