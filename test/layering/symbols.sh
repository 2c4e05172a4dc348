#!/bin/sh
# What the built library shows to the world and what it asks of it. usage: symbols.sh BUILD [ROOT]
set -u
build=$1
cd "${2:-.}" || exit 2
LC_ALL=C; export LC_ALL
so=$(echo "$build"/libsora.so.[0-9]*) ar=$build/libsora.a
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
fails=0
verdict() { # name, file of offences: empty means passed
    if [ -s "$2" ]; then
        echo "FAIL $1"; sed 's/^/     /' "$2" | head -40; fails=$((fails + 1))
    else
        echo "ok   $1"
    fi
}
[ -f "$so" ] && [ -f "$ar" ] || { echo "FAIL $build has no libsora.so and libsora.a"; exit 1; }

sh test/layering/api-names.sh include/sora/*.h >"$tmp/headers"
sed 's/#.*//' lib/libsora.map | tr ';{}' '\n\n\n' | sed 's/[ \t]//g; s/global:/&\n/; s/local:/&\n/' |
    awk '/global:/ { on = 1; next } /local:/ { on = 0 } on && NF' | sort -u >"$tmp/map"
nm -D --defined-only "$so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u >"$tmp/exports"
[ -s "$tmp/headers" ] || echo "the headers declare nothing" >"$tmp/none"
touch "$tmp/none"
verdict "the headers declare functions" "$tmp/none"
{ comm -23 "$tmp/headers" "$tmp/map" | sed 's/$/: declared, not in lib\/libsora.map (make map)/'
  comm -13 "$tmp/headers" "$tmp/map" | sed 's/$/: in lib\/libsora.map, not declared (make map)/'; } >"$tmp/o"
verdict "lib/libsora.map lists what the headers declare" "$tmp/o"
{ comm -23 "$tmp/headers" "$tmp/exports" | sed 's/$/: declared, not exported/'
  comm -13 "$tmp/headers" "$tmp/exports" | sed 's/$/: exported, not declared/'; } >"$tmp/o"
verdict "the library exports what the headers declare" "$tmp/o"

nm -g --defined-only "$ar" 2>/dev/null | awk 'NF == 3 && $3 !~ /^sora[ik]?_/ { print $3 }' | sort -u >"$tmp/o"
verdict "every global symbol begins with sora_, sorai_ or sorak_" "$tmp/o"
nm -gA --defined-only "$ar" 2>/dev/null | sed 's/^[^:]*://' | awk 'NF == 3 && $3 ~ /^sora_/ { print $3 }' | sort -u |
    comm -23 - "$tmp/headers" | sed 's/$/: has the public prefix, is not declared in a public header/' >"$tmp/o"
verdict "the public prefix is kept for public functions" "$tmp/o"

# A library that is linked into somebody's process does not talk, stop the process or look around.
# Readers of numbers that heed the locale are among them; our own live in lib/base and lib/io.
cat >"$tmp/forbidden" <<'END'
printf vprintf fprintf vfprintf __printf_chk __vprintf_chk __fprintf_chk __vfprintf_chk puts putchar putc fputs fputc perror stdout stderr stdin
abort exit _exit _Exit quick_exit atexit __assert_fail raise kill
getenv secure_getenv setenv putenv environ
rand srand random srandom drand48 lrand48 rand_r
setlocale uselocale newlocale strtod strtof strtold atof sscanf __isoc99_sscanf
signal sigaction sigprocmask pthread_sigmask system popen fork execve tmpnam chdir umask strerror strtok localtime gmtime
END
nm -uA "$ar" 2>/dev/null | awk '
    NR == FNR { for (i = 1; i <= NF; i++) bad[$i] = 1; next }
    { sub(/@.*/, "", $NF); f = $1; sub(/^[^:]*:/, "", f); sub(/:$/, "", f) }
    $NF in bad { print $NF " used by " f }' "$tmp/forbidden" - | sort -u >"$tmp/o"
verdict "nothing is imported that prints, stops, asks the environment or the locale" "$tmp/o"

# Writable data that lasts is a hidden global. test/layering/writable.allow names the few that have a reason.
objdump -t "$ar" 2>/dev/null | awk '$0 ~ /[ \t]O[ \t]/ && $0 ~ /[ \t][.](data|bss|tdata|tbss|lbss|ldata)([.][^r][^ \t]*)?[ \t]/ && $0 !~ /[.]data[.]rel[.]ro/ { print $NF }' |
    sed 's/[.][0-9]*$//' | sort -u >"$tmp/writable"
{ sed 's/#.*//; s/[ \t]*$//; /^$/d' test/layering/writable.allow 2>/dev/null; } | sort -u >"$tmp/allowed"
comm -23 "$tmp/writable" "$tmp/allowed" >"$tmp/o"
verdict "no global variable that can change" "$tmp/o"

major=$(echo "$so" | sed 's/.*[.]//')
readelf -d "$so" >"$tmp/dyn"
grep -q "SONAME.*\[libsora.so.$major\]" "$tmp/dyn" && : >"$tmp/o" || grep SONAME "$tmp/dyn" >"$tmp/o"
verdict "soname is libsora.so.$major" "$tmp/o"
sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' "$tmp/dyn" | grep -vE '^lib(c|m|dl|pthread|zstd|png16|jansson|gcc_s)[.]so|^ld-linux' >"$tmp/o"
verdict "no library is needed beyond libc, zstd, png and jansson" "$tmp/o"
{ grep TEXTREL "$tmp/dyn"; readelf -lW "$so" | awk '/GNU_STACK/ && /RWE/'; nm "$so" | awk '$2 == "i" { print $3 ": IFUNC" }'; } >"$tmp/o"
verdict "no text relocation, no executable stack, no ifunc" "$tmp/o"

# Code for newer processors stays in the files whose name says so.
mkdir "$tmp/obj"
: >"$tmp/o"
for f in $(find "$build/obj/lib" "$build/obj/kernels" -name '*.o' 2>/dev/null | grep -vE '_(avx2|avx512|avx512bf16|avx512vnni|amx)[.]o$'); do
    objdump -d --no-show-raw-insn "$f" | grep -qE '%(ymm|zmm|tmm|k)[0-9]' && echo "$f" >>"$tmp/o"
done
verdict "the baseline uses no vector registers beyond SSE2" "$tmp/o"

for p in "$build"/libsora-*.so; do
    [ -f "$p" ] || continue
    nm -D --defined-only "$p" | awk '$2 != "A" && $3 !~ /^sora_backend_/ { print $3 }' >"$tmp/o"
    verdict "$(basename "$p") exports its entry and nothing else" "$tmp/o"
done
[ $fails = 0 ]
