#!/bin/bash
# sora generate with the tiny model: every kind of file, exact sizes, numbers, interruption.
. test/tiny/common.sh
gen() { run generate --quiet --model "$model" -p "a cat" --steps 2 "$@"; }
magic() { head -c 64 "$1" | tr -d '\0' | grep -aq "$2"; }

gen -o "$tmp/a.mp4"; ok "mp4" $?
magic "$tmp/a.mp4" ftyp; ok "is an mp4" $?
gen -o "$tmp/a.webm" && magic "$tmp/a.webm" webm; ok "webm" $?
gen -o "$tmp/a.gif" && magic "$tmp/a.gif" GIF89a; ok "gif" $?
gen -o "$tmp/a.webp" && magic "$tmp/a.webp" WEBP; ok "animated webp" $?
gen -o "$tmp/a.y4m" --size 50x37 --frames 7 && magic "$tmp/a.y4m" "YUV4MPEG2 W50 H37 F8:1"; ok "y4m" $?
[ "$(grep -ac '^FRAME' "$tmp/a.y4m")" -ge 1 ] && [ "$(wc -c <"$tmp/a.y4m")" -ge $((7 * (50 * 37 + 2 * 25 * 19))) ]; ok "an odd size gives exactly that size" $?
gen -o "$tmp/a.png" && magic "$tmp/a.png" PNG; ok "png of one frame" $?
gen -o "$tmp/frames" --frames 6 && [ "$(ls "$tmp/frames" | wc -l)" = 6 ] && magic "$tmp/frames/frame-0005.png" PNG; ok "a folder of png" $?
refused "the folder is there already" 1 generate --model "$model" -p x -o "$tmp/frames"
gen -o "$tmp/n.png" --count 3 --seed 5 --sheet "$tmp/sheet.png" && [ -s "$tmp/n-003.png" ] && [ ! -e "$tmp/n.png" ] && magic "$tmp/sheet.png" PNG; ok "several, and a sheet" $?
printf '# two of them\na cat\n\n  \na dog in the rain\r\n' >"$tmp/prompts"
run generate --quiet --model "$model" --prompts "$tmp/prompts" --steps 2 --seed 5 -o "$tmp/p.png" --sheet "$tmp/sheet2.png" && [ -s "$tmp/sheet2.png" ] &&
    cmp -s "$tmp/p-001.png" "$tmp/n-001.png" && [ ! -e "$tmp/p-003.png" ]; ok "a clip for each line of a file" $?
gen -o "$tmp/dog.png" -p "a dog in the rain" --seed 6 && cmp -s "$tmp/dog.png" "$tmp/p-002.png"; ok "each with its own prompt" $?
printf '\n# nothing\n' >"$tmp/no-prompts"
refused "a file without a prompt" 1 generate --model "$model" --prompts "$tmp/no-prompts" -o "$tmp/no.png"
refused "prompts that are not there" 1 generate --model "$model" --prompts "$tmp/nowhere" -o "$tmp/no.png"
refused "--prompts and a prompt" 2 generate --model "$model" --prompts "$tmp/prompts" -p x -o "$tmp/no.png"
for b in reference blas; do
    plugin=$(dirname "$sora")/libsora-$b.so
    if [ ! -f "$plugin" ]; then echo "SKIP --backend $b: it is not built"; continue; fi
    gen -o "$tmp/$b.png" --backend $b --dtype f32 && gen -o "$tmp/file.png" --backend "$plugin" --dtype f32 --threads 3 &&
        magic "$tmp/$b.png" PNG && cmp -s "$tmp/$b.png" "$tmp/file.png"
    ok "--backend $b, by name and by file" $?
done
refused "a backend that is not there" 1 generate -p x -o "$tmp/no.png" --backend nowhere
refused "a backend that is none" 1 generate -p x -o "$tmp/no.png" --backend "$tmp/a.png"
gen -o "$tmp/five.png" --seed 5 && cmp -s "$tmp/five.png" "$tmp/n-001.png"; ok "numbers are seeds" $?
! cmp -s "$tmp/n-001.png" "$tmp/n-002.png"; ok "another seed, another picture" $?
gen -o "$tmp/again.png" --seed 5 --threads 1 && cmp -s "$tmp/five.png" "$tmp/again.png"; ok "the same with one thread" $?
gen -o "$tmp/big.png" --size 320x192 --threads 2 && gen -o "$tmp/tight.png" --size 320x192 --threads 2 --memory 20 && cmp -s "$tmp/big.png" "$tmp/tight.png"
ok "the same in less memory" $?
refused "less memory than there must be" 1 generate --model "$model" -p x -o "$tmp/no.png" --memory 5 --threads 2
gen -o "$tmp/e.png" --sampler euler && gen -o "$tmp/d.png" --sampler dpmpp && ! cmp -s "$tmp/e.png" "$tmp/d.png"; ok "samplers differ" $?
gen -o "$tmp/w.png" --negative "rain" && gen -o "$tmp/w2.png" && ! cmp -s "$tmp/w.png" "$tmp/w2.png"; ok "a negative prompt counts" $?
gen -o "$tmp/a.gif" --frames 2; ok "a file is replaced" $?
SORA_MODEL=$model run generate --quiet -p x -o "$tmp/env.png" --steps 1; ok "the model of the environment" $?
if command -v ffprobe >/dev/null; then
    got=$(ffprobe -v error -count_frames -select_streams v -show_entries stream=width,height,nb_read_frames,r_frame_rate -of csv=p=0 "$tmp/a.mp4")
    [ "$got" = "32,32,8/1,5" ]; ok "mp4: size, rate, frames ($got)" $?
    gen -o "$tmp/odd.mp4" --size 33x35 --frames 4 --fps 12.5
    got=$(ffprobe -v error -count_frames -select_streams v -show_entries stream=width,height,nb_read_frames,r_frame_rate -of csv=p=0 "$tmp/odd.mp4")
    [ "$got" = "33,35,25/2,4" ]; ok "odd mp4 ($got)" $?
