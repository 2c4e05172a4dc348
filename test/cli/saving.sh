#!/bin/sh
# --save: a command that was stopped in the middle of sampling goes on, to the same bytes: a preview with its full video in windows, shots, an operation.
. test/tiny/common.sh

# Begins the command, stops it as soon as file $1 is in the folder; what it said is looked at.
stop_at() {
    file=$tmp/saved/$1
    shift
    "$sora" "$@" --save "$tmp/saved" >"$tmp/out" 2>"$tmp/err" &
    pid=$!
    tries=0
    while [ ! -e "$file" ] && [ $tries -lt 600 ] && kill -0 $pid 2>/dev/null; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -INT $pid 2>/dev/null
    wait $pid
    [ $? = 1 ] && [ -e "$file" ] && grep -q "^sora: interrupted; the same command goes on" "$tmp/err"
}
goes_on() { # what it is, a place to stop, another one, command...
    what=$1 first=$2 second=$3
    shift 3
    run "$@" -o "$tmp/whole"; ok "$what: at one go" $?
    stop_at "$first" "$@" -o "$tmp/parts"; ok "$what: stopped" $?
    [ ! -e "$tmp/parts" ]; ok "$what: nothing is written" $?
    stop_at "$second" "$@" -o "$tmp/parts"; ok "$what: stopped again" $?
    for f in "$second" window-000000.safetensors; do # both are read, or nothing would come of this
        cp "$tmp/saved/$f" "$tmp/kept" && head -c 40 "$tmp/kept" >"$tmp/saved/$f"
        run "$@" -o "$tmp/parts" --save "$tmp/saved"; [ $? = 1 ] && [ ! -e "$tmp/parts" ]; ok "$what: a file cut short is refused" $?
        mv "$tmp/kept" "$tmp/saved/$f"
    done
    run "$@" --seed 6 -o "$tmp/parts" --save "$tmp/saved"; [ $? = 1 ] && grep -q "another command" "$tmp/err"; ok "$what: another command is refused" $?
    if [ "$input" ]; then # a file that the windows which are done were made of
        cp "$input" "$tmp/kept" && cp "$(dirname "$input")/frame-0003.png" "$input"
        run "$@" -o "$tmp/parts" --save "$tmp/saved"; [ $? = 1 ] && [ ! -e "$tmp/parts" ] && grep -q "inputs" "$tmp/err"; ok "$what: another input is refused" $?
        cp "$tmp/kept" "$input"
    fi
    run "$@" -o "$tmp/parts" --save "$tmp/saved" && diff -r "$tmp/whole" "$tmp/parts" >/dev/null; ok "$what: the same bytes" $?
    [ ! -e "$tmp/saved" ]; ok "$what: what was saved is gone" $?
    rm -rf "$tmp/whole" "$tmp/parts"
}
set -- --quiet --model "$model" --steps 300 --seed 5
input=
goes_on "full" run-000001.safetensors run-000003.safetensors generate -p "a cat" --size 64x48 --frames 10 --window 6 --full "$@"
goes_on "shots" run-000000.safetensors run-000001.safetensors generate --shot "a cat" --shot "a dog" --size 32x32 --frames 14 --window 9 "$@"
run generate --quiet --model "$model" --steps 1 -p "a cat" --size 32x32 --frames 6 -o "$tmp/clip"
input=$tmp/clip/frame-0001.png
goes_on "extend" run-000000.safetensors run-000001.safetensors extend "$tmp/clip" --before 0.5 --after 0.5 -p "a cat" --fps 8 --size 32x32 "$@"
refused "a folder that cannot be made" 1 generate -p x --model "$model" -o "$tmp/no" --save "$tmp/no/such"
finish
