#!/bin/bash
# Public headers: each compiles alone, as C99 and as C++98, with every compiler that is here; sora.h brings in all of them.
# usage: headers.sh [ROOT]
set -u
cd "${1:-.}" || exit 2
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
fails=0
shopt -s nullglob
headers=(include/sora/*.h)
[ ${#headers[@]} -gt 0 ] || { echo "FAIL no public headers"; exit 1; }
verdict() { if [ "$2" = 0 ]; then echo "ok   $1"; else echo "FAIL $1"; head -20 "$tmp/out"; fails=$((fails + 1)); fi; }

strict="-pedantic -Wall -Wextra -Werror -Wundef -fsyntax-only -Iinclude"
c_compilers=() cxx_compilers=()
for c in gcc clang clang-14; do command -v $c >/dev/null && c_compilers+=("$c"); done
for c in g++ clang++ clang++-14; do command -v $c >/dev/null && cxx_compilers+=("$c"); done
[ ${#c_compilers[@]} -gt 0 ] || { echo "FAIL no C compiler"; exit 1; }
[ ${#cxx_compilers[@]} -gt 0 ] || { echo "FAIL no C++ compiler"; exit 1; }

for h in "${headers[@]}"; do
    name=${h#include/}
    # Twice, so that a missing include guard shows.
    printf '#include <%s>\n#include <%s>\ntypedef int nothing_else;\n' "$name" "$name" >"$tmp/a.c"
    cp "$tmp/a.c" "$tmp/a.cc"
    for cc in "${c_compilers[@]}"; do
        $cc -std=c99 -Wstrict-prototypes $strict "$tmp/a.c" >"$tmp/out" 2>&1; verdict "$name as C99, $cc" $?
    done
    for cxx in "${cxx_compilers[@]}"; do
        $cxx -std=c++98 $strict "$tmp/a.cc" >"$tmp/out" 2>&1; verdict "$name as C++98, $cxx" $?
    done
done
if [ -f include/sora/sora.h ]; then
    printf '#include <sora/sora.h>\n' | ${c_compilers[0]} -std=c99 -Iinclude -M -x c - >"$tmp/deps"
    for h in "${headers[@]}"; do
        grep -qF "$h" "$tmp/deps"; s=$?
        echo "$h is not included" >"$tmp/out"; verdict "sora.h brings in ${h#include/}" $s
    done
fi
[ $fails = 0 ]
