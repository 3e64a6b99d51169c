#!/bin/sh
# The stream format as a stranger sees it: read and written by tests/streams.py, which knows
# share/doc/stream-format.md, python3-cbor2 and python3-zstandard only.
. "$(dirname "$0")/../lib.sh"
python="$root/tests/streams.py"
cat >"$dir/in.jsonl" <<'IN'
{"text": "Profit rose \"sharply\"", "label": "positive", "scores": [0.1, 0.7, 0.2]}
{"text": "Täglich 𝄞", "label": "negative", "ids": [1, 2, 70000], "loss": 1.5, "other": {"b": [1, -2.5, null], "aa": true}}
{"id": 17, "text": "", "label": "neutral", "ids": [], "big": 1e300, "n_prompt": 0, "neg": -5}
IN

it "writes what an independent program reads"
run peek --from-jsonl "$dir/in.jsonl" -o "$dir/ours.zst"
ok
check sh -c "'$python' read <'$dir/ours.zst' >'$dir/read.jsonl'"
peek "$dir/ours.zst" >"$dir/peek.jsonl"
check python3 - "$dir/read.jsonl" "$dir/peek.jsonl" <<'PY'
import json, struct, sys
theirs, ours = ([json.loads(l) for l in open(f)] for f in sys.argv[1:])
head, *theirs, end = theirs
assert head["kind"] == "examples" and head["labels"] == ["negative", "neutral", "positive"], head
assert head["chain"] == [{"tool": "peek", "options": ["from-jsonl"], "version": head["chain"][0]["version"]}], head
assert end["records"] == 3 and end["inputs"][0]["what"] == "jsonl", end
f32 = lambda r: [struct.pack("<f", x) for x in r.pop("scores", [])]
for a, b in zip(theirs, ours, strict=True):
    assert f32(a) == f32(b) and a == b, (a, b)
PY

it "reads what an independent program writes"
"$python" write <"$dir/read.jsonl" >"$dir/theirs.zst" 2>"$dir/err"
run peek --verify "$dir/theirs.zst"
ok
run peek --diff "$dir/ours.zst" "$dir/theirs.zst"
ok

it "writes their records again in our order, values untouched, and joins the chain"
sh_run "peek '$dir/theirs.zst' | peek --from-jsonl --labels negative,neutral,positive | '$python' read | sed 1d"
ok
run peek --chain "$dir/ours.zst"
out_has "peek 0.1.0 from-jsonl"
out_has "input jsonl $(sha256sum <"$dir/in.jsonl" | cut -d' ' -f1)"

it "gives the same bytes for any locale, time zone, thread count, order of options and chunking"
for how in "env LC_ALL=de_DE.UTF-8 TZ=Asia/Tokyo" "env LC_ALL=C" ; do
	$how peek -j 3 --from-jsonl "$dir/in.jsonl" >"$dir/again.zst"
	same "$dir/ours.zst" "$dir/again.zst"
done
peek --limit 9 --kind examples --seed 7 --from-jsonl "$dir/in.jsonl" >"$dir/a.zst"
peek --from-jsonl --seed=7 --limit=9 --kind=examples -j8 -q "$dir/in.jsonl" >"$dir/b.zst"
same "$dir/a.zst" "$dir/b.zst"
sh_run "(head -c 7 '$dir/in.jsonl'; sleep 0.05; tail -c +8 '$dir/in.jsonl') | peek --from-jsonl | cmp - '$dir/ours.zst'"
ok
sh_run "dd if='$dir/ours.zst' bs=1 2>/dev/null | peek | cmp - '$dir/peek.jsonl'"
ok

it "is a zstd file for everyone, with the digest of its content in who reads it"
if command -v zstd >/dev/null
then
	run zstd -tq "$dir/ours.zst"
	ok
	sh_run "zstd -dc '$dir/ours.zst' | head -c 3 | od -An -tx1"
	out_is <<-'OUT'
	 d9 d9 f7
	OUT
	sh_run "zstd -dc '$dir/ours.zst' | zstd -19 | peek --diff '$dir/ours.zst'"
	ok
	# its first block is larger than what tells most files apart
	awk 'BEGIN { srand(1); for (i = 0; i < 3000; i++) printf "{\"label\": \"positive\", \"text\": \"%x %x %x\"}\n", rand() * 2 ^ 31, rand() * 2 ^ 31, rand() * 2 ^ 31 }' |
		peek --from-jsonl | zstd -dc | zstd -q >"$dir/large.zst"
	run promptify -t financial-sentiment "$dir/large.zst" -o "$dir/p.zst"
	ok
	sh_run "cat '$dir/large.zst' | promptify -t financial-sentiment | cmp - '$dir/p.zst'"
	ok
	# chunks that a thread compresses behind the tool: the same bytes without it, and its errors are met
	run promptify -j 1 -t financial-sentiment "$dir/large.zst" -o "$dir/alone.zst"
	same "$dir/p.zst" "$dir/alone.zst"
	run promptify -j 2 -t financial-sentiment "$dir/large.zst" -o /dev/full
	exit_is 74
	one_line
else
	for i in 1 2 3; do skip "zstd is not installed"; done
	skip "zstd is not installed"
	skip "zstd is not installed"
	skip "zstd is not installed"
	skip "zstd is not installed"
fi

it "is what the specification shows as an example"
sed -n "/^echo .* | peek/s/ > one.zst//p" "$root/share/doc/stream-format.md" >"$dir/example.sh"
sh_run "sh '$dir/example.sh' | '$python' read"
sed -n '/hexadecimal:$/,$p' "$root/share/doc/stream-format.md" | grep '^{' >"$dir/expect"
out_is <"$dir/expect"

it "is found broken wherever it is cut, also in a pipe"
size=$(wc -c <"$dir/ours.zst")
for cut in 1 3 20 $((size / 2)) $((size - 41)) $((size - 40)) $((size - 1))
do
	sh_run "head -c $cut '$dir/ours.zst' | peek --count -o '$dir/none'"
	exit_is 65
	one_line
	absent "$dir/none"
done
sh_run "peek --from-jsonl </dev/null | head -c 0 | peek --count"
exit_is 66
err_has "standard input: empty; see the error before"
finish
