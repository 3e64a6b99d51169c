#!/bin/sh
# How long waiting threads look out is settled before anything is opened, unless the environment says.
. "$(dirname "$0")/../lib.sh"
unset OMP_WAIT_POLICY GOMP_SPINCOUNT

mkmodel --hidden 32 --layers 1 --heads 4 --partial-rotary-factor 0.5 --vocab 512 --tokenizer "$root/pipelines/tiny" -o "$dir/m/"
mkfifo "$dir/pipe"

said() { # said [NAME=VALUE]: what the environment of a waiting predict says of waiting
	env "$@" predict -m "$dir/m" --mode loss <"$dir/pipe" >"$dir/out" 2>"$dir/err" &
	exec 9>"$dir/pipe"
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
	do # it is the shell, and env, before it is predict
		sleep 0.3
		[ "$(cat "/proc/$!/comm")" = predict ] || continue
		tr '\0' '\n' <"/proc/$!/environ" | grep -E '^(OMP_WAIT_POLICY|GOMP_SPINCOUNT)=' >"$dir/said" && break
	done
	printf '{"id":0,"ids":[1,2,3]}\n' | peek --from-jsonl --kind tokens >&9
	exec 9>&-
	wait $!
	rc=$?
}

it "by default threads wait for microseconds, and standard input is all there"
said A=1
[ $rc -eq 0 ] && [ "$(cat "$dir/said")" = GOMP_SPINCOUNT=1000 ] && [ "$(peek --count "$dir/out")" = 1 ]
report $? "$(cat "$dir/said" "$dir/err")"
it "... but as a policy says"; said OMP_WAIT_POLICY=passive
[ $rc -eq 0 ] && [ "$(cat "$dir/said")" = OMP_WAIT_POLICY=passive ]
report $? "$(cat "$dir/said" "$dir/err")"
it "... or a number"; said GOMP_SPINCOUNT=7
[ $rc -eq 0 ] && [ "$(cat "$dir/said")" = GOMP_SPINCOUNT=7 ]
report $? "$(cat "$dir/said" "$dir/err")"

it "errors name the program as it was called"
ln -s "$(command -v predict)" "$dir/slm-predict"
run "$dir/slm-predict" --nonsense
exit_is 2
err_has "predict: "
finish
