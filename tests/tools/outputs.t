#!/bin/sh
# What a user has stays: no output takes the place of an input, --force replaces only what the tool
# would write itself, what cannot be is refused at the start, and nothing half-done is left.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
mkdir w && cd w || exit 1

{ echo text,label; for i in 1 2 3 4 5 6 7 8; do echo "Profit $i rose,up"; echo "Loss $i grew,down"; done; } >t.csv
echo '{text} is {completion}' >template
mkmodel --hidden 32 --layers 1 --heads 2 --vocab 512 --tokenizer "$root/pipelines/tiny" -o m || exit 1
split-stratified --train .5 --test .5 t.csv -o e.zst &&
	promptify -t template e.zst -o p.zst && tokenize -m m p.zst -o t.zst &&
	predict -m m t.zst -o r.zst && quantize-nf4 m -o q/ && quantize-nf4 m -o q.tar &&
	lora-train -q -m m t.zst --max-steps 2 -o a/ || exit 1
ln -s t.zst link && ln t.zst hard && ln -s m mlink && ln -s a alink
all() { find . -type f -exec sha256sum {} + | sort; ls -A . m a q; }
all >../before

# refused WORDS COMMAND...: exit 73, one line with WORDS, all files as before
refused() {
	words=$1; shift
	timeout 20 "$@" >../out 2>../err; rc=$?
	[ $rc -eq 73 ] && [ "$(wc -l <../err)" -eq 1 ] && grep -q "$words" ../err && all | cmp -s - ../before ||
		report 1 "$*: exit $rc: $(cat ../err)$(all | diff - ../before)"
}

it "an output that is an input is refused, whatever its name"
for o in t.zst ./t.zst "$PWD/t.zst" m/../t.zst link hard
do
	refused 'input t.zst' predict -m m t.zst -o "$o" --force
	refused 't.zst' lora-train -q -m m t.zst -o "$o" --force
done
refused 'standard input' sh -c 'tokenize -m m -o p.zst --force <p.zst'
refused 'input p.zst' tokenize -m m p.zst -o p.zst
refused 'input t.csv' split-stratified --train .5 --test .5 t.csv -o t.csv --force
refused 'input template' promptify -t template e.zst -o template --force
refused 'input r.zst' score r.zst -o r.zst --force
refused 'input r.zst' peek r.zst -o r.zst --force
refused 'input q.tar' quantize-nf4 --dequantize q.tar -o q.tar --force
refused 'tokenizer.json' tokenize -m m p.zst -o m/tokenizer.json --force
refused 'input a' predict -m m -a a t.zst -o a/adapter_model.safetensors --force
refused 'standard output: is the input r.zst' sh -c 'peek r.zst >>r.zst'
report 0

it "the folder of the model is no place for the output"
for o in m/ mlink/ ./m/ "$PWD/m/"
do
	refused 'input' quantize-nf4 m -o "$o" --force
	refused "holds 'tokenizer.json'" lora-train -q -m m t.zst -o "$o" --force
done
refused 'model.safetensors' quantize-nf4 m -o m/model.safetensors --force
refused 'a: the output alink would replace this input' lora-train -q -m m t.zst --init-adapter a -o alink/ --force
refused 'a/adapter_model.safetensors' peek --tensors a/adapter_model.safetensors -o a/adapter_model.safetensors --force
report 0

it "outputs beside the first one are looked at too"
refused 'input t.zst' lora-train -q -m m t.zst --plan t.zst --force
refused 'input t.zst' lora-train -q -m m t.zst --max-steps 1 -o new/ --metrics t.zst --force
refused 'replace\|model.safetensors' quantize-nf4 m -o new/ --report m/model.safetensors --force
refused 'another output' quantize-nf4 m -o new.tar --report new.tar
refused 'another output' quantize-nf4 m -o ./new.tar --report new.tar --force
report 0

