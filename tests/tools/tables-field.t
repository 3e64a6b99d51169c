#!/bin/sh
# Tables as people have them, after public reports about other tools: the same eight records out of each, or
# one clear refusal. Random ones: csv-dialects.t.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
printf '{text} is {completion}' >t
rows() { # rows BETWEEN END [HEAD]: eight rows, text and label
	[ $# -lt 3 ] || printf "$3$2"
	for row in 'Profit rose' 'Profit fell' 'Sales grew' 'Sales shrank' 'Orders up' 'Orders down' 'Margin better' 'Margin worse'
	do
		case $row in *rose | *grew | *up | *better) label=positive ;; *) label=negative ;; esac
		printf "%s$1%s$2" "$row" "$label"
	done
}
rows '\t' '\n' >rows.tsv
read_as() { # read_as FILE OPTION...: rows by id, what split-stratified makes of them, in the form of rows.tsv
	split-stratified --train .5 --test .5 "$@" | peek --tsv id,text,label | sed 1d | sort -n | cut -f 2-
}
is_read() { # is_read FILE OPTION...: and nothing is said
	it "$*"
	read_as "$@" >got 2>err
	cmp -s rows.tsv got && [ ! -s err ]
	report $? "$(diff rows.tsv got | head -n 3) $(cat err)"
}
refused() { # refused WORDS TOOL...: 65, one line that has WORDS, nothing written
	it "$*"
	words=$1; shift
	run "$@" -o none.zst
	exit_is 65
	grep -v ': warning: ' err >errors
	[ "$(wc -l <errors)" -eq 1 ] && grep -qF -e "$words" errors; report $? "$(cat err)"
	absent none.zst
}
split() { split-stratified --train .5 --test .5 "$@"; }
prompts() { promptify -t t "$@"; }

# ---- headers ----
for names in text,label utterance,emotion sentence,Sentiment 'Comment (raw),Is it good?' '" text "," label"' v1,v2
do
	rows , '\n' "$(echo "$names" | sed 's/%/%%/g')" >h.csv
	case $names in
	Comment*)
		it "$names: at least a warning"
		read_as h.csv >got 2>err
		grep -qF 'say --header yes if it names the columns, else --header no' err; report $? "$(cat err)" ;;
	*) is_read h.csv ;;
	esac
	is_read h.csv --header yes --text 1 --label 2
