#!/bin/bash
# Same inputs, options and seed give the same bytes of every product of pipelines/tiny, whatever the
# threads, the chunks that pipes deliver, the locale, the time zone and the instruction set.
# No tool opens a socket meanwhile.
. "$(dirname "$0")/../lib.sh"
pipe=$root/pipelines/tiny
real=$(dirname "$(command -v predict)")
products=$(make -s -C "$pipe" BIN="$real" OUT="$dir/x" --eval 'show: ; @echo $(PRODUCTS)' show)
# Dropout is part of it: its draws must not depend on who computes them.
train="$(make -s -C "$pipe" BIN="$real" OUT="$dir/x" --eval 'show: ; @echo $(TRAIN)' show) --lora-dropout 0.1 --resid-pdrop 0.1"

# Programs that make finds instead of the real ones: WITH stands before them, -j THREADS behind.
mkdir "$dir/bin"
for tool in split-stratified promptify tokenize quantize-nf4 lora-train predict score mkmodel
do
	printf '#!/bin/sh\nexec $WITH %s "$@" -j "$THREADS"\n' "$real/$tool" >"$dir/bin/$tool"
done
chmod +x "$dir"/bin/*

chain() { # chain OUT [VARIABLE=VALUE]...: every product in OUT, with these in the environment
	out=$dir/$1
	shift
	run env WITH= THREADS=1 "$@" make -s -C "$pipe" BIN="$dir/bin" OUT="$out" RUN= TRAIN="$train"
	[ "$rc" -ne 0 ] || sed -i 's/, "tokens_per_s": [^}]*//' "$out/metrics.jsonl"
	return "$rc"
}
all_as() { # all_as FIRST SECOND
	for f in $products metrics.jsonl
	do
		cmp "$dir/$1/$f" "$dir/$2/$f" || return 1
	done
}
like_first() { # like_first OUT [VARIABLE=VALUE]...
	chain "$@" && all_as first "$1" >"$dir/err" 2>&1
	report $? "$(cat "$dir/err")"
	rm -rf "${dir:?}/$1"
}

it "the chain runs"
chain first
report $? "$(cat "$dir/err")"
cd "$dir/first" || exit 1

it "a test that sees a changed byte"
cp -r "$dir/first" "$dir/changed"
printf '\377' | dd of="$dir/changed/after.zst" bs=1 seek=99 conv=notrunc 2>/dev/null
! all_as first changed >/dev/null 2>&1
report $? "all_as is blind"

for threads in 2 3 8
do
	it "every product is the same with $threads threads"
	like_first "threads$threads" THREADS=$threads
done

it "every product is the same in another time zone"
like_first zone TZ=Pacific/Kiritimati

# Decimal commas, other collation, and an i that does not become I. newlocale of glibc never frees what it made
# of LOCPATH, which the leak sanitizer would not forgive.
for locale in de_DE tr_TR
do
	it "every product is the same in $locale"
	if localedef -i $locale -f UTF-8 "$dir/$locale.UTF-8" 2>/dev/null || locale -a | grep -qi "^$locale.utf-\?8"
	then like_first "$locale" LC_ALL=$locale.UTF-8 LOCPATH="$dir" ASAN_OPTIONS=detect_leaks=0
	else skip "the locale is not installed"
	fi
done
it "every product is the same in the C locale"
like_first posix LC_ALL=C

it "every product is the same with AVX2 and with AVX-512"
run env SLMTOOLS_CPU=avx512 predict -q -m model.nf4.tar data.tok.zst
if [ "$rc" -ne 69 ]
then
	chain wide SLMTOOLS_CPU=avx512 && chain narrow SLMTOOLS_CPU=avx2 && all_as wide narrow >"$dir/err" 2>&1
	report $? "$(cat "$dir/err")"
else
	skip "$(cat "$dir/err")"
fi

# Passes its input on in chunks of SIZE bytes and pauses now and then, so that a reader meets short
# reads, reads that end inside a number, and an end that is late.
cat >"$dir/relay" <<'PY'
#!/usr/bin/python3
import os, sys, time
size = int(sys.argv[1])
data = sys.stdin.buffer.read()
for i in range(0, len(data), size):
    os.write(1, data[i:i + size])
    if i % (97 * size) == 0 and i < 1000 * size:
        time.sleep(0.001)
time.sleep(0.01)
PY
chmod +x "$dir/relay"
split=$(make -s -C "$pipe" BIN="$real" OUT="$dir/x" --eval 'show: ; @echo $(PARTS)' show)
for size in 1 4093
do
	relay="$dir/relay $size"
	it "streams are the same through pipes of $size bytes"
	# shellcheck disable=SC2086
	$relay <"$pipe/headlines.csv" | split-stratified $split - | $relay | promptify -t financial-sentiment | $relay |
		tokenize -m model.tar | $relay | cmp - data.tok.zst >"$dir/err" 2>&1
	report $? "$(cat "$dir/err")"
	it "predictions and reports are the same through pipes of $size bytes"
	$relay <data.tok.zst | predict -m model.nf4.tar | $relay | tee "$dir/piped.zst" | cmp - before.zst >"$dir/err" 2>&1
	report $? "$(cat "$dir/err")"
	$relay <"$dir/piped.zst" | score | $relay | cmp - before.txt >"$dir/err" 2>&1
	report $? "$(cat "$dir/err")"
done
it "adapters are the same from pipes"
# shellcheck disable=SC2086
$relay <data.tok.zst | lora-train -q $train -m model.nf4.tar | $relay | cmp - adapter.tar.zst >"$dir/err" 2>&1
report $? "$(cat "$dir/err")"
it "models are the same from pipes"
$relay <model.nf4.tar | predict -m - -a adapter.tar.zst data.tok.zst | cmp - after.zst >"$dir/err" 2>&1
report $? "$(cat "$dir/err")"

it "no tool opens a socket"
if ! command -v strace >/dev/null
then skip "strace is not installed"
elif ! strace -o /dev/null true 2>/dev/null
then skip "tracing is not allowed here"
else
	strace -f -qq -e trace=network -o "$dir/net" python3 -c 'import socket; socket.socket()'
	check grep -q 'socket(' "$dir/net"
	rm "$dir/net"
	# A leak check cannot run below strace; the other tests have it.
	chain traced WITH="strace -f -qq -A -e trace=network -o $dir/net" THREADS=2 ASAN_OPTIONS=detect_leaks=0
	report "$rc" "$(cat "$dir/err")"
	grep -v -e '+++ exited' -e '--- SIG' "$dir/net" >"$dir/calls"
	[ ! -s "$dir/calls" ]
	report $? "$(head -n 3 "$dir/calls")"
fi
finish