it "--force replaces a folder of the tool's own files only"
echo mine >a/notes.txt
all >../before
refused "a: holds 'notes.txt', which lora-train does not write" lora-train -q -m m t.zst --max-steps 1 -o a/ --force
rm a/notes.txt; mkdir q/sub; all >../before
refused "q: holds 'sub'" quantize-nf4 m -o q/ --force
rmdir q/sub; mkdir home; echo x >home/config.json; echo y >home/thesis.doc; all >../before
refused "home: holds 'thesis.doc'" quantize-nf4 m -o home/ --force
refused "home: holds" lora-train -q -m m t.zst -o home/ --force
refused "home: holds 'thesis.doc'" mkmodel -o home --force
for weights in mine.safetensors model-00001-of-00002.safetensors pytorch_model.bin
do
	rm -r home; mkdir home; echo x >home/config.json; echo y >home/$weights; all >../before
	refused "home: holds '$weights', which quantize-nf4 does not write" quantize-nf4 m -o home/ --force
done
rm -r home; mkdir home; echo mine >home/README.md; all >../before
refused "home: holds no 'config.json', so quantize-nf4 has not made it" quantize-nf4 m -o home/ --force
refused "home: holds no 'adapter_config.json'" lora-train -q -m m t.zst --max-steps 1 -o home/ --force
rm -r home; all >../before
refused "use --force" quantize-nf4 m -o q/
report 0
run lora-train -q -m m t.zst --max-steps 1 -o alink/ --force
ok
check test -L alink
check test -f a/adapter_model.safetensors
run quantize-nf4 m -o q/ --force
ok
mkdir empty
run quantize-nf4 m -o empty/
ok
check cmp empty/model.safetensors q/model.safetensors

it "the permissions of a folder that is replaced stay, also of an empty one"
mkdir -m 700 private
run quantize-nf4 m -o private/
ok
check test "$(stat -c %a private)" = 700
chmod 750 private
run quantize-nf4 m -o private/ --force
ok
check test "$(stat -c %a private)" = 750
rm -r private

it "what cannot be is refused at the start"
ln -s nothing nowhere
all >../before
for tool in 'predict -m m t.zst' 'lora-train -q -m m t.zst' 'split-stratified --train .5 --test .5 t.csv' 'score r.zst' \
	'peek r.zst' 'quantize-nf4 m' 'tokenize -m m p.zst'
do
	refused 'nowhere: is a link that leads to nothing' $tool -o nowhere --force
	refused 'no/such: cannot create' $tool -o no/such
done
refused 'nowhere: is a link that leads to nothing' quantize-nf4 m -o nowhere/ --force
refused 'nowhere: is a link that leads to nothing' lora-train -q -m m t.zst --max-steps 1 -o new/ --metrics nowhere
refused 'another output' lora-train -q -m m t.zst --max-steps 1 -o new.tar --metrics ./new.tar
long=$(printf 'n%.0s' $(seq 300))
refused 'cannot create: File name too long; choose' lora-train -q -m m t.zst --max-steps 1 -o new/ --plot $long.svg
refused 'cannot create: File name too long' lora-train -q -m m t.zst --max-steps 1 -o new/ --metrics $long
refused 'cannot create: File name too long' quantize-nf4 m -o $long/ --report -
refused 'the folder that you are in' sh -c 'cd q && quantize-nf4 ../m -o ./ --force'
report 0

it "a closed pipe ends a tool by SIGPIPE, in silence, and leaves nothing"
check python3 - <<'PY'
import os, signal, subprocess, sys
for tool in (["split-stratified", "--train", ".5", "--test", ".5", "t.csv"], ["promptify", "-t", "template", "e.zst"],
             ["tokenize", "-m", "m", "p.zst"], ["predict", "-m", "m", "t.zst"], ["score", "r.zst"], ["peek", "r.zst"], ["quantize-nf4", "m"],
             ["lora-train", "-q", "-m", "m", "--max-steps", "1", "t.zst"], ["peek", "--help"], ["quantize-nf4", "m", "-o", "left/", "--report", "-"]):
    for ignored in (False, True):
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(tool, stdout=writing, stderr=subprocess.PIPE, text=True, restore_signals=not ignored)
        os.close(writing)
        want = (74, 1) if ignored else (-signal.SIGPIPE, 0)
        assert (done.returncode, done.stderr.count("\n")) == want, (tool, ignored, done)
    # a closed standard error stops nothing
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*tool, "--progress", "json"] if "--help" not in tool else tool, stdout=subprocess.DEVNULL, stderr=writing)
    os.close(writing)
    assert done.returncode == 0 or "left/" in tool, (tool, done)
