#!/bin/sh
# Thirteen faults planted into the CUDA kernels, one of each kind: barriers, a race, a fragment, tails, memory that
# nobody wrote or that is gone, streams out of order. Each is found without a card.
cd "$(dirname "$0")/../.." || exit 1
[ -e "${BUILD:-build/release}/emulated/slmtools-cuda.so" ] || { echo '1..0 # SKIP no C++ compiler, so the kernels were not built for the host'; exit 0; }
exec tests/ops/cuda-faults proofs
