#!/bin/sh
# Arrows between folders point one way: tools -> kernels/model -> kernels -> libcommon, and inside libcommon
# base <- files <- cli <- the formats: stream <- table (both hold records), pack <- tokenizer (which holds its files);
# pictures need base alone.
cd "$(dirname "$0")/../.." || exit 1
bad=0

forbid() { # forbid FOLDER PATTERN: no file under FOLDER includes a header that matches PATTERN
	if grep -rnE "^#include \"($2)" "$1" --include='*.[ch]'
	then echo "# $1 must not include $2"; bad=1
	fi
}
allow() { # allow FOLDER PATTERN: files under FOLDER include only headers of ours that match PATTERN
	if grep -rnE '^#include "' "$1" --include='*.[ch]' --include='*.cu' | grep -vE "#include \"($2)\""
	then echo "# $1 may include only $2"; bad=1
	fi
}
own() { # own FOLDER: its headers as a pattern
	find "$1" -maxdepth 1 -name '*.h' -printf '%f|' | sed 's/|$//; s/\./\\./g'
}
base='kernels\.h|nf4_code\.h|nf4_nest\.h|block_code\.h|block_value\.h|err\.h|mem\.h|dtype\.h|rng\.h'
of() { own "libcommon/$1"; }
common="$(of base)|$(of files)|$(of cli)|$(of picture)|$(of stream)|$(of table)|$(of pack)|$(of tokenizer)"
allow libcommon/base "$(of base)"
allow libcommon/files "$(of base)|$(of files)"
allow libcommon/cli "$(of base)|$(of files)|$(of cli)"
allow libcommon/picture "$(of base)|$(of picture)"
allow libcommon/stream "$(of base)|$(of files)|$(of cli)|$(of stream)"
allow libcommon/table "$(of base)|$(of files)|$(of cli)|$(of stream)|$(of table)"
allow libcommon/pack "$(of base)|$(of files)|$(of pack)"
allow libcommon/tokenizer "$(of base)|$(of files)|$(of pack)|$(of tokenizer)"
allow kernels/ref "$base|$(own kernels/ref)"
allow kernels/cpu "$base|ref/ref\.h|$(own kernels/cpu)"
allow kernels/cuda "$base|plugin\.h|$(own kernels/cuda)"
# Inside the model: run -> files -> archs -> blocks -> lora -> what all speak of (config, modules, parts).
numbers='kernels\.h|nf4_code\.h|nf4_nest\.h|block_scale\.h|plugin\.h'
rooms() { echo "$*" | sed 's/\([a-z]\{1,\}\) */\1\/[a-z0-9_]+\\.h|/g; s/|$//'; }
terms=$(own kernels/model)
allow kernels/model/lora "$numbers|$(of base)|$terms|$(rooms lora)"
allow kernels/model/blocks "$numbers|$(of base)|$terms|$(rooms lora blocks)"
allow kernels/model/archs "$numbers|$(of base)|$terms|$(rooms lora blocks archs)"
allow kernels/model/files "$numbers|$(of base)|$(of pack)|$terms|$(rooms lora blocks archs files)"
allow kernels/model/run "$numbers|$(of base)|$(of pack)|$terms|$(rooms lora blocks archs files run)"
for tool in tools/* tests/mkmodel
do
	mine=$(own "$tool")
	allow "$tool" "$common|$numbers|$(rooms lora archs files run)${mine:+|$mine}"
	case $tool in
	tools/quantize-nf4 | tools/lora-train | tools/predict | tests/mkmodel) ;;
	*) forbid "$tool" 'kernels\.h|lora/|archs/|files/|run/|nf4_|block_' ;;
	esac
done
if grep -rlE '#include <(cuda|cublas)' --include='*.[ch]' --include='*.cu' . | grep -v '^./kernels/cuda/'
then echo "# CUDA headers belong to kernels/cuda only"; bad=1
fi
[ $bad -eq 0 ] && echo "ok 1 - layers" || echo "not ok 1 - layers"

long=$(find libcommon kernels tools tests pipelines \( -name '*.c' -o -name '*.h' -o -name '*.cu' \) -exec awk 'END { if (NR > 800) print FILENAME, NR }' {} \;)
[ -z "$long" ] && echo "ok 2 - no file over 800 lines" || { echo "not ok 2 - $long"; bad=1; }
# One name, one thing: a name in a message, a log or a talk says which file is meant.
twice=$(find libcommon kernels tools -name '*.[ch]' -o -name '*.cu' | sed 's#\(.*\)/\(.*\)\.[chu]*$#\2 \1#' | sort -u | cut -d' ' -f1 | uniq -d | tr '\n' ' ')
[ -z "$twice" ] && echo "ok 3 - names of files are unique" || { echo "not ok 3 - names that stand in two folders: $twice"; bad=1; }
echo 1..3
exit $bad