done
it "labels are numbers, and so is the header told from them"
rows , '\n' comment_text,toxic | sed 's/positive/1/; s/negative/0/' >n.csv
sed 's/positive/1/; s/negative/0/' rows.tsv >want.n
read_as n.csv >got 2>err
cmp -s want.n got && [ ! -s err ]; report $? "$(cat got err)"
it "a first row whose label no other has is never a class in silence"
rows , '\n' 'How was it today?,How did it feel?' >odd.csv
read_as odd.csv >got 2>err
grep -qF 'say --header yes if it names the columns, else --header no' err; report $? "$(cat err)"
it "nor is a first row of names that are classes"
{ echo news,sport; rows , '\n'; echo Cup won,sport; } >class.csv
read_as class.csv >got 2>err
grep -qF 'else --header no' err; report $? "$(cat err)"
rows , ,,,'\n' v1,v2 >empty.csv
is_read empty.csv
is_read empty.csv --header yes
rows , '\n' text,label | awk '{ print (NR > 1 ? NR - 2 : "") "," $0 }' >index.csv
is_read index.csv
is_read index.csv --text 2 --label 3
rows , '\n' speech,mood | awk '{ print (NR > 1 ? NR - 2 : "Unnamed: 0") "," $0 }' >unnamed.csv
is_read unnamed.csv --header yes
is_read unnamed.csv --text 2 --label 3 --header yes
it "columns keep their names as fields; without a name they have their number"
printf 'title,body,label,,,note,note\na,b,x,,5,p,q\nc,d,y,,,r,s\n' >many.csv
printf '{title} {body} {6}' >fields
run promptify -t fields --text body many.csv -o many.zst
run peek --text prompt many.zst
printf 'a b p\nc d r\n' >expect; out_is <expect
run peek --jsonl --head 1 many.zst
out_has '{"5": "5", "6": "p", "7": "q", "id": 0, "body": "b", "text": "b", "label": "x", "title": "a", "prompt": "a b p"'
it "a column that has no name, or one that is taken, never takes that of another column"
printf ',0,1,2,id,8,text,label\n77,zero,one,two,ID,eight,a,x\n78,zero,one,two,ID,eight,b,y\n' >numbers.csv
sh_run 'promptify -q -t t numbers.csv | peek --head 1 --tsv 1_,0,1,2,5,8,text,label | tail -n 1; split-stratified -q --text 1 --label label numbers.csv | peek --head 1 --text text'
printf '77\tzero\tone\ttwo\tID\teight\ta\tx\none\n' >expect; out_is <expect
it "nor in JSON lines, where one may come later"
printf '{"text":"a","3":"three"}\n{"text":"b","3":"three","id":"ID"}\n{"text":"c","4":"four","id":"ID"}\n' >numbers.jsonl
sh_run 'promptify -q --label none -t t numbers.jsonl | peek --tsv text,3,3_,4'
printf 'text\t3\t3_\t4\na\tthree\t\t\nb\tthree\tID\t\nc\t\tID\tfour\n' >expect; out_is <expect
it "a key without a name, as a table with an index turned into JSON has, is a column without one"
printf '{"":"0","text":"a","label":"x"}\n{"":"","text":"b","label":"y"}\n' >index.jsonl
sh_run 'promptify -t t index.jsonl | peek --jsonl | cut -d , -f 1-3'
printf '{"1": "0", "id": 0, "text": "a"\n{"id": 1, "text": "b", "label": "y"\n' >expect; out_is <expect
it "a column called pred is nothing that predict says"
printf 'text,label,pred\na,x,x\nb,y,y\n' >pred.csv
run promptify -t t pred.csv -o pred.zst
err_has "its column 'pred' becomes field '3'; records have another use for it"
run peek --tsv id,3,pred pred.zst
printf 'id\t3\tpred\n0\tx\t\n1\ty\t\n' >expect; out_is <expect
it "a key that is empty is a column without a name"
printf '{"":"x","text":"a","1":"one"}\n{"text":"b","":"y"}\n{"text":"c","":""}\n' >nameless.jsonl
sh_run 'promptify -q --label none -t t nameless.jsonl | peek --tsv text,1_,1; split-stratified -q --label none --train 1.0 nameless.jsonl | peek --count'
printf 'text\t1_\t1\na\tx\tone\nb\ty\t\nc\t\t\n3\n' >expect; out_is <expect
refused "column 'note' is there twice; choose one by its number, 6 or 7" prompts --text note many.csv
it "an unknown field: says which there are"
printf '{titel}' >typo
run promptify -t typo --text body many.csv -o none.zst
err_has 'title'
exit_is 65
it "no labels"
printf 'text,x\na,1\nb,2\nc,3\nd,4\n' >bare.csv
sh_run 'split-stratified --label none --train .5 --test .5 bare.csv | peek --jsonl | grep -c "\"label\""; split-stratified --label none --train .5 --test .5 bare.csv | peek --count; promptify --label none -t t bare.csv | peek --text prompt | head -n 1'
printf '0\n4\na is\n' >expect; out_is <expect
it "--label none leaves no --labels"
run split-stratified --label none --labels a,b bare.csv -o none.zst
exit_is 2

# ---- delimiters ----
for d in ';' '|' '\t'
do
	rows "$d" '\n' "text${d}label" >d.csv
	is_read d.csv
	it "and its label is in no prompt: $d"
	sh_run 'promptify -t t d.csv | peek --text prompt | head -n 1'
	echo 'Profit rose is' >expect; out_is <expect
	{ rows "$d" '\n'; } >bare.d.csv
	is_read bare.d.csv
done
rows '@' '\n' 'text@label' >at.csv
is_read at.csv --delimiter @
refused 'name the --delimiter' split at.csv
refused 'name the --delimiter, say --lines' prompts at.csv
is_read d.csv --delimiter tab
is_read d.csv --delimiter '\t'
it "a delimiter is one character"
run split-stratified --delimiter ';;' d.csv -o none.zst
exit_is 2
for d in ';' ,
do
	rows "$d" '\r\n' "sep=$d\r\ntext${d}label" >sep.csv
	is_read sep.csv
done
it "two characters divide the rows: which one was taken is said"
printf 'a;b,x\nc;d,y\n' >tie.txt
run promptify -t t tie.txt -o tie.zst
err_has "is taken for what divides the columns, and another would do; name it with --delimiter"
printf 'It rose, they said.\nNothing else happened\nSales, profit, orders\n' >plain.txt
refused 'say --lines' prompts plain.txt
printf 'It rose\nNothing else happened today\n' >plain.txt
refused 'say --lines' prompts plain.txt
it "lines of plain text, however they end"
sh_run 'printf "one\rtwo\r\nthree\r\r\nfour, \"x\"\n" | promptify --lines -t t | peek --text text'
printf 'one\ntwo\nthree\nfour, "x"\n' >expect; out_is <expect

