#!/bin/bash
# Fields of a template that are not a record's own: {labels}, and as much of a text as is wanted.
. "$(dirname "$0")/../lib.sh"
cd "$dir" || exit 1
printf 'text,label\nfree money,spam\nsee you there,ham\n' >t.csv
prompts() { # prompts TEMPLATE [OPTION]...
	printf '%s' "$1" >template
	shift
	run promptify -t template "$@" t.csv -o p.zst --force && run peek --text prompt p.zst
}

it "{labels} lists the labels of the input"
printf '%s' '{labels}|{text}' >template
sh_run 'split-stratified --train 1.0 t.csv | promptify -t template | peek --text prompt | sort'
out_is <<<$'ham, spam|free money\nham, spam|see you there'
it "of --labels, in their order"
prompts '{labels}: {text} {completion}' --labels spam,ham
out_is <<<$'spam, ham: free money\nspam, ham: see you there'
it "what is said of them by the verbalizer"
printf 'spam\t bad one\nham\tfine\n' >v
prompts '{labels}: {text} {completion}' --verbalizer v
out_is <<<$'bad one, fine: free money\nbad one, fine: see you there'
it "--set goes before"
prompts '{labels}: {text} {completion}' --labels spam,ham --set labels=these
out_is <<<$'these: free money\nthese: see you there'
it "and so does a field of that name"
printf 'text,label,labels\nfree money,spam,x\nsee,ham,y\n' >f.csv
sh_run 'promptify --labels spam,ham -t template f.csv | peek --text prompt'
out_is <<<$'x: free money\ny: see'
it "without labels it is a field that is not there"
run promptify -t template --label none t.csv -o p.zst --force
exit_is 65
err_has "there is no field 'labels', which the template names, and the input names no labels; give them with --labels a,b,c"
it "many are counted"
sh_run 'promptify --labels "$(seq -s, -f label%.0f 1 60),spam,ham" -t template t.csv | peek --text prompt'
out_has 'label1, label2, '
out_has ' more: free money'
check [ "$(head -n 1 out | wc -c)" -lt 250 ]

printf 'text,label\n"aé漢🙂\nx",a\nab,b\n' >t.csv
it "{text:.N} is N characters"
prompts '<{text:.3}>' && out_is <<<$'<aé漢>\n<ab>'
prompts '<{text:.4}>' && out_is <<<$'<aé漢🙂>\n<ab>'
prompts '<{text:.0}>' && out_is <<<$'<>\n<>'
prompts '<{text:.900000000000000}>' && out_is <<<$'<aé漢🙂\nx>\n<ab>'
it "as Python cuts it"
check python3 -c 'assert ["<{text:.3}>".format(text=t) for t in ("aé漢🙂\nx", "ab")] == ["<aé漢>", "<ab>"]'
for odd in '{text:3}' '{text:.}' '{text:.3x}' '{:.3}'
do
	it "$odd is a field by that name, which is not there"
	printf '<%s>' "$odd" >template
	run promptify -t template t.csv -o no.zst
	exit_is 65
	err_has "there is no field '${odd:1:-1}'"
done

it "classify tells answers apart that begin alike"
printf 'text,label\na,1\nb,10\nc,very good\nd,very\n' >t.csv
sh_run 'split-stratified -q t.csv | promptify -t classify -o p.zst --force'
ok
same err /dev/null
run peek --header p.zst
out_has '" 10."'
finish
