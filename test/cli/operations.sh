#!/bin/bash
# animate, extend, loop, edit, connect, fill and inpaint: what is given stays, what is asked for is made, nothing half-written.
. test/tiny/common.sh

frames() { find "$1" -name '*.png' 2>/dev/null | wc -l; }
same() { cmp -s "$(frame "$1" "$2")" "$(frame "$3" "$4")"; } # folder, frame, folder, frame: are these the same pictures
frame() { find "$1" -name '*.png' | sort | sed -n "$(($2 + 1))p"; }
common="--model $model --steps 2 --seed 4 --quiet --size 32x32 -p cat"

run world --seed 3 --count 2 --size 32x32 --frames 7 -o "$tmp/w" --quiet
mkdir "$tmp/a" "$tmp/b" && cp "$(ls -d "$tmp"/w/clip-* | sed -n 1p)"/frame-*.png "$tmp/a" && cp "$(ls -d "$tmp"/w/clip-* | sed -n 2p)"/frame-*.png "$tmp/b"
[ "$(frames "$tmp/a")" = 7 ] && [ "$(frames "$tmp/b")" = 7 ]; ok "two clips to work on" $?

run animate "$(frame "$tmp/a" 0)" $common -o "$tmp/animate"
[ $? = 0 ] && [ "$(frames "$tmp/animate")" = 5 ] && same "$tmp/animate" 0 "$tmp/a" 0 && ! same "$tmp/animate" 1 "$tmp/a" 0
ok "animate begins with the image and moves on" $?
run animate "$(frame "$tmp/a" 0)" $common --seconds 2 -o "$tmp/animate2"
[ $? = 0 ] && [ "$(frames "$tmp/animate2")" = 16 ]; ok "animate as long as it was asked to" $?

run extend "$tmp/a" $common --before 0.25 --after 0.5 -o "$tmp/extend"
[ $? = 0 ] && [ "$(frames "$tmp/extend")" = 13 ]; ok "extend adds before and behind" $?
kept=0
for i in 0 1 2 3 4 5 6; do same "$tmp/extend" $((i + 2)) "$tmp/a" $i || kept=1; done
ok "extend leaves the clip as it was" $kept
run extend "$tmp/a" $common --before 0.25 --after 0.5 -o "$tmp/extend-again"
diff -r "$tmp/extend" "$tmp/extend-again" >/dev/null; ok "the same seed makes the same frames" $?

# What goes on from given frames has a guidance of its own where the model says so; the rest keeps the model's, and --guidance rules both.
cp -r "$model" "$tmp/given" && sed -i 's/"guidance": 3,/"guidance": 3, "guidance_given": 1.5,/' "$tmp/given/model_index.json"
run animate "$(frame "$tmp/a" 0)" $common --guidance 1.5 -o "$tmp/low" && run animate "$(frame "$tmp/a" 0)" $common --model "$tmp/given" -o "$tmp/own" &&
    diff -r "$tmp/low" "$tmp/own" >/dev/null && ! diff -r "$tmp/animate" "$tmp/own" >/dev/null; ok "guidance_given for what goes on from an image" $?
run animate "$(frame "$tmp/a" 0)" $common --model "$tmp/given" --guidance 3 -o "$tmp/high" && diff -r "$tmp/animate" "$tmp/high" >/dev/null
ok "and --guidance in its place" $?
# Steps below a noise level go without guidance where the model or --guidance_until says so (the second of two steps begins at 0.75).
cp -r "$model" "$tmp/until" && sed -i 's/"guidance": 3,/"guidance": 3, "guidance_until": 0.8,/' "$tmp/until/model_index.json"
run generate $common --frames 1 -o "$tmp/g.png" && run generate $common --frames 1 --guidance_until 0.8 -o "$tmp/g8.png" &&
    run generate $common --frames 1 --model "$tmp/until" -o "$tmp/gm.png" && run generate $common --frames 1 --model "$tmp/until" --guidance_until 0 -o "$tmp/g0.png" &&
    cmp -s "$tmp/g8.png" "$tmp/gm.png" && cmp -s "$tmp/g.png" "$tmp/g0.png" && ! cmp -s "$tmp/g.png" "$tmp/g8.png"; ok "guidance_until of the model and of the caller" $?
