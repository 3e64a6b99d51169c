#!/bin/sh
# Tables as they arrive: in archives, compressed, through pipes. Grammar: tests/unit/test_table.c.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
printf 'text,label\none,a\ntwo,b\nthree,a\nfour,b\n' >t.csv
printf '{text}' >t.txt
mkdir sub
cp t.csv sub/x.CSV
echo notes >sub/readme.md
texts() { promptify -t t.txt "$@" | peek --text prompt | tr '\n' ' '; }
want='one two three four '
reads() { # reads NAME COMMAND...: its texts are those of t.csv
	it "$1"; shift
	got=$("$@" 2>err)
	[ "$got" = "$want" ]; report $? "'$got' $(cat err)"
}
from_pipe() { cat "$1" | texts; }

gzip -k t.csv
zstd -q t.csv
tar cf t.tar sub t.txt
tar czf t.tgz sub t.txt
tar cf - sub t.txt | zstd -q >t.tar.zst
/usr/bin/python3 - <<'IN'
import zipfile
for name, members in {"t.zip": ["sub/readme.md", "sub/x.CSV"], "two.zip": ["t.csv", "sub/x.CSV"], "no.zip": ["t.txt"]}.items():
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as z:
        for m in members:
            z.write(m)
    with zipfile.ZipFile("mac.zip", "w") as z:
        z.write("t.csv")
        z.writestr("__MACOSX/._t.csv", b"\0\5\x16\7")
IN
for f in t.csv t.csv.gz t.csv.zst t.tar t.tgz t.tar.zst t.zip mac.zip
do
	reads "$f" texts $f
	reads "$f through a pipe" from_pipe $f
done
reads "--member out of an archive with two" texts --member t.csv two.zip
reads "JSON lines of the same" sh -c 'sed 1d t.csv | awk -F, "{ printf \"{\\\"label\\\": \\\"%s\\\", \\\"text\\\": \\\"%s\\\"}\n\", \$2, \$1 }" >t.jsonl; promptify -t t.txt t.jsonl | peek --text prompt | tr "\n" " "'

for how in 'two.zip' '- <two.zip'
do
	it "two tables: $how"
	sh_run "promptify -t t.txt -o none.zst $how"
	exit_is 65
	err_has "holds 2 tables: 't.csv', 'sub/x.CSV'; choose one with --member"
	one_line
	absent none.zst
	it "no table: $how"
	sh_run "promptify -t t.txt -o none.zst $(echo "$how" | sed s/two/no/)"
	exit_is 65
	err_has "holds no table (.csv, .tsv, .jsonl), it holds 't.txt'"
	absent none.zst
done
it "an unknown member"
run promptify -t t.txt --member z.csv two.zip -o none.zst
exit_is 66
err_has "has no member 'z.csv'"
it "--member of what is no archive"
run promptify -t t.txt --member z.csv t.csv -o none.zst
exit_is 2
for f in t.csv.gz t.csv.zst t.zip t.tgz
do
	it "$f cut short"
	head -c $(($(wc -c <$f) / 2)) $f >cut.$f
	rm -f none.zst
	run promptify -t t.txt cut.$f -o none.zst
	exit_is 65
	one_line
	absent none.zst
done
it "a flipped bit in a zip"
/usr/bin/python3 -c '
b = bytearray(open("t.zip", "rb").read())
b[b.find(b"x.CSV") + 12] ^= 1
open("flip.zip", "wb").write(b)'
run promptify -t t.txt flip.zip -o none.zst
exit_is 65
absent none.zst
it "what is no table of text"
printf 'text,label\nn\0o,a\n' >binary.csv
run promptify -t t.txt binary.csv -o none.zst
exit_is 65
err_has 'binary.csv: has zero bytes, so it is no table of text'
absent none.zst
it "--only and --limit hold for rows"
sh_run 'promptify -t t.txt --only label=a t.csv | peek --text prompt; promptify -t t.txt --limit 1 t.csv | peek --text prompt'
out_is <<'EXPECT'
one
three
one
EXPECT
it "--progress json counts the records"
run promptify --progress json -t t.txt t.csv -o p.zst
err_has '{"unit": "records", "done": 4'
it "a folder is no table"
run promptify -t t.txt sub -o none.zst
exit_is 66
it "malformed tars are refused or hold no table, and nothing crashes"
if [ -d "$shared/corpora/tar-go" ]
then
	bad=
	for f in $(find "$shared/corpora/tar-go" -type f)
	do
		timeout 20 promptify -t t.txt "$f" -o tar.zst --force 2>err
		case $? in 0 | 65 | 66) ;; *) bad="$bad $f:$?" ;; esac
		[ "$(wc -l <err)" -le 1 ] || bad="$bad $f:lines"
	done
	[ -z "$bad" ]; report $? "$bad"
else
	skip "no ../shared beside the project"
fi
it "an option for a table that says nothing about the input is a slip"
echo '{"text":"one","label":"a"}' >o.jsonl
split-stratified -q --train 1.0 t.csv -o s.zst
slips() { # slips WORDS COMMAND...
	words=$1; shift
	run "$@"
	[ "$rc" -eq 2 ] && grep -qF -e "$words" err && [ ! -s out ]; report $? "$*: exit $rc: $(cat err)"
}
for o in --text=headline --label=1 --header=yes --delimiter=, --encoding=latin-1 --member=t.csv
do
	name=${o%%=*}
	slips "s.zst: is a stream and no table; leave $name out" split-stratified --train 1.0 $o s.zst
	slips "s.zst: is a stream and no table; leave $name out" promptify -t t.txt $o s.zst
done
run promptify -t t.txt --text text --label label s.zst
[ "$rc" -eq 0 ]; report $? "a stream's fields are called text and label: $(cat err)"
slips 'standard input: is a stream' sh -c 'promptify -t t.txt --label none <s.zst'
for o in --header=no --delimiter=tab
do
	slips "o.jsonl: is neither CSV nor TSV; leave ${o%=*} out" split-stratified --train 1.0 $o o.jsonl
	slips "t.csv: is neither CSV nor TSV" promptify -t t.txt --lines $o t.csv
done
run split-stratified -q --train 1.0 --label none s.zst
ok

it "also behind a byte order mark, and where blanks are around them"
{ printf '\357\273\277text, label\na,x\n'; printf '\357\273\277text, label\nb,y\n'; } >marked.csv
run promptify -t t.txt --header yes marked.csv -o marked.zst
err_has 'marked.csv:2: is the names of the columns once more; leave the row out'
it "says where the names of the columns come once more"
cat t.csv t.csv >joined.csv
run promptify -t t.txt --header yes joined.csv -o joined.zst
ok
err_has 'joined.csv:5: is the names of the columns once more; leave the row out'
one_line
run promptify -t t.txt --header no --text 1 --label 2 joined.csv -o numbered.zst
check [ ! -s err ]

it "says what is missing where there is no libarchive, and does without for a bare table"
mkdir none
: >none/libarchive.so.13
zip -q t.zip t.csv
run env LD_LIBRARY_PATH=none split-stratified --train 0.5 -o x.zst t.zip
exit_is 69
one_line
err_has 'archives need libarchive'
absent x.zst
run env LD_LIBRARY_PATH=none split-stratified --train 0.5 -o y.zst t.csv
ok

finish
