#!/bin/sh
# Long lines and words: time that grows with the text, memory of no more than a few times its size.
. "$(dirname "$0")/../lib.sh"
odd=$root/tests/parity/tokenizer-odd.json
bytes=20000000

# Within so many seconds, and 3 times the bytes of the text in memory (and 16 MB of the tool's own).
bounded() { # bounded FILE OPTION...
	file=$1
	shift
	run timeout 60 /usr/bin/python3 -c '
import resource, subprocess, sys
rc = subprocess.run(sys.argv[2:], stdout=sys.stdout).returncode
kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
if kib << 10 > 3 * int(sys.argv[1]) + (16 << 20):
    sys.exit(f"{kib} KiB")
sys.exit(rc)' "$bytes" tokenize --lines "$@" "$file"
}
case ${BUILD-} in
*asan) echo "1..0 # SKIP memory is not what it is without the address sanitizer"; exit 0 ;;
esac

it "one word whose merges reach from end to end: a + a, aa + aa, and so on"
/usr/bin/python3 - "$odd" >"$dir/doubling.json" <<'IN'
import json, sys
file = json.load(open(sys.argv[1]))
vocab = {k: v for k, v in file["model"]["vocab"].items() if v < 256}
merges, token = [], "a"
while len(token) < 2048:
    merges.append(f"{token} {token}")
    token += token
    vocab[token] = len(vocab)
file["model"].update(vocab=vocab, merges=merges)
file["added_tokens"] = []
json.dump(file, sys.stdout)
IN
bytes=2048000
head -c $bytes /dev/zero | tr '\0' a >"$dir/word"
bounded "$dir/word" -m "$dir/doubling.json" --count
ok
it "... as its longest token, again and again"
check grep -q 'tokens	1000' "$dir/out"

bytes=20000000
it "one line of many words"
yes 'hello the world of it all' | tr '\n' ' ' | head -c $bytes >"$dir/line"
bounded "$dir/line" -m "$odd" --count
ok
it "a line whose ids have no room in a record"
yes 'aaaaaaaa bbb' | tr '\n' ' ' | head -c 60000000 >"$dir/line"
bytes=60000000
bounded "$dir/line" -m "$odd"
exit_is 65
err_has "more than 3554432 ids"
it "... and has when they are cut"
bounded "$dir/line" -m "$odd" --max-length 10 --truncation right
ok

finish
