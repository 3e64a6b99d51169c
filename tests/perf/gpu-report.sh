#!/bin/bash
# tests/perf/gpu-report.sh [OUT]: what a machine with a GPU has to say, the most important first: the op tests on the
# card, every family from end to end, the same bytes twice, speed beside PyTorch (decoding with recorded passes beside
# none), and the compute sanitizer, of what failed first. Each part has a time limit of its own (560 s in all), and OUT
# (out/gpu) its whole log, nothing else; a summary is printed and kept.
# It wants build/portable, or its .tar.gz (make dist-portable, here or elsewhere), python3 and for the speed PyTorch; no other package.
# CUDA_PLUGIN=build/release/emulated tries the script itself where there is no card.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=$(realpath -m "${1:-out/gpu}")
portable=$PWD/build/portable made=$PWD/build/gpu # made: models, gigabytes of them
export CUDA_PLUGIN=${CUDA_PLUGIN:-$portable/lib/slmtools} SLMTOOLS_SHARE=$PWD/share PATH=$portable/bin:$PATH
export BUILD=$portable SLMTOOLS_LIB=$CUDA_PLUGIN TEST_SECONDS=110
export HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1 BENCH_LOG=$made/contestants.txt
[ -x "$portable/bin/predict" ] || tar -C build -xzf "$portable.tar.gz" 2>/dev/null
[ -x "$portable/bin/predict" ] || { echo "gpu-report: build/portable is not there; run: make dist-portable" >&2; exit 69; }
mkdir -p "$out" "$made/bin"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$(command -v python3)" >"$made/bin/python" # by a link a virtual environment is not found
chmod +x "$made/bin/python"
: >"$out/summary.txt"
: >"$BENCH_LOG"
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
	{ grep -E '^not ok|: not ok|^slow|ERROR SUMMARY|RACECHECK SUMMARY|passed, ' "$out/$name.txt" || tail -n "${SHOWN:-3}" "$out/$name.txt"; } |
		head -n 60 | cut -c1-300 | sed 's/^/    /' | tee -a "$out/summary.txt"
}
machine() { # a plug-in without cuBLASLt takes PyTorch's, or any other that is there
	nvidia-smi
	nvcc --version | tail -n 1
	lscpu | grep 'Model name'
	missing=$(peek --devices | sed -n 's/.*slow without //p' | head -n 1)
	wheels=$(python3 -c 'import nvidia; print(*nvidia.__path__)' 2>/dev/null)
	found=${missing:+$(find $wheels /usr/local /usr/lib /opt -name "$missing" -print -quit 2>/dev/null)}
	[ -z "$found" ] || ln -sfv "$found" "$CUDA_PLUGIN/"
	peek --devices
	peek --devices | grep -q '^cuda:0' && ! peek --devices | grep -E '^cuda.*(cannot|slow without)'
}
ops() { # three of them ask how much of the card's memory is free, and take it: they run alone
	alone=("$portable"/tests/ops/test_{graph,kept,memory}.test) worst=0
	JOBS=4 tests/run $(printf '%s\n' "$portable"/tests/ops/*.test | grep -vxF "$(printf '%s\n' "${alone[@]}")") || worst=1
	JOBS=1 tests/run "${alone[@]}" || worst=1
	return $worst
}
sanitizer() { # sanitizer "TOOL OPTIONS" TEST...: op tests, by name or path
	tool=$1 worst=0
	shift
	for test
	do
		case $test in */*) ;; *) test=$portable/tests/ops/test_$test.test ;; esac
		echo "== $test"
		compute-sanitizer --tool $tool --error-exitcode 9 "$test" || worst=$?
	done
	return $worst
}
export -f machine ops sanitizer
export portable

SHOWN=8 part machine 40 bash -c machine
part ops 120 bash -c ops
part families 120 python3 tests/tools/cuda.t
SHOWN=40 part speed "${SPEED_SECONDS:-180}" env DEVICE=cuda LAYERS="${LAYERS:-4,32}" RUNS="${RUNS:-2}" OUT="$made/bench" RIVALS="$made" python3 tests/perf/bench ${CASES-}
cat "$BENCH_LOG" >>"$out/speed.txt"
cp "$made/bench/results.jsonl" "$out/" 2>/dev/null
if command -v compute-sanitizer >/dev/null
then
	failed=$(sed -n 's,^\(/[^:]*\.test\): .*,\1,p' "$out/ops.txt" | sort -u)
	part memcheck 50 bash -c "sanitizer 'memcheck --report-api-errors no' $(echo $failed) attention_half linear norm head graph"
	part racecheck 50 bash -c "sanitizer racecheck attention_half linear norm head"
else
	echo "sanitizer: compute-sanitizer is not installed, so nothing was looked at" | tee -a "$out/summary.txt"
fi
exit $bad
