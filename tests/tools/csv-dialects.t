#!/bin/sh
# 500 random tables in every dialect of Python's csv module: read back as they were, or with a warning, or
# refused; csv-dialects.py says how. Others: csv-dialects.py FOLDER COUNT SEED.
. "$(dirname "$0")/../lib.sh"
it "no table is misread in silence, and an ordinary one is never refused"
run /usr/bin/python3 "$root/tests/tools/csv-dialects.py" "$dir" 500 1
report "$rc" "$(tail -n 6 "$dir/out") $(tail -n 3 "$dir/err")"
it "as many are right as this seed has had at least"
right=$(sed -n 's/.*right=\([0-9]*\).*/\1/p' "$dir/out")
[ "${right:-0}" -ge 150 ]
report $? "$(tail -n 1 "$dir/out")"
finish
