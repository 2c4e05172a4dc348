#!/bin/bash
# Proof that the layering and symbol tests can fail: each offence is planted in a small tree of its own and must be found.
# usage: selftest.sh CC
set -u
cc=${1:-gcc}
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
fails=0
result() { # name, wanted status (0 clean, 1 offence), found status
    if [ "$2" = "$3" ]; then echo "ok   selftest: $1"; else echo "FAIL selftest: $1 (status $3, wanted $2)"; fails=$((fails + 1)); fi
}

includes() { # name, wanted, file, line...
    rm -rf "$tmp/t"; mkdir -p "$tmp/t/$(dirname "$3")"
    printf '%s\n' "${@:4}" >"$tmp/t/$3"
    sh "$here/includes.sh" "$tmp/t" >"$tmp/out" 2>&1
    result "$1" "$2" $?
}
includes "a clean file passes" 0 lib/dit/a.c '#include <stdint.h>' '#include "lib/dit/b.h"' '#include "lib/ops/ops.h"' '#include "lib/base/alloc.h"'
includes "base may not include ops" 1 lib/base/a.c '#include "lib/ops/ops.h"'
includes "networks may not read files" 1 lib/dit/a.c '#include "lib/io/safetensors.h"'
includes "networks may not know each other" 1 lib/vae/a.c '#include "lib/dit/dit.h"'
includes "ops may see the contract" 0 lib/ops/a.c '#include "lib/backend/iface.h"'
includes "ops may not see a particular backend" 1 lib/ops/a.c '#include "lib/backend/cpu/cpu.h"'
includes "ops may see the arguments of an operation" 0 lib/ops/a.c '#include "kernels/rope/rope.h"'
includes "ops may not see a kernel's own headers" 1 lib/ops/a.c '#include "kernels/rope/tables.h"'
includes "networks may not see the arguments of an operation" 1 lib/dit/a.c '#include "kernels/rope/rope.h"'
includes "networks may not call kernels" 1 lib/text/a.c '#include "kernels/kernel.h"'
includes "the model may not see the pipeline" 1 lib/model/a.c '#include "lib/pipeline/pipeline.h"'
includes "training may not see the pipeline's private parts" 1 lib/train/a.c '#include "lib/pipeline/plan.h"'
includes "kernels may not allocate" 1 kernels/x/x_ref.c '#include <stdlib.h>'
includes "kernels may not include lib" 1 kernels/x/x_ref.c '#include "lib/base/alloc.h"'
includes "tools may not include lib" 1 tools/a.c '#include "lib/base/alloc.h"'
includes "examples may not include tools" 1 examples/a.c '#include "tools/x.h"'
includes "a public header may not include stdbool" 1 include/sora/a.h '#include <stdbool.h>'
includes "paths with dots are refused" 1 lib/base/a.c '#include "../tensor/t.h"'
includes "zstd stays in io" 1 lib/model/a.c '#include <zstd.h>'
includes "a folder outside the table is refused" 1 lib/util/a.c '#include "lib/base/alloc.h"'
includes "a backend ifdef outside lib/backend is refused" 1 lib/ops/a.c '#ifdef SORA_CUDA' '#endif'
includes "an empty tree is no success" 1 README ''

symbols() { # name, wanted, line of C to add, [name to add to the map]
    rm -rf "$tmp/t"; mkdir -p "$tmp/t/include/sora" "$tmp/t/lib" "$tmp/t/test/layering" "$tmp/t/build/obj/lib"
    (
        cd "$tmp/t" || exit 9
        cp "$here"/*.sh test/layering/
        printf '#define SORA_API __attribute__((visibility("default")))\nSORA_API int\nsora_one(void);\n/* SORA_API int sora_comment(void); */\n' >include/sora/sora.h
        printf 'SORA_0.1 { global: sora_one; %s local: *; };\n' "${4:-}" >lib/libsora.map
        printf '#include <stdio.h>\n#include <stdlib.h>\n#include "include/sora/sora.h"\nint sora_one(void) { return 1; }\n%s\n' "$3" >lib/a.c
        $cc -I. -O1 -fPIC -fvisibility=hidden -c lib/a.c -o build/obj/lib/a.o &&
            ar rcs build/libsora.a build/obj/lib/a.o &&
            $cc -shared -Wl,-soname,libsora.so.0 -Wl,--version-script=lib/libsora.map -o build/libsora.so.0 build/obj/lib/a.o
    ) || { result "$1 (did not build)" "$2" 9; return; }
    (cd "$tmp/t" && sh test/layering/symbols.sh build . >"$tmp/out" 2>&1)
    result "$1" "$2" $?
    [ "$2" = 1 ] && [ "$(grep -c ^FAIL "$tmp/out")" -gt "${5:-1}" ] && { echo "FAIL selftest: $1: more than one complaint"; cat "$tmp/out"; fails=$((fails + 1)); }
}
symbols "a clean library passes" 0 'int sorai_two(void); int sorai_two(void) { return 2; }'
symbols "a map entry without a declaration" 1 '' 'sora_gone;'
symbols "a function exported and not declared" 1 'SORA_API int sora_two(void); int sora_two(void) { return 2; }' 'sora_two;' 3
symbols "a global symbol without prefix" 1 'int helper(void); int helper(void) { return 2; }'
symbols "printing" 1 'void sorai_p(void); void sorai_p(void) { puts("x"); }'
symbols "stderr" 1 'void sorai_p(int x); void sorai_p(int x) { fprintf(stderr, "%d", x); }'
symbols "exit" 1 'void sorai_p(void); void sorai_p(void) { exit(1); }'
symbols "getenv" 1 'char *sorai_p(void); char *sorai_p(void) { return getenv("X"); }'
symbols "a writable global" 1 'int sorai_p(void); int sorai_p(void) { static int n; return n++; }'
symbols "a constant table is fine" 0 'const int *sorai_p(int i); const int *sorai_p(int i) { static const int t[] = {1, 2}; static const int *const q[] = {t, t + 1}; return q[i]; }'
[ "$(uname -m)" = x86_64 ] &&
    symbols "vector code in a baseline file" 1 'typedef float v __attribute__((vector_size(32))); __attribute__((target("avx"))) void sorai_p(v *a); __attribute__((target("avx"))) void sorai_p(v *a) { *a += *a; }'
[ $fails = 0 ]
