#!/bin/bash
# A probe of a few steps, then sora eval with it: the table, JSON, repeatability, refusals. And sora tokenizer, sora bench.
. test/tiny/common.sh
cat >"$tmp/probe.json" <<'END'
{"train": "probe", "seed": 7, "steps": 3, "products": "f32", "optimizer": {"name": "adamw", "rate": 0.002},
 "probe": {"width": 8, "values": [13, 6, 9, 16, 8, 5, 11, 5, 8, 5, 5, 13, 6, 9, 3, 2]},
 "data": {"fps": 8, "buckets": [{"size": [32, 32], "frames": 5, "batch": 2}]}}
END
run train "$tmp/probe.json" --out "$tmp/probe" --with "$model" --quiet --measure-every 0; ok "a probe is trained" $?
judge=$tmp/probe/model.sora
run info "$judge" && grep -q '^probe' "$tmp/out" && grep -q '^transformer' "$tmp/out" && grep -q '32 x 32, 5 frames' "$tmp/out"
ok "the model has all parts and its defaults" $?
run eval "$judge" --count 3 --steps 2 --quiet --sheet "$tmp/sheet.png"; ok "eval" $?
for a in subject outfit colour place condition style action direction camera mean Frechet flicker PSNR; do
    grep -q "$a" "$tmp/out"; ok "the table has $a" $?
done
[ -s "$tmp/sheet.png" ]; ok "a sheet" $?
run eval "$judge" --count 3 --steps 2 --quiet --json; ok "eval --json" $?
grep -q '"made"' "$tmp/out" && grep -q '"psnr"' "$tmp/out"; ok "has what was made" $?
# Of the attribute that comes first: what is right and what was taken for something else makes all that was asked for.
awk '/"subject"/ { on = 1 } /"outfit"/ { exit }
     on && /"rendered": [0-9]/ { right = $2 + 0 } on && /"rendered": \[/ { list = 1 }
     list && /"clips"/ { wrong += $2 } on && /"asked": [0-9]/ { asked = $2 + 0 }
     END { exit !(asked == 3 && wrong > 0 && right * asked + wrong - asked < .01 && asked - right * asked - wrong < .01) }' "$tmp/out"
ok "what was taken for what" $?
cp "$tmp/out" "$tmp/first"
run eval "$judge" --count 3 --steps 2 --quiet --json --threads 1 && cmp -s "$tmp/out" "$tmp/first"; ok "the same again, with one thread" $?
run eval "$judge" --count 3 --steps 2 --quiet --json --seed 1 && ! cmp -s "$tmp/out" "$tmp/first"; ok "other scenes with another seed" $?
run eval "$model" --probe "$judge" --count 2 --ceiling --quiet && grep -q 'round trip' "$tmp/out"; ok "another model's probe, the ceiling only" $?
refused "a model without a probe" 1 eval "$model" --count 2 --quiet
sed 's/11, 5, 8/11, 4, 8/' "$tmp/probe.json" >"$tmp/other.json"
run train "$tmp/other.json" --out "$tmp/other" --with "$model" --quiet --measure-every 0
refused "a probe of another vocabulary" 1 eval "$model" --probe "$tmp/other/model.sora" --count 2 --ceiling --quiet

# The operations: every row, with a probe and without; the same figures again; what is refused.
rows=animate,extend,loop,edit,connect,fill,inpaint,minute,shape
run eval "$judge" --operations --rows $rows --count 1 --steps 1 --seconds 3 --quiet --json --sheet "$tmp/operations.png"; ok "eval --operations" $?
for a in animate extend loop edit connect fill inpaint minute shape; do grep -q "\"operation\": \"$a\"" "$tmp/out"; ok "has a row $a" $?; done
! grep -q '"no probe"' "$tmp/out" && grep -q '"subject kept"' "$tmp/out"; ok "the probe was asked" $?
[ -s "$tmp/operations.png" ]; ok "a sheet of operations" $?
grep -v '"seconds"\|"mebibytes"\|"made": null' "$tmp/out" >"$tmp/first"
run eval "$judge" --operations --rows animate,extend,loop --count 1 --steps 1 --quiet --json --threads 1
grep -v '"seconds"\|"mebibytes"\|"made": null' "$tmp/out" >"$tmp/again"
head -n 120 "$tmp/again" | cmp -s - <(head -n 120 "$tmp/first"); ok "the same figures again, with one thread" $?
mkdir "$tmp/t"
TMPDIR=$tmp/t run eval "$model" --operations --rows loop,animate,preview,shots --count 2 --steps 1 --quiet; ok "eval --operations as text" $?
grep -q '^animate .*first frame.* 0.00 .* met$' "$tmp/out" && grep -q 'no probe$' "$tmp/out"; ok "the image stays, and there is no probe" $?
[ "$(grep -c '^[a-z][a-z]*  ' "$tmp/out")" = 4 ] && rmdir "$tmp/t"
ok "all rows, and nothing left behind" $?
run eval "$model" --operations --rows minute --count 4 --steps 1 --seconds 3 --quiet --json && grep -q '"clips": 3,' "$tmp/out" && grep -q '"commands": 6,' "$tmp/out"
ok "long videos are measured on three clips at most, which is said" $?
run eval "$model" --operations --rows minute --count 2 --steps 1 --seconds 3 --quiet && grep -q '2 clips, 4 commands' "$tmp/out"; ok "on fewer where fewer are asked for" $?
cp -r "$model" "$tmp/plain" && sed -i '/"width"\|"height"\|"frames"/d' "$tmp/plain/model_index.json"
refused "a model that recommends no size" 2 eval "$tmp/plain" --count 2; grep -q -e "--size and --frames" "$tmp/err"; ok "it says what is missing" $?
refused "with a size it goes on to the probe" 1 eval "$tmp/plain" --count 2 --size 32x32 --frames 5; grep -q probe "$tmp/err"; ok "it says so" $?
refused "a row that there is not" 2 eval "$model" --operations --rows animate,dream
refused "eval of nothing" 1 eval "$tmp/none"

run tokenizer --captions 2000 --pieces 600 --out "$tmp/spiece.model"; ok "tokenizer" $?
cp "$tmp/spiece.model" "$tmp/first.model"
run tokenizer --captions 2000 --pieces 600 --out "$tmp/spiece.model" && cmp -s "$tmp/spiece.model" "$tmp/first.model"; ok "the same bytes again" $?
rm "$model/tokenizer/tokenizer.json"; cp "$tmp/spiece.model" "$model/tokenizer/spiece.model"
run tokenize "$model" "a cat on the beach" && [ "$(wc -w <"$tmp/out")" -le 8 ] && grep -q ' 1$' "$tmp/out"; ok "knows the words of captions" $?
refused "too small a vocabulary" 2 tokenizer --pieces 10 --out "$tmp/x"
refused "ids that the encoder does not have" 1 stage text "$model" --prompt "a cat on the beach" --out "$tmp/t"

run bench --model "$judge" --steps 2 --rounds 1; ok "bench" $?
for a in text denoising frames all memory; do grep -q "^$a" "$tmp/out"; ok "bench times $a" $?; done
finish
