#!/bin/bash
# make install into an empty folder, then a program of somebody else built against it with pkg-config, both ways of linking.
set -u
top=${TOP:-$(pwd)}
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
fails=0
ok() { if [ "$2" = 0 ]; then echo "ok   $1"; else echo "FAIL $1"; tail -n 20 "$tmp/out" | sed 's/^/     /'; fails=$((fails + 1)); fi; }
cd "$top" || exit 2
cc=${CC:-gcc}
if grep -q '^SANITIZE := .' "$BUILD/config.mk"; then echo "SKIP installing a sanitizer build"; exit 0; fi
prefix=$(sed -n 's/^PREFIX := //p' "$BUILD/config.mk")

make -s install DESTDIR="$tmp/root" >"$tmp/out" 2>&1; ok "make install" $?
at=$tmp/root$prefix
for f in include/sora/sora.h lib/libsora.a lib/libsora.so lib/pkgconfig/sora.pc share/man/man1/sora.1; do
    [ -s "$at/$f" ]; ok "installs $f" $?
done
for p in "$BUILD"/libsora-*.so; do
    cmp -s "$p" "$at/lib/sora/$(basename "$p")"; ok "installs lib/sora/$(basename "$p")" $?
done
grep -q blas "$at/lib/pkgconfig/sora.pc"; [ $? = 1 ]; ok "sora.pc asks for no BLAS" $?
if grep -q '^HAVE_OPENBLAS := 1' "$BUILD/config.mk"; then
    [ -s "$BUILD/libsora-blas.so" ]; ok "OpenBLAS is there, and so is its backend" $?
fi
for m in models/*.sora; do
    [ -f "$m" ] || continue
    cmp -s "$m" "$at/share/sora/$m"; ok "installs $m" $?
done
[ -x "$BUILD/sora" ] && { "$at/bin/sora" --version >"$tmp/out" 2>&1; ok "the installed program runs" $?; }

cat >"$tmp/host.c" <<'END'
#include <sora/sora.h>
#include <stdio.h>
int main(void) { return printf("%s\n", sora_version_string()) < 0; }
END
export PKG_CONFIG_PATH=$at/lib/pkgconfig
# --define-variable instead of a sysroot: zstd and the others stay where they are.
flags() { pkg-config --define-variable=prefix="$at" --define-variable=libdir="$at/lib" --define-variable=includedir="$at/include" "$@" sora; }
$cc -o "$tmp/shared" "$tmp/host.c" $(flags --cflags --libs) >"$tmp/out" 2>&1 && LD_LIBRARY_PATH=$at/lib "$tmp/shared" >"$tmp/out" 2>&1
ok "a host program links the shared library and runs" $?
[ "$(cat "$tmp/out")" = "$(pkg-config --modversion sora)" ]; ok "its version is the one in sora.pc" $?
rm -f "$at"/lib/libsora.so*
$cc -o "$tmp/static" "$tmp/host.c" $(flags --cflags) $(flags --static --libs) >"$tmp/out" 2>&1 && "$tmp/static" >"$tmp/out" 2>&1
ok "a host program links the archive and runs" $?

make -s uninstall DESTDIR="$tmp/root" >"$tmp/out" 2>&1 && [ -z "$(find "$tmp/root" -type f)" ]; ok "make uninstall leaves no file" $?
[ $fails = 0 ]
