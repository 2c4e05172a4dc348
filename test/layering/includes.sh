#!/bin/sh
# Which folder may include which: the table below is the architecture, and this test is what keeps it true.
# usage: includes.sh [ROOT]        prints one ok/FAIL line per folder and a line for every offence; status 1 on any.
set -u
cd "${1:-.}" || exit 2

dirs=
for d in include kernels lib tools examples bindings test/abi; do [ -d "$d" ] && dirs="$dirs $d"; done
[ -n "$dirs" ] || { echo "FAIL no sources to look at"; exit 1; }
files=$(find $dirs -name '*.c' -o -name '*.h' -o -name '*.inc' -o -name '*.cu' | LC_ALL=C sort)
[ -n "$files" ] || { echo "FAIL no sources to look at"; exit 1; }

# shellcheck disable=SC2086
LC_ALL=C awk '
function rule(from, to) { may[from] = " " to " " }
BEGIN {
    # Direct permissions; what a permitted folder may include is permitted too.
    rule("lib/base", "")
    rule("lib/tensor", "lib/base")
    rule("lib/backend", "lib/tensor kernels/kernel.h kernels/kernels.inc kernels/stored.h") # stored.h: what weights mean
    rule("lib/ops", "lib/tensor lib/backend/iface.h")
    rule("lib/io", "lib/tensor kernels/stored.h") # what the numbers in files mean
    rule("lib/text", "lib/ops")
    rule("lib/dit", "lib/ops")
    rule("lib/vae", "lib/ops")
    rule("lib/vision", "lib/ops")
    rule("lib/ltx", "lib/ops")
    rule("lib/probe", "lib/ops") # the attribute probe, a network like the three above
    rule("lib/sampler", "lib/ops")
    rule("lib/model", "lib/io lib/text lib/dit lib/vae lib/vision lib/ltx lib/probe")
    rule("lib/pipeline", "lib/model lib/sampler lib/backend/counting.h")
    rule("lib/train", "lib/pipeline/pipeline.h lib/model lib/sampler lib/backend")
    rule("lib/api", "lib/pipeline lib/train lib/backend")
    # Libraries that only some folders may know.
    only["jansson.h"] = "^lib/(io|model|train)/|^tools/" # parsed in io only; settings are read from the trees
    only["png.h"] = only["zstd.h"] = "^lib/io/"
    only["cblas.h"] = "^lib/backend/blas/"
    only["dlfcn.h"] = "^lib/backend/"
    only["pthread.h"] = "^lib/base/|^tools/|^examples/"
    std = "^(assert|ctype|errno|fenv|float|inttypes|limits|math|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|time)[.]h$"
    pure = "^(float|limits|math|stdbool|stddef|stdint|string|immintrin|cpuid|arm_neon)[.]h$"
    plain = "^(limits|stddef|stdint)[.]h$"
}
function folder(path,   p) { split(path, p, "/"); return p[1] == "lib" || p[1] == "test" ? p[1] "/" p[2] : p[1] }
function reaches(from, path,   n, i, t) {
    if (from == path || index(path, from "/") == 1) return 1
    n = split(may[from], t, " ")
    for (i = 1; i <= n; i++) if (reaches(t[i], path)) return 1
    return 0
}
# The arguments of an operation, which the contract hands from ops to a backend: part of what kernels/kernel.h stands for.
function contract(path,   t) { return split(path, t, "/") == 3 && t[1] == "kernels" && t[3] == t[2] ".h" }
function offence(why) { printf "FAIL %s:%d: %s: %s\n", FILENAME, FNR, $0, why; bad[where]++ }
FNR == 1 { where = folder(FILENAME); seen[where] += 0; cases = FILENAME ~ /_cases[.]c$/ }
/^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)[^a-z].*(CUDA|SORA_BACKEND_|__NVCC__)/ {
    if (where != "lib/backend" && where != "kernels" && where !~ /^include/) offence("backends are told apart in lib/backend only")
}
/^[ \t]*#[ \t]*include/ && !cases {
    seen[where]++
    if (match($0, /"[^"]*"/)) quoted = 1
    else if (match($0, /<[^>]*>/)) quoted = 0
    else if (where == "kernels") next # an X-macro list
    else { offence("not a plain include"); next }
    name = substr($0, RSTART + 1, RLENGTH - 2)
    if (name ~ /^sora\//) quoted = 0 # public headers may be written either way
    if (name ~ /(^|\/)[.][.]?\//) { offence("includes go from the root of the tree"); next }
    if (!quoted && name ~ /^(lib|kernels|tools|test)\//) { offence("own files are included with quotes"); next }
    if (name in only && FILENAME !~ only[name]) { offence("only " only[name] " may use it"); next }

    if (where == "include") {
        if (name !~ /^sora\// && (quoted || name !~ plain)) offence("public headers use <sora/...>, stddef, stdint and limits")
    } else if (where == "kernels") {
        if (quoted ? name !~ /^kernels\// : name !~ pure) offence("kernels know their own headers, intrinsics, math and string")
    } else if (where ~ /^lib\//) {
        if (!(where in may)) offence(where " is not in the table")
        else if (!quoted) { if (name ~ /^(cairo|libav|libsw|webp)/) offence("lib does not know " name) }
        else if ((where == "lib/ops" || where == "lib/backend") && contract(name)) next
        else if (!reaches(where, name)) offence(where " may not include it")
    } else if (quoted) {
        if (where == "tools" ? name !~ /^tools\// : name !~ "^" where "/") offence(where " sees the public headers only")
    }
}
END {
    for (w in seen) { printf "%s %s: %d includes\n", w in bad ? "FAIL" : "ok  ", w, seen[w]; fails += (w in bad) }
    exit fails > 0
}' $files
