#!/bin/bash
# Fuzzes each target for a while, two at a time. usage: run.sh FOLDER-OF-PROGRAMS SECONDS [NAME]
# New inputs gather beside the programs; a finding is kept under artifacts/ and makes the run fail.
set -u
dir=$1 seconds=$2 only=${3:-}
cd "$(dirname "$0")/../.." || exit 2
mkdir -p "$dir/artifacts" "$dir/logs"
rm -f "$dir"/artifacts/*
names=()
for f in test/fuzz/fuzz_*.c; do
    n=$(basename "$f" .c); n=${n#fuzz_}
    [ -z "$only" ] || [ "$only" = "$n" ] && names+=("$n")
done
[ ${#names[@]} -gt 0 ] || { echo "no fuzz target${only:+ called $only}"; exit 1; }

fuzz_one() {
    local n=$1
    mkdir -p "$dir/corpus/$n"
    local seeds=
    [ -d "test/fuzz/corpus/$n" ] && seeds=test/fuzz/corpus/$n
    if "$dir/fuzz_$n" -max_total_time="$seconds" -rss_limit_mb=3000 -malloc_limit_mb=2000 -timeout=25 -print_final_stats=1 \
        -artifact_prefix="$dir/artifacts/$n-" "$dir/corpus/$n" $seeds >"$dir/logs/$n.log" 2>&1; then
        echo "ok   $n: $(awk '/number_of_executed_units/ { print $2 }' "$dir/logs/$n.log") runs in $seconds s, no finding"
    else
        echo "FAIL $n: see $dir/logs/$n.log"; grep -E 'ERROR|SUMMARY|runtime error' "$dir/logs/$n.log" | head -5
    fi
}
export -f fuzz_one
export dir seconds
printf '%s\n' "${names[@]}" | xargs -P 2 -I{} bash -c 'fuzz_one {}' | tee "$dir/logs/summary"
bad=$(grep -c ^FAIL "$dir/logs/summary")
echo "$((${#names[@]} - bad)) passed, $bad failed"
[ "$bad" = 0 ]