PY
rm -rf left
check sh -c 'all() { find . -type f | grep -c tmp; }; [ "$(ls -A | grep -c tmp)" = 0 ]'

it "only the first cause is loud"
sh_run 'head -c 200 e.zst | promptify -t template | tokenize -m m | predict -m m | score'
exit_is 66
check sh -c '! grep -v "; see the error before$" ../err'
check [ "$(wc -l <../err)" -eq 4 ]
sh_run 'promptify -t no-such t.csv | tokenize -m m'
exit_is 66
check [ "$(wc -l <../err)" -eq 2 ]
err_has 'tokenize: error: standard input: empty; see the error before'
run tokenize -m m /dev/null
err_has 'the program that should have written it has failed'

it "Ctrl-C begins a new line on a terminal"
check python3 - <<'PY'
import os, pty, signal, subprocess, time
ours, theirs = pty.openpty()
# a shell without job control starts background jobs with SIGINT ignored
process = subprocess.Popen(["lora-train", "-m", "m", "t.zst", "--num-train-epochs", "100000", "-o", "tty/"], stderr=theirs,
                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
os.close(theirs)
said = b""
while b"steps" not in said:
    said += os.read(ours, 1000)
process.send_signal(signal.SIGINT)
try:
    while more := os.read(ours, 1000):
        said += more
except OSError:         # how a pseudo-terminal ends
    pass
assert process.wait() == 75 and b"\nlora-train: error: interrupted" in said, said
assert not [name for name in os.listdir(".") if "tty" in name]
PY

it "an error begins a new line behind the progress line"
check python3 - <<'PY'
import os, pty, subprocess, time
ours, theirs = pty.openpty()
process = subprocess.Popen(["split-stratified", "--train", ".5", "--test", ".5"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=theirs)
os.close(theirs)
process.stdin.write(b"text,label\n" + b"Profit rose,up\nLoss grew,down\n" * 5000)
process.stdin.flush()
said = b""
while b" rows" not in said:
    time.sleep(0.12)
    process.stdin.write(b"Profit rose,up\n" * 5000)
    process.stdin.flush()
    os.set_blocking(ours, False)
    try:
        said += os.read(ours, 1000)
    except BlockingIOError:
        pass
process.stdin.write(b'"never closed,up\n')
process.stdin.close()
os.set_blocking(ours, True)
try:
    while more := os.read(ours, 1000):
        said += more
except OSError:
    pass
assert process.wait() == 65 and b"\nsplit-stratified: error: " in said, said
PY

it "a pipe with a name is opened for writing once"
mkfifo named
check timeout 20 sh -c 'peek --count named & peek t.zst --jsonl | peek --from-jsonl --kind tokens -o named; wait $!'

it "what a killed run left the next one sweeps, and nobody else's"
mkfifo pipe
start() { lora-train -q -m m t.zst --num-train-epochs 100000 --max-length 64 -o "$1" 2>/dev/null & pid=$!; }
temps() { ls -A | grep -c 'slmtools-[0-9]*\.tmp$'; }
until_temps() { i=0; while [ "$(temps)" -ne "$1" ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i + 1)); done; }
start k.tar; one=$pid; until_temps 1
start k.tar; two=$pid; until_temps 2
start k/; three=$pid; until_temps 3
echo mine >.k.tar.slmtools-note.tmp
kill -9 $one $three; wait $one $three 2>/dev/null
check [ "$(temps)" -eq 3 ]
run lora-train -q -m m t.zst --max-steps 1 -o k.tar
ok
check [ "$(temps)" -eq 2 ]
run lora-train -q -m m t.zst --max-steps 1 -o k/
ok
check [ "$(temps)" -eq 1 ]
kill $two; wait $two
check [ $? -eq 75 ]
check [ "$(temps)" -eq 0 ]
check grep -q mine .k.tar.slmtools-note.tmp
finish
