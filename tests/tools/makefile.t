#!/bin/bash
# The makefile of the project writes where it is told, and removes only what it made.
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL BUILD CONFIG OUT
mkdir "$dir/tree" && cp -r "$root/Makefile" "$root/pipelines" "$dir/tree" && cd "$dir/tree" || exit 1
mkdir -p build/release/bin build/asan build/demo build/mine home "with blank" && touch build/release/libcommon.a build/mine/model home/notes

for build in '' . build/.. / 'with blank' a:b a%b '~/x'
do
	it "refuses BUILD='$build'"
	run make -n BUILD="$build" all
	exit_is 2
	err_has 'must be a folder for what is built'
done
for build in home .. build/../home
do
	it "refuses BUILD=$build, where other things are"
	run make -n BUILD="$build" all
	exit_is 2
	err_has 'there are other things in it'
done
it "takes one that is new, or its own"
run make -n BUILD=new man
ok
mkdir -p new/man && touch new/man/x
run make -n BUILD=new man
ok
it "clean removes what was built in build, and leaves the rest"
run make -s clean
ok
[ "$(find build home new -type f | xargs)" = "build/mine/model home/notes new/man/x" ]
report $? "$(find build home new)"
it "and build when it is empty then"
rm -r build/mine build/demo
run make -s clean
ok
absent build
finish
