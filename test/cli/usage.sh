#!/bin/bash
# Help, wrong usage (status 2), failures (status 1): one line each, and stdout that cannot be written.
. test/tiny/common.sh

for c in generate train eval world info bench tokenize tokenizer stage convert "stage text" "stage denoise" "stage encode" "stage decode" "stage sample"; do
    # shellcheck disable=SC2086
    run $c --help; s=$?
    [ $s = 0 ] && [ -s "$tmp/out" ] && [ ! -s "$tmp/err" ] && grep -q '^usage: sora' "$tmp/out"; ok "$c --help" $?
    if [ "$c" != stage ]; then
        grep -q 'Example' "$tmp/out"; ok "$c --help has an example" $?
    fi
done
run --help && grep -q '^  generate ' "$tmp/out"; ok "sora --help lists commands" $?
run --version && grep -q '^libsora [0-9]' "$tmp/out"; ok "sora --version" $?
# Every parameter of the library is an option.
run generate --help
for p in prompt negative width height frames fps seed steps guidance shift sampler; do
    grep -q -- "--$p" "$tmp/out"; ok "generate has --$p" $?
done

refused "no command" 2
refused "unknown command" 2 frobnicate
refused "unknown option" 2 generate --frobnicate
refused "an option without its value" 2 generate -p
refused "no number" 2 generate -p x -o "$tmp/a.mp4" --steps many
refused "a number out of range" 2 generate -p x -o "$tmp/a.mp4" --steps 5000
refused "a number beyond any range" 2 generate -p x -o "$tmp/a.mp4" --seed 99999999999999999999
refused "no size" 2 generate -p x -o "$tmp/a.mp4" --size 12
refused "no choice" 2 generate -p x -o "$tmp/a.mp4" --sampler fast
refused "a flag with a value" 2 info "$model" --json=1
refused "no prompt" 2 generate -o "$tmp/a.mp4"
refused "no place" 2 generate -p x
refused "unknown extension" 2 generate -p x -o "$tmp/a.avi"
refused "several frames for a png" 2 generate -p x -o "$tmp/a.png" --frames 2
refused "too many words" 2 info a b
refused "unknown stage" 2 stage fly "$model"
refused "stage without input" 2 stage decode "$model" --out "$tmp/a"
refused "control characters of an argument stay out" 2 "$(printf 'a\033[31m\nb')"
refused "a very long argument" 2 "$(head -c 5000 /dev/zero | tr '\0' x)"

refused "no attribute's value" 2 world --subject sofa
refused "world: a size out of range" 2 world --size 5x5

refused "no such model" 1 generate -p x -o "$tmp/a.mp4" --model "$tmp/none"
refused "no such folder" 1 generate -p x -o "$tmp/none/a.mp4" --model "$model"
refused "output is a folder" 1 generate -p x -o "$tmp/a.mp4" --model "$model" --sheet "$tmp"
mkfifo "$tmp/pipe.mp4"
refused "output is a pipe" 1 generate -p x -o "$tmp/pipe.mp4" --model "$model"
refused "output of a stage is a device" 1 stage text "$model" --prompt x --out /dev/null
refused "info of nothing" 1 info "$tmp/none"
printf 'not a model' >"$tmp/text"
refused "info of a text" 1 info "$tmp/text"
refused "convert from nothing" 1 convert "$tmp/none" "$tmp/b.sora"
refused "single files, for now" 1 stage text --text x --tokenizer y --prompt z --out "$tmp/a"

if [ -w /dev/full ]; then
    for c in "--help" "--version" "info $model" "info --json $model" "tokenize $model cat" "generate --help" "stage --help"; do
        # shellcheck disable=SC2086
        timeout 60 "$sora" $c >/dev/full 2>"$tmp/err" </dev/null
        [ $? = 1 ] && [ "$(cat "$tmp/err")" = "sora: stdout: could not be written" ]; ok "full stdout: ${c%% *}" $?
    done
fi
[ -z "$(find "$tmp" -name '*.part*')" ]; ok "nothing half-written is left" $?
finish
