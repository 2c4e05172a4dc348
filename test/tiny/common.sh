# What the tests of the program share: a folder of their own, the tiny model in it, and one line per check.
# Sourced with `. test/tiny/common.sh` from the repository's root; sets tmp, model (folder), sora.
set -u
top=${TOP:-$(pwd)}
cd "$top" || exit 2
sora=${SORA:-$top/${BUILD:-build}/sora}
[ -x "$sora" ] || { echo "SKIP the program is not built"; exit 0; }
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
model=$tmp/tiny
sh test/tiny/make.sh "$model" || exit 2
fails=0
ok() { # what, status
    if [ "$2" = 0 ]; then echo "ok   $1"; else
        echo "FAIL $1"; tail -n 5 "$tmp/out" "$tmp/err" 2>/dev/null | sed 's/^/     /'; fails=$((fails + 1))
    fi
}
run() { timeout 120 "$sora" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null; }
# what, wanted status, arguments...: the status, one line on stderr that begins with "sora: ", at most 500 printable bytes, nothing on stdout
refused() {
    what=$1 want=$2
    shift 2
    run "$@"
    got=$?
    [ $got = "$want" ] && [ "$(wc -l <"$tmp/err")" = 1 ] && [ "$(wc -c <"$tmp/err")" -le 501 ] && [ ! -s "$tmp/out" ] &&
        grep -q '^sora: ' "$tmp/err" && ! grep -q '[[:cntrl:]]' "$tmp/err"
    ok "$what" $?
}
# A picture of 32x32 whose right half is white.
half_mask() {
    printf 'P5\n32 32\n255\n'
    for y in $(seq 32); do printf '%016d' 0 | tr 0 '\000'; printf '%016d' 0 | tr 0 '\377'; done
}
finish() { [ $fails = 0 ]; }
