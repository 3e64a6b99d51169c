#!/bin/sh
# What tests/run makes of what tests say.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
mkdir scratch
say() { # say NAME LINE...: a test that says these lines
	file=$1
	shift
	{ echo '#!/bin/sh'; printf "echo '%s'\n" "$@"; } >"$file"
	chmod +x "$file"
}
say good 1..2 'ok 1 - a' 'ok 2 - b'
say lame 1..1 '# skip: no wings here' 'not ok 1 # SKIP flight'
say bare 1..1 'ok 1 - swim # SKIP no water'
say bad 1..2 'ok 1 - a' 'not ok 2 - b'
say short 1..2 'ok 1 - a'
tests() { run env TMPDIR="$dir/scratch" "$root/tests/run" "$@"; }

it "counts what passed"
tests good
ok
out_has '2 passed, 0 failed, 0 skipped'
it "says why a test was skipped"
tests good lame bare
ok
out_has 'skip lame: not ok 1 # SKIP flight, no wings here'
out_has 'skip bare: ok 1 - swim # SKIP no water'
out_has '2 passed, 0 failed, 2 skipped'
it "fails where one fails, or says less than it planned"
tests good bad short
exit_is 1
out_has 'bad: not ok 2 - b'
out_has 'short: ran 1 of 2 planned tests'
out_has '4 passed, 2 failed, 0 skipped'
it "leaves nothing behind"
check rmdir scratch
finish