# ---- line ends ----
for end in '\r\n' '\r' '\r\r\n'
do
	rows , "$end" text,label >e.csv
	is_read e.csv
	/usr/bin/python3 -c 'import csv, sys
rows = [r.rstrip("\n").split("\t") for r in open("rows.tsv")]
csv.writer(open("q.csv", "w", newline=""), quoting=csv.QUOTE_ALL, lineterminator=sys.argv[1].encode().decode("unicode_escape")).writerows([["text", "label"]] + rows)' "$end"
	is_read q.csv
done
it "a carriage return stays inside quotation marks"
printf 'text,label\n"a\rb",x\n"c\r\nd",y\ne,x\nf,y\n' >cr.csv
sh_run 'promptify -t t cr.csv | peek --jsonl | grep -c "a.rb\|c.r.nd"'
echo 2 >expect; out_is <expect
it "and outside it is said"
printf 'text,label\na\rb,x\nc,y\n' >cr.csv
refused 'row has 1 field where 2 are expected' prompts cr.csv

# ---- quotation marks ----
printf 'text, label\n' >blank.csv
sed 's/^\(.*\)\t\(.*\)$/"\1", "\2"/' rows.tsv >>blank.csv
is_read blank.csv
it "TSV with quotation marks"
printf 'text\tlabel\n"He said ""hi"" today"\ta\nplain\tb\nback\\slash n\\n\ta\n"two\nlines"\tb\n' >v.tsv
sh_run 'promptify -t t v.tsv | peek --jsonl | cut -d, -f 2'
out_is <<'EXPECT'
 "text": "He said \"hi\" today"
 "text": "plain"
 "text": "back\\slash n\\n"
 "text": "two\nlines"
EXPECT
it "TSV with quotation marks that are none"
printf 'ham\t"Go, he said\nspam\tWin "now"\nham\t"Stop" it\nspam\tx\n' >raw.tsv
sh_run 'promptify -t t raw.tsv | peek --text text'
printf '"Go, he said\nWin "now"\n"Stop" it\nx\n' >expect; out_is <expect
printf 'text,label\na,x\nb,"y\nc,x\n' >open.csv
refused "open.csv:2: quotation mark before 'y' in field 2 is not closed" prompts open.csv
open_for_long() { { printf 'text,label\n"thirty bytes are in this line,x\n'; yes 'c,y' | head -c 160m; } | prompts "$@"; }
refused "1: quotation mark before 'thirty bytes are in this line,' in field 1 is not closed within" open_for_long
it "backslashes of other dialects are kept, and said"
printf 'text,label\nhe said \\"no\\",x\nand left,y\n' >esc.csv
run promptify -t t esc.csv -o esc.zst
err_has 'esc.csv:1: a backslash is before'

# ---- encodings ----
{ printf '\357\273\277'; rows , '\n' text,label; } >bom.csv
is_read bom.csv
refused 'begins with the byte order mark of UTF-8' split --encoding latin-1 bom.csv
for how in utf-16 utf-16-le utf-32
do
	rows , '\n' text,label | /usr/bin/python3 -c "import sys; sys.stdout.buffer.write(sys.stdin.read().encode('$how'))" >u16.csv
	refused 'u16.csv' split u16.csv
done
{ rows , '\n' text,label; printf 'a\0b,positive\n'; } >nul.csv
refused 'zero byte' split nul.csv
{ printf '<!DOCTYPE html><html><body>Sign in</body></html>\n'; } >page.csv
refused 'page.csv' prompts page.csv
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n' >lfs.csv
refused 'lfs.csv' prompts lfs.csv

# ---- JSON ----
awk 'BEGIN { FS = "\t"; print "[" } { printf "%s {\"text\": \"%s\",\n  \"label\": \"%s\"}", (NR > 1 ? ",\n" : ""), $1, $2 } END { print "\n]" }' rows.tsv >array.json
is_read array.json
tr -d '\n' <array.json >line.json
is_read line.json
cp array.json as.csv
is_read as.csv
printf '\357\273\277' | cat - line.json >bom.json
is_read bom.json
it "an array of 20 MB, in the memory of a file of lines"
awk 'BEGIN { for (i = 0; i < 60000; i++) printf "%s{\"text\": \"%0300d\", \"label\": \"y\"}", i ? "," : "[", i; print "]" }' >big.json
/usr/bin/python3 -c '
import resource, subprocess
subprocess.run(["promptify", "-t", "t", "big.json", "-o", "big.zst"], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)' >out 2>err
case ${BUILD-} in
*asan*) skip "the sanitizers keep memory of their own" ;;
*) [ "$(cat out)" -lt 24000 ]; report $? "$(cat out err)" ;;
esac
it "and no row of it is lost"
run peek --count big.zst
echo 60000 >expect; out_is <expect
rm big.*
printf '{\n "text": "a",\n "label": "b"\n}\n' >pretty.jsonl
refused 'jq -c' split pretty.jsonl
printf '{"text":"a","label":"b"}\n{"text":"a","lab\n' >half.jsonl
refused 'half.jsonl:2: JSON object is not closed, and the table ends there' split half.jsonl
printf '[{"text":"a","label":"b"} {"text":"a","label":"b"}]' >comma.json
refused 'comma.json:2: ' split comma.json
printf '[{"text":"a","label":"b"},' >cut.json
refused 'cut.json:2: ' split cut.json
printf '[["a","b"]]' >lists.json
refused '' split lists.json
printf '{"text":{"0":"a"},"label":{"0":"x"}}\n' >columns.json
refused 'is a JSON object' split columns.json

