#!/bin/bash
# Runs the parts of `make check` one after the other and adds up. usage: BUILD=dir test/check.sh PART...
# A part is counted by its own last line ("N passed, M failed", or libcheck's "Checks: N, Failures: F, Errors: E"), else by
# its ok/FAIL lines. A part that ends badly without naming a failure, or that counted nothing, is itself one failure.
set -u
top=$(cd "$(dirname "$0")/.." && pwd) || exit 2
cd "$top" || exit 2
BUILD=${BUILD:-build}
export BUILD TOP=$top SORA=$top/$BUILD/sora MODEL=$top/models/nano.sora LC_ALL=C
case $BUILD in /*) SORA=$BUILD/sora ;; esac
logs=$BUILD/check
mkdir -p "$logs" || exit 2
limit=${CHECK_LIMIT:-540} # seconds for one part: the whole must end in under ten minutes
passed=0 failed=0 skipped=0

count() { # log, status -> "passed failed skipped"
    awk -v status="$2" '
        /^[0-9]+ passed, [0-9]+ failed/ { p = $1 + 0; f = $3 + 0; s = ($6 ~ /^skipped/ ? $5 : 0) + 0; said = 1 }
        match($0, /Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/) {
            split(substr($0, RSTART, RLENGTH), t, /[^0-9]+/)
            f = t[3] + t[4]; p = t[2] - f; said = 1
        }
        /^ok([ \t]|$)/ { oks++ }
        /^FAIL([ \t:]|$)/ { bads++ }
        /^(SKIP|skip)([ \t:]|$)/ { skips++ }
        END {
            if (!said) { p = oks + 0; f = bads + 0 }
            if (!s) s = skips + 0
            if (status != 0 && f == 0) f = 1
            if (status == 0 && p + f + s == 0) f = 1
            print p + 0, f + 0, s + 0
        }' "$1"
}

part() { # name command...
    local name=$1 log status begin p f s
    shift
    log=$logs/$(printf %s "$name" | tr '/ ' '__').log
    begin=$(date +%s)
    timeout --kill-after=10 "$limit" "$@" >"$log" 2>&1 </dev/null
    status=$?
    read -r p f s < <(count "$log" $status)
    printf '%-28s %5d passed %4d failed %4d skipped  %4ds\n' "$name" "$p" "$f" "$s" $(($(date +%s) - begin))
    if [ "$f" -gt 0 ]; then
        [ $status = 124 ] && echo "    stopped after $limit s"
        [ $status -gt 128 ] && echo "    ended by signal $((status - 128))"
        { grep -E '^FAIL|:[EF]:|[Ee]rror|ERROR' "$log" || tail -n 15 "$log"; } | head -n 30 | sed 's/^/    /'
        echo "    (all of it: $log)"
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

each() { # prefix, files...: one part per test script
    local prefix=$1 f
    shift
    for f in "$@"; do
        [ -f "$f" ] && part "$prefix/$(basename "$f" .sh)" bash "$f"
    done
}

for what in "$@"; do
    case $what in
    unit) part unit "$BUILD/test/unit" ;;
    kernels) part kernels "$BUILD/test/checkkernel" ;;
    alloc) part alloc "$BUILD/test/alloc" ;;
    parity) part parity "$BUILD/test/parity" ;;
    golden)
        for f in test/golden/*.c; do
            [ -f "$f" ] && part "golden/$(basename "$f" .c)" "$BUILD/test/golden/$(basename "$f" .c)"
        done
        each golden test/golden/*.sh ;;
    fuzz)
        for f in test/fuzz/fuzz_*.c; do
            n=$(basename "$f" .c)
            part "fuzz replay/${n#fuzz_}" "$BUILD/test/fuzz/$n" "test/fuzz/corpus/${n#fuzz_}"
        done ;;
    cli) each cli test/cli/*.sh ;;
    layering)
        part "layering/includes" sh test/layering/includes.sh
        part "layering/symbols" sh test/layering/symbols.sh "$BUILD"
        part "layering/selftest" bash test/layering/selftest.sh "${CC:-gcc}" ;;
    headers)
        part "headers/compile" bash test/abi/headers.sh
        part "headers/snippets" bash test/abi/snippets.sh "$BUILD" "${CC:-gcc}"
        part "headers/selftest" bash test/abi/selftest.sh ;;
    examples) part examples bash test/examples.sh ;;
    python) part python bash test/python.sh ;;
    *) echo "check.sh: no part is called $what" >&2; exit 2 ;;
    esac
done
[ $skipped -gt 0 ] && echo "$skipped skipped (this machine cannot run them; the logs in $logs name them)"
[ $((passed + failed)) -gt 0 ] || failed=1
echo "$passed passed, $failed failed"
[ $failed = 0 ]