cp -r "$model" "$tmp/beyond" && sed -i 's/"guidance": 3,/"guidance": 3, "guidance_until": 1.5,/' "$tmp/beyond/model_index.json"
refused "a model whose guidance_until is no noise level" 1 info "$tmp/beyond"
run edit "$tmp/a" $common -o "$tmp/edited" && run edit "$tmp/a" $common --model "$tmp/given" -o "$tmp/edited-given" && diff -r "$tmp/edited" "$tmp/edited-given" >/dev/null
ok "an edit keeps the model's guidance" $?
run edit "$tmp/a" $common --free --strength 0.85 -o "$tmp/edited-free" && ! diff -r "$tmp/edited" "$tmp/edited-free" >/dev/null; ok "an edit follows the clip, unless it is free" $?
run edit "$tmp/a" $common --source "a dog" -o "$tmp/edited-source" && ! diff -r "$tmp/edited" "$tmp/edited-source" >/dev/null; ok "and is told what the clip shows" $?
run connect "$tmp/a" "$tmp/b" $common --source "a dog" -o "$tmp/none"; [ $? = 2 ]; ok "which is for edits alone" $?

run loop "$tmp/a" $common --seconds 0.375 -o "$tmp/loop"
[ $? = 0 ] && [ "$(frames "$tmp/loop")" = 10 ] && same "$tmp/loop" 6 "$tmp/a" 6; ok "loop adds the way back" $?

run connect "$tmp/a" "$tmp/b" $common --seconds 0.5 -o "$tmp/connect"
[ $? = 0 ] && [ "$(frames "$tmp/connect")" = 18 ] && same "$tmp/connect" 6 "$tmp/a" 6 && same "$tmp/connect" 11 "$tmp/b" 0
ok "connect lays frames between two clips" $?

run fill "$tmp/a" $common --missing 2-3,6 -o "$tmp/fill"
kept=$?
for i in 0 1 4 5; do same "$tmp/fill" $i "$tmp/a" $i || kept=1; done
for i in 2 3 6; do ! same "$tmp/fill" $i "$tmp/a" $i || kept=1; done
ok "fill makes the missing frames and no others" $kept

run edit "$tmp/a" $common --strength 0 -o "$tmp/edit0"
diff -r "$tmp/edit0" "$tmp/a" >/dev/null; ok "edit of strength 0 gives the clip back" $?
run edit "$tmp/a" $common --strength 0.9 -o "$tmp/edit"
[ $? = 0 ] && [ "$(frames "$tmp/edit")" = 7 ] && ! same "$tmp/edit" 0 "$tmp/a" 0; ok "edit makes as many frames anew" $?

run world --seed 9 --size 32x32 --frames 1 -o "$tmp/w2" --quiet
half_mask >"$tmp/half.pgm"
run inpaint "$tmp/a" $common --mask "$tmp/half.pgm" -o "$tmp/inpaint" && ! same "$tmp/inpaint" 0 "$tmp/a" 0; ok "inpaint under a mask" $?
run inpaint "$tmp/a" $common --mask "$tmp/half.pgm" --free -o "$tmp/inpaint-free" && ! diff -r "$tmp/inpaint" "$tmp/inpaint-free" >/dev/null
ok "inpaint follows the clip, unless it is free" $?
run inpaint "$tmp/a" $common --mask "$tmp/half.pgm" --free --strength 1 -o "$tmp/inpaint-all" && diff -r "$tmp/inpaint-free" "$tmp/inpaint-all" >/dev/null
ok "and then forgets the region" $?
run inpaint "$tmp/a" $common --mask "$tmp/half.pgm" --model "$tmp/until" -o "$tmp/inpaint-until" && diff -r "$tmp/inpaint" "$tmp/inpaint-until" >/dev/null &&
    run edit "$tmp/a" $common --model "$tmp/until" -o "$tmp/edited-until" && ! diff -r "$tmp/edited" "$tmp/edited-until" >/dev/null
ok "inpaint is guided to the end, edits as the model says" $?
run inpaint "$tmp/a" $common --mask "$tmp/half.pgm" --strength 0 -o "$tmp/inpaint0" && diff -r "$tmp/inpaint0" "$tmp/a" >/dev/null
ok "inpaint of strength 0 gives the clip back" $?
run inpaint "$tmp/a" $common --mask "$(frame "$tmp/b" 0)" -o "$tmp/inpaint2"
[ $? = 0 ] && [ "$(frames "$tmp/inpaint2")" = 7 ]; ok "inpaint under a mask of any picture" $?

