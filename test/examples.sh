#!/bin/bash
# Builds are made by make; this runs every example in a folder of its own with the tests' tiny model as its argument and wants exit status 0
# and some output, a line or a file.
set -u
BUILD=${BUILD:-build}
TOP=${TOP:-$(pwd)}
case $BUILD in /*) dir=$BUILD ;; *) dir=$TOP/$BUILD ;; esac
model=$dir/test/tiny-examples
sh test/tiny/make.sh "$model" || exit 2
shopt -s nullglob
fails=0
for src in examples/*.c; do
    name=$(basename "$src" .c)
    tmp=$(mktemp -d) || exit 2
    if (cd "$tmp" && timeout 120 "$dir/examples/$name" "$model" >stdout 2>stderr </dev/null) && [ -n "$(find "$tmp" -type f -size +0)" ]; then
        echo "ok   $name"
    else
        echo "FAIL $name"; tail -n 5 "$tmp/stdout" "$tmp/stderr" 2>/dev/null; fails=$((fails + 1))
    fi
    rm -rf "$tmp"
done
[ $fails = 0 ]
