# tests/lib.sh - sourced by tests/*/*.t. One scratch folder a test, removed at the end.
# $dir the scratch folder; $root the project; $shared the corpora and golden results beside it.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
shared=${SHARED:-$root/../shared}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
n=0 bad=0 name=

report() { # report 0|1 DETAIL
	n=$((n + 1))
	if [ "$1" -eq 0 ]
	then echo "ok $n - $name"
	else echo "not ok $n - $name: $2" | tr '\n' ' '; echo; bad=1
	fi
}
golden() { # golden PART: its path beside the project, else in tests/golden; fails when neither has it
	for place in "$shared/golden" "$root/tests/golden"
	do [ -e "$place/$1" ] && { echo "$place/$1"; return; }
	done
	return 1
}
it()      { name=$1; }
skip()    { n=$((n + 1)); echo "ok $n - $name # SKIP $1"; }
run()     { "$@" >"$dir/out" 2>"$dir/err"; rc=$?; }
sh_run()  { sh -c "$1" >"$dir/out" 2>"$dir/err"; rc=$?; }      # a pipeline
ok()      { [ "$rc" -eq 0 ]; report $? "exit $rc: $(cat "$dir/err")"; }
out_is()  { cat >"$dir/want"; diff -u "$dir/want" "$dir/out" >"$dir/diff"; report $? "output differs: $(cat "$dir/diff")"; }
out_has() { grep -qF -e "$1" "$dir/out"; report $? "output was: $(head -c 400 "$dir/out")"; }
exit_is() { [ "$rc" -eq "$1" ]; report $? "exit $rc, wanted $1: $(cat "$dir/err")"; }
err_has() { grep -qF -e "$1" "$dir/err"; report $? "stderr was: $(cat "$dir/err")"; }
one_line(){ [ "$(wc -l <"$dir/err")" -eq 1 ]; report $? "stderr was: $(cat "$dir/err")"; }
refuses() { # refuses TOOL EXIT TEXT ARGUMENT...: one line that has TEXT, and no output
	it "refused: $3"
	tool=$1 code=$2 text=$3
	shift 3
	run "$tool" "$@"
	[ "$rc" -eq "$code" ] && grep -qF -e "$text" "$dir/err" && [ "$(wc -l <"$dir/err")" -eq 1 ] && [ ! -s "$dir/out" ]
	report $? "exit $rc, stderr: $(cat "$dir/err")"
}
absent()  { [ ! -e "$1" ]; report $? "$1 is there"; }
same()    { cmp -s "$1" "$2"; report $? "$1 and $2 differ"; }
check()   { "$@" >"$dir/chk" 2>&1; report $? "$(tail -n 5 "$dir/chk")"; }
finish()  { echo "1..$n"; exit $bad; }
