#!/bin/sh
# Every tool, and a few calls of each kind fail in their turn; make check-fault takes all of them.
cd "$(dirname "$0")/../.." || exit 1
[ -e "${BUILD:-build/release}/tests/fault/inject.so" ] || { echo "1..0 # SKIP failing calls: not with a sanitizer's own malloc"; exit 0; }
exec /usr/bin/python3 tests/fault/faults.py --sample "${SAMPLE:-2}" -j 1
