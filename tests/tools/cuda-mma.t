#!/bin/sh
# The tensor cores' instructions that tests have in plain C (kernels/cuda/mma_cuda.h), lane by lane against the
# tables of the PTX manual, which tests/emulate/test_mma.cc has written out.
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build/release}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT

if ! [ -e "$build/emulated/slmtools-cuda.so" ]
then echo "1..0 # SKIP there is no C++ compiler that makes CUDA's stand-in"; exit
fi
${CXX:-g++} -std=c++17 -O1 -w -ffp-contract=off -D_GNU_SOURCE -Itests/emulate -Ilibcommon/base -Ikernels -Ikernels/cuda \
	tests/emulate/test_mma.cc tests/emulate/emulate.cc tests/emulate/graphs.cc tests/emulate/streams.cc -o "$dir/test" || exit 1
"$dir/test"
