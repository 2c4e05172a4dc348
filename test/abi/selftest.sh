#!/bin/bash
# Proof that the header test can fail. usage: selftest.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/include/sora"
fails=0
try() { # name, wanted, header text
    printf '%s\n' "$3" >"$tmp/include/sora/sora.h"
    bash "$here/headers.sh" "$tmp" >"$tmp/out" 2>&1
    local s=$?
    if [ $s = "$2" ]; then echo "ok   selftest: $1"; else echo "FAIL selftest: $1 (status $s)"; cat "$tmp/out"; fails=$((fails + 1)); fi
}
guard() { printf '#ifndef H\n#define H\n%s\n#endif' "$1"; }
try "a good header passes" 0 "$(guard 'int sora_a(int x);')"
try "a C++ keyword" 1 "$(guard 'int sora_a(int new);')"
try "a type that nobody declared" 1 "$(guard 'int sora_a(size_t x);')"
try "a // comment that C99 takes and C++98 takes, an enum comma that C++98 refuses" 1 "$(guard 'enum a { SORA_A, };')"
try "no include guard" 1 'struct sora_a { int x; };'
[ $fails = 0 ]
