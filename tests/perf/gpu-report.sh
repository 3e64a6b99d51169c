#!/bin/bash
# tests/perf/gpu-report.sh [OUT]: what a machine with a GPU has to say, the most important first: the op tests on the
# card, every family from end to end, the same bytes twice, speed beside PyTorch (decoding with recorded passes beside
# none), and the compute sanitizer. Each part has a time limit of its own (eight minutes in all), and OUT (out/gpu) its
# whole log; a summary is printed and kept.
# It wants build/portable (make dist-portable, here or elsewhere), python3 and for the speed PyTorch; no other package.
# CUDA_PLUGIN=build/release/emulated tries the script itself where there is no card.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=$(realpath -m "${1:-out/gpu}")
portable=$PWD/build/portable
export CUDA_PLUGIN=${CUDA_PLUGIN:-$portable/lib/slmtools} SLMTOOLS_SHARE=$PWD/share PATH=$portable/bin:$PATH
export BUILD=$portable SLMTOOLS_LIB=$CUDA_PLUGIN TEST_SECONDS=120
[ -x "$portable/bin/predict" ] || { echo "gpu-report: build/portable is not there; run: make dist-portable" >&2; exit 69; }
mkdir -p "$out/rivals/bin"
ln -sf "$(command -v python3)" "$out/rivals/bin/python"
: >"$out/summary.txt"
bad=0

part() { # part NAME SECONDS COMMAND...: its log is OUT/NAME.txt; what it says last goes into the summary
	name=$1 most=$2
	shift 2
	start=$(date +%s)
	timeout -k 5 "$most" "$@" >"$out/$name.txt" 2>&1
	rc=$?
	[ $rc -eq 0 ] || bad=1
	case $rc in 0) said=good ;; 124 | 137) said="not done in $most s" ;; *) said="failed ($rc)" ;; esac
	printf '%s: %s, %d s\n' "$name" "$said" "$(($(date +%s) - start))" | tee -a "$out/summary.txt"
	{ grep -E '^not ok|ERROR SUMMARY|passed, ' "$out/$name.txt" || tail -n "${SHOWN:-3}" "$out/$name.txt"; } | cut -c1-300 | sed 's/^/    /' | tee -a "$out/summary.txt"
}
sanitizer() { # sanitizer TOOL: an op test with each kind of kernel that synchronises
	for test in attention norm head
	do
		compute-sanitizer --tool "$1" --error-exitcode 9 "$portable/tests/ops/test_$test.test" || return
	done
}
export -f sanitizer
export portable

part machine 20 sh -c 'nvidia-smi; nvcc --version | tail -n 1; lscpu | grep "Model name"; peek --devices | tail -n 1'
SHOWN=8 part devices 20 sh -c 'peek --devices; ! peek --devices | grep "^cuda.*cannot"'
part ops 100 tests/run "$portable"/tests/ops/*.test
part families 80 tests/tools/cuda.t
SHOWN=40 part speed "${SPEED_SECONDS:-200}" env DEVICE=cuda LAYERS="${LAYERS:-4,32}" RUNS="${RUNS:-2}" OUT="$out/bench" RIVALS="$out/rivals" tests/perf/bench ${CASES-}
if command -v compute-sanitizer >/dev/null
then
	part memcheck 40 bash -c 'sanitizer memcheck'
	part racecheck 40 bash -c 'sanitizer racecheck'
else
	echo "sanitizer: compute-sanitizer is not installed, so nothing was looked at" | tee -a "$out/summary.txt"
fi
exit $bad
