#!/bin/bash
# The complete C programs in README.md, docs/*.md and at the top of sora.h must compile and link as they stand.
# usage: snippets.sh BUILD [CC]
set -u
build=$1 cc=${2:-gcc}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
shopt -s nullglob
# In Markdown a program is a ```c block with a main; in a header it is what is indented after " * " from the
# first #include on.
for f in README.md docs/*.md include/sora/sora.h; do
    [ -f "$f" ] || continue
    awk -v out="$tmp/$(echo "$f" | tr '/.' '__')" '
        FILENAME ~ /[.]md$/ && /^```c$/ { on = 1; n++; next }
        FILENAME ~ /[.]md$/ && /^```/ { on = 0 }
        FILENAME ~ /[.]h$/ && /^ \*     *#include </ && !on && !done { on = 1; n++ }
        FILENAME ~ /[.]h$/ && on && !/^ \*(     |$)/ { on = 0; done = 1 }
        FILENAME ~ /[.]h$/ && on { sub(/^ \* ?/, "") }
        on { print > (out "_" n ".c") }' "$f"
done
fails=0
for f in "$tmp"/*.c; do
    grep -qE 'int main\(' "$f" || continue
    name=$(basename "$f" .c)
    if $cc -std=c99 -Wall -Werror -Iinclude -o "$tmp/program" "$f" "$build/libsora.so" -lm >"$tmp/out" 2>&1; then
        echo "ok   the program in $name"
    else
        echo "FAIL the program in $name"; head -20 "$tmp/out"; fails=$((fails + 1))
    fi
done
[ $fails = 0 ]
