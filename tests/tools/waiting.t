#!/bin/sh
# How long waiting threads look out is settled before libgomp looks, unless the environment says.
. "$(dirname "$0")/../lib.sh"
unset OMP_WAIT_POLICY GOMP_SPINCOUNT

mkmodel --hidden 32 --layers 1 --heads 4 --partial-rotary-factor 0.5 --vocab 512 --tokenizer "$root/pipelines/tiny" -o "$dir/m/"
spins() { env OMP_DISPLAY_ENV=verbose "$@" predict --version 2>&1 | sed -n "s/.*GOMP_SPINCOUNT = '\(.*\)'/\1/p"; }

it "by default threads wait for microseconds"
if ldd "$(command -v predict)" | grep -qE 'lib(g?omp|iomp5)\.so'
then
	skip "OpenMP is a library of its own here, which looks before any program"
	finish
fi
[ "$(spins A=1)" = 1000 ]; report $? "$(spins A=1)"
it "... but as a policy says"
[ "$(spins OMP_WAIT_POLICY=passive)" = 0 ]; report $? "$(spins OMP_WAIT_POLICY=passive)"
it "... or a number"
[ "$(spins GOMP_SPINCOUNT=7)" = 7 ]; report $? "$(spins GOMP_SPINCOUNT=7)"

it "no program begins once more for that: options may come from a pipe"
mkfifo "$dir/pipe"
echo "--mode loss -m $dir/m" >"$dir/pipe" &
printf '{"id":0,"ids":[1,2,3]}\n' | peek --from-jsonl --kind tokens >"$dir/tokens"
run predict "@$dir/pipe" "$dir/tokens"
exit_is 0
peek --count "$dir/out" >"$dir/count" && [ "$(cat "$dir/count")" = 1 ]; report $? "$(cat "$dir/count" "$dir/err")"
finish
