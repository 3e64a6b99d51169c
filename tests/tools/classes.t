#!/bin/bash
# Archives that have no table but a file of lines for each label.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
rows() { peek --tsv label,text "$1" | sort; }     # what split-stratified made
pack() { # pack ARCHIVE FILE...
	case $1 in
	*.zip) python3 -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    for f in sys.argv[2:]: z.write(f)' "$@" ;;
	*) tar caf "$@" ;;
	esac
}

mkdir p
printf 'bad "film\nworse, much\n\n  \nworst\n' >p/rt-polarity.neg
printf '\xef\xbb\xbfgood\r\nbetter\tstill' >p/rt-polarity.pos
echo 'what it is' >p/README.txt
cat >want <<'W'
label	text
neg	"bad ""film"
neg	worse, much
neg	worst
pos	"better	still"
pos	good
W
for form in zip tar.gz tar
do
	pack p.$form p/README.txt p/rt-polarity.neg p/rt-polarity.pos
	it "each line is a text, and what is its file's alone the label: $form"
	run split-stratified --train 1.0 p.$form -o $form.zst
	ok
	one_line
	err_has "p.$form: has no table; a line of these files is taken for a text, their names for the label: 'p/rt-polarity.neg' is neg, 'p/rt-polarity.pos' is pos; say --member 'PATTERN'"
	rows $form.zst >got
	same got want
done
it "a pattern says so, and then nothing is guessed"
run split-stratified --train 1.0 --member '*polarity.*' p.zip -o pattern.zst
ok
same err /dev/null
rows pattern.zst >got
same got want
it "ids are the places of the texts"
run peek --tsv id zip.zst
check [ "$(sed 1d out | sort -n | xargs)" = "0 1 2 3 4" ]
it "promptify reads them too"
printf '{text}' >template
sh_run 'promptify -q -t template p.zip | peek --jsonl'
out_has '"prompt": "better\tstill", "completion": " pos"'
it "the stream names the digest of the archive"
run peek --chain zip.zst
out_has "$(sha256sum <p.zip | cut -d' ' -f1)"

mkdir s && printf 'x one\nx two\n' >s/plot.tok.gt9.5000 && printf 'y\n' >s/quote.tok.gt9.5000
pack s.zip s/plot.tok.gt9.5000 s/quote.tok.gt9.5000
it "what the names end with alike is no part of the label"
sh_run 'split-stratified -q --train 1.0 s.zip | peek --tsv label,text | sort'
out_is <<<$'label\ttext\nplot\tx one\nplot\tx two\nquote\ty'
it "whole words only: arts and sports, also with a folder in a pattern"
mkdir -p t/a t/b && echo 1 >t/a/arts.txt && echo 2 >t/b/sports.txt
pack t.tar t
sh_run "split-stratified --member 't/*/*' --train 1.0 t.tar | peek --tsv label,text | sort"
out_is <<<$'a/arts\t1\nb/sports\t2\nlabel\ttext'

# refused MESSAGE COMMAND...: one line, nothing written
refused() {
	it "refused: ${*:2}"
	run "${@:2}" -o no.zst
	check [ "$rc" -ne 0 ] 
	one_line
	err_has "$1"
	absent no.zst
}
refused "holds no table (.csv, .tsv, .jsonl), it holds 't/" split-stratified t.tar
mkdir u && echo a >u/train.txt && echo b >u/test.txt && pack u.zip u/train.txt u/test.txt
refused "holds no table" split-stratified u.zip
mkdir v && echo '<a/>' >v/a.xml && echo '<b/>' >v/b.xml && echo x >v/README && pack v.zip v/a.xml v/b.xml v/README
refused "holds no table" split-stratified v.zip
refused "holds no table" promptify --lines -t template p.zip
refused "has no member '*.txt.gz'" split-stratified --member '*.txt.gz' p.zip
printf 'text,label\na,b\n' >p/table.csv && pack w.zip p/rt-polarity.neg p/table.csv
refused "holds 2 tables: 'p/rt-polarity.neg', 'p/table.csv'; choose one with --member" split-stratified --member '*' w.zip
printf 'good\n\xff\xfe\n' >p/rt-polarity.pos && pack x.zip p/rt-polarity.neg p/rt-polarity.pos
refused "x.zip/p/rt-polarity.pos:2: byte 0xFF is not valid UTF-8; say --encoding" split-stratified -q x.zip
printf 'good\0\n' >p/rt-polarity.pos && pack y.zip p/rt-polarity.neg p/rt-polarity.pos
refused "y.zip/p/rt-polarity.pos:1: line has a zero byte" split-stratified -q y.zip
head -c $(($(stat -c %s p.tar.gz) - 20)) p.tar.gz >cut.tar.gz
refused "cut.tar.gz" split-stratified -q cut.tar.gz
it "one file that fits a pattern is a table"
run split-stratified --member '*.csv' w.zip -o csv.zst
ok
it "classes of another encoding"
printf 'gut\nsch\xf6n\n' >p/rt-polarity.pos && pack z.zip p/rt-polarity.neg p/rt-polarity.pos
sh_run 'split-stratified -q --encoding latin-1 --train 1.0 z.zip | peek --text text'
out_has schön
it "a pipe cannot be looked through first"
sh_run 'split-stratified <&0 -o no.zst < p.zip; cat p.zip | split-stratified -o no.zst'
check [ "$rc" -eq 65 ]
it "no line at all"
: >p/rt-polarity.neg; : >p/rt-polarity.pos; pack e.zip p/rt-polarity.neg p/rt-polarity.pos
refused "has no rows to divide" split-stratified -q e.zip

# ---- a TSV whose quotation marks are characters, which the first rows do not show ----
it "marks inside a field are characters for the whole table"
{ for i in {1..300}; do printf 'ham\tis it "%s" now?"\n' $i; done; printf 'ham\t"Keep-in-touch" gdeve..\nspam\t"a" "b"\n'; } >sms
sh_run 'split-stratified --train 1.0 sms | peek --jsonl'
ok
out_has '"text": "\"Keep-in-touch\" gdeve.."'
it "and so they are where marks do not fit behind the first 256 rows"
{ for i in {1..300}; do printf 'ham\tis it %s now?\n' $i; done; printf 'ham\t"Keep-in-touch" gdeve..\nspam\tx\n'; } >sms
sh_run 'split-stratified --train 1.0 sms | peek --jsonl'
ok
out_has '"text": "\"Keep-in-touch\" gdeve.."'
it "marks around fields are marks"
{ for i in {1..300}; do printf 'ham\t"is it ""%s""\tnow?"\n' $i; done; printf 'spam\t"last\nline"\n'; } >sms
sh_run 'split-stratified --train 1.0 sms | peek --jsonl'
ok
out_has '"text": "is it \"300\"\tnow?"'
out_has '"text": "last\nline"'
if [ -e "$shared/data/labelled/sms_spam/SMSSpamCollection" ]
then
	it "the public ones"
	for f in sms_spam/SMSSpamCollection:5574 subjectivity.zip:10000 sentence_polarity.zip:10662
	do
		sh_run "split-stratified -q --train 1.0 '$shared/data/labelled/${f%:*}' | peek --count"
		out_is <<<"${f#*:}"
	done
fi
finish
