#!/bin/sh
# --plot, and what a run shows on a terminal.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
model=$root/tests/golden/phi-tiny/nf4
head -n 40 "$root/tests/golden/phi-tiny/records.jsonl" | sed '31,40s/"split": "train"/"split": "eval"/' |
	peek --from-jsonl --kind tokens -o data -
go() { run lora-train -q -m "$model" --r 4 --gradient-accumulation-steps 4 --max-steps 6 --learning-rate 1e-2 \
	--eval-strategy steps --eval-steps 3 "$@" data; }

# Points of the loss, of evaluations and of the rate; names of the elements that there are.
cat >points.py <<'PY'
import re, sys
import xml.etree.ElementTree as E
root = E.parse(sys.argv[1]).getroot()
assert {e.tag.split("}")[1] for e in root.iter()} <= set("svg title desc style rect path text g clipPath".split())
area = [e for e in root if e.tag.endswith("}g")][0]
lines = [e for e in area if "pic-line" in e.get("class")]
print(*[len(re.findall("[ML]", e.get("d"))) for e in lines])
PY
points() { /usr/bin/python3 points.py "$1"; }

it "draws loss, evaluation loss and rate of each step, whatever the metrics are"
go -o a --plot a.svg
ok
run points a.svg
out_is <<'EXPECT'
6 2 6
EXPECT
go -o b --plot b.svg --metrics b.jsonl --logging-steps 3 -j 3
ok
check peek --diff a b
same a.svg b.svg
it "says in words what is there"
run cat a.svg
out_has '<desc>Up: loss from '
out_has 'loss: 6 values, lowest '
out_has 'evaluation loss: 2 values'
out_has '>loss (nats a token)</text>'

it "has no line for evaluations that are not made"
run lora-train -q -m "$model" --gradient-accumulation-steps 4 --max-steps 6 --eval-strategy no -o c --plot c.svg data
ok
run points c.svg
out_is <<'EXPECT'
6 6
EXPECT

it "of a run that was stopped there is none, of the resumed one it shows all"
stops() { # the signal comes as soon as the first checkpoint is there, which is before the first step
	rm -rf stop stop.svg run
	lora-train -q -m "$model" --r 4 --gradient-accumulation-steps 4 --max-steps 6 --learning-rate 1e-2 \
		--eval-strategy steps --eval-steps 3 -o stop --plot stop.svg --checkpoint run --save-steps 1 data 2>err & pid=$!
	while ! [ -e run ] && kill -0 $pid 2>kill.err; do :; done
	kill -TERM $pid
	wait $pid
	rc=$?
}
for _ in 1 2 3 4 5 # a busy machine may be late
do
	stops
	[ "$rc" -ne 75 ] || break
done
exit_is 75
absent stop.svg
go -o stop --plot stop.svg --checkpoint run --save-steps 1 --resume
ok
same a.svg stop.svg
check sh -c '[ "$(echo stop*)" = "stop stop.svg" ]'

it "is left as it is when the run is finished, and made when it was not there"
go -o stop --plot stop.svg --checkpoint run --resume
ok
same a.svg stop.svg
rm stop.svg
go -o stop --plot stop.svg --checkpoint run --resume
ok
same a.svg stop.svg

it "is not replaced without --force"
echo mine >e.svg
cp e.svg mine
go -o e --plot e.svg
exit_is 73
one_line
err_has "e.svg: is there already; use --force"
absent e
go -o e --plot e.svg --resume --checkpoint fresh
exit_is 73
err_has "e.svg: is there already; use --force"
absent e
same e.svg mine
go -o e --plot e.svg --force
ok
same a.svg e.svg

it "is not there when the run fails"
go -o f --plot f.svg --learning-rate 1e37 --max-grad-norm 0
exit_is 70
absent f
absent f.svg

it "may go to standard output"
sh_run "lora-train -q -m $model --r 4 --gradient-accumulation-steps 4 --max-steps 6 --learning-rate 1e-2 --eval-strategy steps --eval-steps 3 -o g --plot - data"
ok
same out a.svg

for options in '--plan p --plot x.svg' '--plot same -o same' '--plot -' '--plot same --metrics same -o x' \
	'--plot same --checkpoint same -o x' '--plot x.png -o x'
do
	it "refuses $options"
	run lora-train -m "$model" data $options
	exit_is 2
	one_line
done
it "refuses to draw over the records"
go -o x --plot data --force
exit_is 73
err_has data

it "halves the points of a long run, and no more"
head -n 2 "$root/tests/golden/phi-tiny/records.jsonl" | peek --from-jsonl --kind tokens -o two -
run lora-train -q -m "$model" --r 1 --gradient-accumulation-steps 1 --max-steps 1030 --max-length 4 \
	--target-modules q_proj --eval-strategy no -o long --plot long.svg two
ok
check sh -c 'grep -q "loss: 515 values" long.svg'

# ---- on a terminal ----

# on COLUMNS NAME=VALUE... -- OPTION...: a short run there
on() {
	columns=$1 settings=
	shift
	while [ "$1" != -- ]; do settings="$settings $1"; shift; done
	shift
	run env -u NO_COLOR -u LC_ALL -u LC_CTYPE -u COLUMNS PYTHONCOERCECLOCALE=0 $settings /usr/bin/python3 "$root/tests/terminal.py" \
		"$columns" lora-train -m "$model" --r 4 --gradient-accumulation-steps 4 --max-steps 6 --force -o t.tar.zst "$@" data
}
# fits COLUMNS: no line that is drawn is wider; the last word of a run is a line of its own
cat >fits.py <<'PY'
import re, sys
for line in open("out", encoding="utf-8"):
    line = re.sub("<cr>|\033\\[K", "", line.rstrip("\n"))
    assert len(line) < int(sys.argv[1]) or line.startswith("lora-train: 6 steps"), line
PY
fits() { check /usr/bin/python3 fits.py "$1"; }

it "a terminal gets a line with rate, time left and loss, and a curve"
on 80 TERM=xterm LANG=C.UTF-8 --
ok
check grep -qE '^<cr>lora-train: [0-9] of 6 steps, [0-9.]+/s, ([0-9:]+ left, )?loss [0-9.]+' out
check grep -qE '^   loss$' out
out_has '│'
fits 80

it "one of 40 columns gets what fits"
on 40 TERM=xterm LANG=C.UTF-8 --
ok
out_has '<cr>lora-train: 6 of 6 steps, loss '
out_has '│'
fits 40

it "stars where the locale is not UTF-8; there are no colours"
on 60 TERM=xterm LANG=C NO_COLOR=1 --
ok
out_has '|*'
check /usr/bin/python3 -c 'import re; text = re.sub(rb"\033\[K", b"", open("out", "rb").read()); assert re.fullmatch(rb"[ -~\n]*", text), text'
fits 60

for setting in TERM=dumb TERM=
do
	it "$setting: one line at the end, nothing else"
	on 80 $setting LANG=C.UTF-8 --
	ok
	check [ "$(grep -c . out)" = 1 ]
	out_has 'lora-train: 6 steps, '
done

it "-q: nothing"
on 80 TERM=xterm LANG=C.UTF-8 -- -q
ok
check [ ! -s out ]

it "a pipe: one line"
run env TERM=xterm lora-train -m "$model" --max-steps 2 --force -o t.tar.zst data
ok
check [ "$(wc -l <err)" = 1 ]
finish
