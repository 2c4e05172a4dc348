#!/bin/bash
# Folder -> .sora -> folder with the same tensors; types of weights; truncated and damaged files refused by every command.
. test/tiny/common.sh
listing() { "$sora" info --json "$1" | sed -n '/"parts"/,$p' | grep -v '"file"'; }

run convert "$model" "$tmp/a.sora"; ok "folder to file" $?
run convert "$tmp/a.sora" "$tmp/b"; ok "file to folder" $?
[ "$(listing "$tmp/a.sora" | grep -c '"shape"')" -gt 200 ]; ok "the file lists its tensors" $?
run convert "$tmp/b" "$tmp/c.sora" && run convert "$tmp/c.sora" "$tmp/d" && diff -r "$tmp/b" "$tmp/d" >"$tmp/out"; ok "and once more: the same bytes" $?
for f in transformer/diffusion_pytorch_model vae/diffusion_pytorch_model text_encoder/model; do
    for m in "$model" "$tmp/b"; do "$sora" info --json "$m/$f.safetensors" | sed -n '/"tensors"/,$p' | cksum; done | uniq | wc -l >"$tmp/out"
    [ "$(cat "$tmp/out")" = 1 ]; ok "$f: the same tensors" $?
done
cmp -s "$model/tokenizer/tokenizer.json" "$tmp/b/tokenizer/tokenizer.json"; ok "the tokenizer is untouched" $?
for m in "$tmp/a.sora" "$tmp/b"; do
    run generate --quiet --model "$m" -p "a cat" -o "$tmp/frame.png" --steps 2 && mv "$tmp/frame.png" "$tmp/$(basename "$m").png"; ok "generates from $(basename "$m")" $?
done
cmp -s "$tmp/a.sora.png" "$tmp/b.png"; ok "the same picture from both" $?
for w in f32 bf16 i8; do
    run convert "$model" "$tmp/$w.sora" --weights $w; ok "convert to $w" $?
    run info "$tmp/$w.sora" && grep -q "^transformer.*$w" "$tmp/out"; ok "$w is in it" $?
    run generate --quiet --model "$tmp/$w.sora" -p "a cat" -o "$tmp/$w.png" --steps 2; ok "generates with $w" $?
    run convert "$tmp/$w.sora" "$tmp/$w-folder" --weights f32; ok "and back to f32" $?
done
cmp -s "$tmp/f32.sora" "$tmp/a.sora"; ok "f32 of an f32 model changes nothing" $?
[ "$(wc -c <"$tmp/i8.sora")" -lt "$(wc -c <"$tmp/bf16.sora")" ]; ok "int8 is smaller than bf16" $?
grep -q '\.scale"' < <("$sora" info --json "$tmp/i8-folder"); [ $? = 1 ]; ok "no scales are left in f32" $?
"$sora" info "$tmp/bf16.sora" | sed -n 's/^parameters *//p' >"$tmp/p1"; "$sora" info "$tmp/i8.sora" | sed -n 's/^parameters *//p' | cmp -s - "$tmp/p1"; ok "as many parameters" $?

refused "a folder that is there" 1 convert "$tmp/a.sora" "$tmp/b"
mkdir "$tmp/empty"; run convert "$tmp/a.sora" "$tmp/empty" && [ -s "$tmp/empty/model_index.json" ]; ok "an empty folder gives way" $?
mkdir "$tmp/closed.sora"
refused "a folder in the file's place" 1 convert "$model" "$tmp/closed.sora"

size=$(wc -c <"$tmp/a.sora")
for n in 0 1 8 63 64 100 1000 $((size / 2)) $((size - 1)); do
    head -c "$n" "$tmp/a.sora" >"$tmp/cut.sora"
    refused "info of a file cut after $n bytes" 1 info "$tmp/cut.sora"
    refused "generate from it" 1 generate -p x -o "$tmp/x.png" --model "$tmp/cut.sora"
    refused "convert from it" 1 convert "$tmp/cut.sora" "$tmp/y.sora"
done
{ cat "$tmp/a.sora"; printf x; } >"$tmp/long.sora"
refused "a byte too many" 1 info "$tmp/long.sora"
# One flipped byte in the middle of the weights: the checksum says so.
{ head -c $((size / 3)) "$tmp/a.sora"; printf '\377\000\377\000\377\000\377\000'; tail -c +$((size / 3 + 9)) "$tmp/a.sora"; } >"$tmp/flip.sora"
[ "$(wc -c <"$tmp/flip.sora")" = "$size" ] && ! cmp -s "$tmp/flip.sora" "$tmp/a.sora"; ok "(a damaged copy)" $?
refused "damaged weights" 1 info "$tmp/flip.sora"
refused "damaged weights are not converted" 1 convert "$tmp/flip.sora" "$tmp/y.sora"
cp -r "$model" "$tmp/broken"; head -c 5000 "$model/vae/diffusion_pytorch_model.safetensors" >"$tmp/broken/vae/diffusion_pytorch_model.safetensors"
refused "a folder with a truncated part" 1 info "$tmp/broken"
refused "is not converted" 1 convert "$tmp/broken" "$tmp/y"
rm "$tmp/broken/vae/config.json"
refused "a part without a config" 1 info "$tmp/broken"
echo '{"a": 1, "a": 2}' >"$tmp/broken/transformer/config.json"
refused "a name twice in a config" 1 info "$tmp/broken"
rm -r "$tmp/broken" && cp -r "$model" "$tmp/broken" && rm "$tmp/broken/transformer/diffusion_pytorch_model.safetensors"
run info "$tmp/broken"; grep -q '^missing  *transformer$' "$tmp/out"; ok "a config without weights is missing" $?
sed 's/"eps": [^,]*/"eps": NaN/' "$model/transformer/config.json" >"$tmp/broken/transformer/config.json"
refused "a config that is refused" 1 info "$tmp/broken"
grep -q "$tmp/broken.*transformer.*eps" "$tmp/err"; ok "file, part and field are named" $?
rm -r "$tmp/broken" && cp -r "$model" "$tmp/broken"
for change in 's/"num_layers": 2/"num_layers": 3/' 's/"ffn_dim": [0-9]*/"ffn_dim": 41/'; do
    sed "$change" "$model/transformer/config.json" >"$tmp/broken/transformer/config.json"
    refused "weights that do not fit their config" 1 info "$tmp/broken"
    grep -q "$tmp/broken.*transformer/blocks" "$tmp/err"; ok "file and tensor are named" $?
done
[ ! -e "$tmp/x.png" ] && [ ! -e "$tmp/y.sora" ] && [ ! -e "$tmp/y" ] && [ -z "$(find "$tmp" -name '*.part')" ]; ok "failures leave nothing" $?
finish