# The same operations on the relatives, with random weights: joined channels, first and last picture, control branch, a timestep for each
# token, replacement with and without steps done over. Given frames stay as they are in all of them.
says() { run info "$1" && grep -q "^conditions  *$2\$" "$tmp/out"; }
for k in "t2v replacement" "i2v joined channels, replacement" "flf joined channels, replacement" "i2v_a14b joined channels, replacement" \
    "vace control branch, replacement" "ti2v timesteps of tokens"; do
    name=${k%% *}
    sh test/tiny/make.sh "$tmp/$name" "$name" && says "$tmp/$name" "${k#* }"; ok "$name: info says how conditions reach it" $?
    common="--model $tmp/$name --steps 2 --seed 4 --quiet --size 32x32 -p cat"
    o=$tmp/of-$name
    run animate "$(frame "$tmp/a" 0)" $common -o "$o-animate" && same "$o-animate" 0 "$tmp/a" 0 && ! same "$o-animate" 1 "$tmp/a" 0
    ok "$name: animate" $?
    run extend "$tmp/a" $common --before 0.25 --after 0.25 -o "$o-extend" && [ "$(frames "$o-extend")" = 11 ] && same "$o-extend" 2 "$tmp/a" 0 &&
        same "$o-extend" 8 "$tmp/a" 6
    ok "$name: extend" $?
    run loop "$tmp/a" $common --seconds 0.375 -o "$o-loop" && [ "$(frames "$o-loop")" = 10 ]; ok "$name: loop" $?
    run edit "$tmp/a" $common --strength 0.9 -o "$o-edit" && ! same "$o-edit" 0 "$tmp/a" 0; ok "$name: edit" $?
    run connect "$tmp/a" "$tmp/b" $common --seconds 0.5 -o "$o-connect" && same "$o-connect" 11 "$tmp/b" 0; ok "$name: connect" $?
    if [ "$name" = t2v ]; then # with two steps, of a latent frame that is given in half and fades in half nothing is left to the prompt
        run fill "$tmp/a" $common --missing 2-3 -o "$o-fade" && run fill "$tmp/a" $common --missing 2-3 -p "a dog" -o "$o-fade2" && same "$o-fade" 2 "$o-fade2" 2
        ok "$name: what is between begins as a cross-fade" $?
    fi
    common="$common --steps 5" # with two, what lies in a latent frame with given ones is held to the end
    run fill "$tmp/a" $common --missing 2-3 -o "$o-fill" && same "$o-fill" 4 "$tmp/a" 4 && ! same "$o-fill" 2 "$tmp/a" 2; ok "$name: fill" $?
    run fill "$tmp/a" $common --missing 2-3 --resample 1 -o "$o-again"
    [ $? = 0 ] && same "$o-again" 4 "$tmp/a" 4 && ! same "$o-again" 2 "$o-fill" 2; ok "$name: fill, steps done over" $?
    run inpaint "$tmp/a" $common --mask "$tmp/half.pgm" -o "$o-inpaint" && ! same "$o-inpaint" 0 "$tmp/a" 0; ok "$name: inpaint" $?
done
common="--model $model --steps 2 --seed 4 --quiet --size 32x32 -p cat"

refused "extend without seconds" 2 extend "$tmp/a" $common -o "$tmp/no"
refused "fill of a frame that is not there" 2 fill "$tmp/a" $common --missing 7 -o "$tmp/no"
refused "fill of no list" 2 fill "$tmp/a" $common --missing 1-x -o "$tmp/no"
refused "fill of everything" 2 fill "$tmp/a" $common --missing 0-6 -o "$tmp/no"
refused "inpaint without a mask" 2 inpaint "$tmp/a" $common -o "$tmp/no"
printf 'P5 2 1 255\n\000\377' >"$tmp/mask.pgm"
refused "a mask of another shape" 1 inpaint "$tmp/a" $common --mask "$tmp/mask.pgm" -o "$tmp/no"
refused "connect of one clip" 2 connect "$tmp/a" $common -o "$tmp/no"
refused "an input that is not there" 1 animate "$tmp/none.png" $common -o "$tmp/no"
refused "an input that is no picture" 1 animate "$model/model_index.json" $common -o "$tmp/no"
refused "a place of unknown kind" 2 animate "$(frame "$tmp/a" 0)" $common -o "$tmp/no.xyz"
[ ! -e "$tmp/no" ]; ok "what is refused leaves nothing behind" $?
for c in animate extend loop edit connect fill inpaint; do
    run $c --help; [ $? = 0 ] && grep -q "^usage: sora $c" "$tmp/out" && grep -q "Examples:" "$tmp/out"; ok "$c --help" $?
done
finish
