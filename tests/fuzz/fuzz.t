#!/bin/sh
# Each target of libFuzzer for a moment: its seeds and what can be made of them. make fuzz takes longer.
. "$(dirname "$0")/../lib.sh"
[ -d "$root/build/fuzz/bin" ] || { echo "1..0 # SKIP fuzzing: clang with its runtime (libclang-rt-14-dev) is not there"; exit 0; }
ln -s "$root/build/fuzz/bin" "$dir/bin"
RUNS=1500 "$root/tests/fuzz/run" "$dir" 2 |
	awk '/^(not )?ok -/ { sub(/ok -/, "ok " ++n " -"); bad += /^not/ } { print } END { print "1.." n; exit bad > 0 || !n }'