fi

# Longer than the model's own: window by window, each going on from the last.
gen -o "$tmp/short" --frames 6 --window 6 && gen -o "$tmp/windows" --frames 13 --window 6 && [ "$(ls "$tmp/windows" | wc -l)" = 13 ]; ok "13 frames in windows of 6" $?
for i in 0 1 2 3 4 5; do cmp -s "$tmp/short/frame-000$i.png" "$tmp/windows/frame-000$i.png" || break; done
[ $i = 5 ] && ! cmp -s "$tmp/windows/frame-0005.png" "$tmp/windows/frame-0006.png"; ok "the first window is that of a short clip, the next goes on" $?
gen -o "$tmp/again" --frames 13 --window 6 --threads 1 && diff -r "$tmp/windows" "$tmp/again" >/dev/null; ok "the same with one thread" $?
gen -o "$tmp/seconds" --seconds 2.5 && [ "$(ls "$tmp/seconds" | wc -l)" = 20 ]; ok "as many seconds as asked for" $?
gen --sheet "$tmp/long.png" --frames 40 && magic "$tmp/long.png" PNG; ok "a sheet of a long clip" $?

# Shots: one video; the first frames are those of the first text, an early cut too many is refused.
first() { cmp -s "$tmp/$1/frame-0000.png" "$tmp/$2/frame-0000.png"; }
run generate --quiet --model "$model" --steps 2 --seed 3 --shot "0.625:a cat" --shot "0.5: a dog" -o "$tmp/shots" && [ "$(ls "$tmp/shots" | wc -l)" = 9 ]
ok "shots with lengths" $?
run generate --quiet --model "$model" --steps 2 --seed 3 --shot "a cat" --shot "a dog" --frames 9 -o "$tmp/shots2" && [ "$(ls "$tmp/shots2" | wc -l)" = 9 ]
ok "shots that share the video" $?
run generate --quiet --model "$model" --steps 2 --seed 3 --shot "a cat" --shot "a cat" --frames 9 -o "$tmp/one" &&
    run generate --quiet --model "$model" --steps 2 --seed 3 -p "a cat" --frames 9 -o "$tmp/none" && first one none && ! first shots none
ok "two shots of one text are that text" $?
run generate --quiet --model "$model" --steps 2 --seed 3 --shot "a cat" --shot "1:a dog" --shot "a bird" --frames 20 --window 9 -o "$tmp/long-shots"
[ $? = 0 ] && [ "$(ls "$tmp/long-shots" | wc -l)" = 20 ]; ok "shots over several windows" $?
# Positions of pictures larger than those of training are drawn together where the transformer's config says how large these were (4 latents: 32 pixels).
cp -r "$model" "$tmp/trained" && sed -i 's/"patch_size"/"rope_trained_side": 4, "patch_size"/' "$tmp/trained/transformer/config.json"
same_as() { run generate --quiet --model "$model" -p x --frames 1 --size $1 -o "$tmp/p.png" && run generate --quiet --model "$tmp/trained" -p x --frames 1 --size $1 -o "$tmp/q.png" &&
    cmp -s "$tmp/p.png" "$tmp/q.png"; }
same_as 32x16 && same_as 32x32 && ! same_as 48x32 && ! same_as 32x48 && [ -s "$tmp/q.png" ]; ok "larger than in training" $?
refused "shots and a prompt" 2 generate --model "$model" --shot "a cat" -p "a dog" --frames 9 -o "$tmp/no"
refused "shots longer than the video" 2 generate --model "$model" --shot "9:a cat" --shot "a dog" --frames 9 -o "$tmp/no"

# Preview, then full: half the size, as many frames; the full one goes by it.
gen -o "$tmp/small" --size 64x48 --frames 6 --preview && gen -o "$tmp/half" --size 32x32 --frames 6 && diff -r "$tmp/small" "$tmp/half" >/dev/null
ok "a preview is a video of half the size" $?
gen -o "$tmp/full" --size 64x48 --frames 6 --full && gen -o "$tmp/alone" --size 64x48 --frames 6 && [ "$(ls "$tmp/full" | wc -l)" = 6 ] && ! first full alone
ok "a full video goes by its preview" $?
gen -o "$tmp/full2" --size 64x48 --frames 12 --window 6 --full && [ "$(ls "$tmp/full2" | wc -l)" = 12 ] && first full full2; ok "in windows too" $?
refused "preview and full at once" 2 generate --model "$model" -p x --preview --full -o "$tmp/no"

# Ctrl-C: status 1, one line, nothing left.
for sig in INT TERM; do
    "$sora" generate --quiet --model "$model" -p "a cat" --steps 1000 --frames 33 --size 128x128 -o "$tmp/long.mp4" >"$tmp/out" 2>"$tmp/err" </dev/null &
    pid=$!
    sleep 1
    kill -s $sig $pid 2>/dev/null; s=$?
    begin=$(date +%s)
    wait $pid
    code=$?
    [ $s = 0 ] && [ $code = 1 ] && [ $(($(date +%s) - begin)) -le 5 ] && grep -q '^sora: interrupted' "$tmp/err"; ok "SIG$sig stops it" $?
    [ ! -e "$tmp/long.mp4" ] && [ -z "$(find "$tmp" -name '*.part')" ]; ok "and leaves nothing" $?
done
finish