# ---- split and labels ----
it "splits by other names are what they mean"
printf '%s\n' '{"text":"a","label":"x","split":"train"}' '{"text":"b","label":"y","split":"validation"}' '{"text":"c","label":"y","split":"Test"}' '{"text":"d","label":"y","split":"DEV"}' '{"text":"e","label":"y","split":"val"}' '{"text":"f","label":"y","split":"valid"}' >s.jsonl
sh_run 'promptify -t t s.jsonl | peek --tsv id,split,completion; promptify -t t --only split=dev s.jsonl | peek --count; peek --from-jsonl --kind examples s.jsonl | peek --text split | xargs'
printf 'id\tsplit\tcompletion\n0\ttrain\t" x"\n1\teval\t" y"\n2\ttest\t\n3\teval\t" y"\n4\teval\t" y"\n5\teval\t" y"\n4\ntrain eval test eval eval eval\n' >expect; out_is <expect
sed 's/DEV/held out/' s.jsonl >other.jsonl
refused "other.jsonl:4: split 'held out' is none of train, eval" prompts other.jsonl
it "a split that is replaced is said"
run split-stratified --train 3 --test 3 s.jsonl -o again.zst
err_has 's.jsonl: has a split of its own, which is replaced; promptify takes it as it is'
it "and so it is in a stream"
peek --from-jsonl --kind examples s.jsonl -o s.zst
sh_run 'peek --from-jsonl --kind examples other.jsonl -o other.zst'
exit_is 65
rows , '\n' text,label | sed 's/negative/none/' >none.csv
refused "none.csv:2: a label is called 'none'" split none.csv
rows , '\n' text,label | sed 's/negative/bad/' >other.csv
refused "other.csv:2: label 'bad' is not one of positive, neutral, negative" split-stratified --recipe seed other.csv
it "--recipe has its own labels"
run split-stratified --recipe seed --labels good,bad other.csv -o none.zst
exit_is 2
it "a label with blanks around it is said"
printf 'text,label\na,x \nb,x\n' >blanks.csv
run promptify -t t blanks.csv -o blanks.zst
err_has "blanks.csv:1: label 'x ' has blanks around it"

# ---- bounds ----
it "an endless input ends with a word"
sh_run 'yes "a b c,d" | timeout 60 split-stratified --max-memory 1M --text 1 --label 2 --header no -o none.zst'
exit_is 71
err_has '--max-memory has room for 16384 rows, at 64 bytes each, and there are more; look whether the input ends, and raise it'
absent none.zst
it "and so does one line without end"
sh_run 'tr "\0" a </dev/zero | timeout 60 split-stratified -o none.zst -'
exit_is 65
one_line

it "says what becomes of a column of one's own that is called id"
printf 'id,text,label\nA17,x y,a\nA9,z,b\nA3,w w,a\n' >ids.csv
sh_run 'split-stratified --train 1 ids.csv | peek --jsonl'
err_has "ids.csv: its column 'id' becomes field '1'; id is the row's position, from 0"
out_has '"1": "A17"'

it "says which label a part has not"
sh_run 'split-stratified --train .5 --test .5 ids.csv | peek --count'
ok
err_has 'test has no row of b; give it more rows, or the sizes by class with --per-class'

# ---- as they came ----
if [ -d "$shared/cases/field" ]
then
	for f in h01-utterance-emotion.csv h03-v1v2.csv h06-index.csv h07-unnamed0.csv c14-space-after-comma-quote.csv c36-crcrlf.csv \
		c45-crcrlf-quoted.csv c03-cr-only.csv c05-semicolon.csv c06-sep-line.csv c06b-sep-comma-line.csv
	do is_read "$shared/cases/field/$f"
	done
else
	it "the reports' own files"; skip "no ../shared beside the project"
fi
finish
