#!/bin/bash
# The same small model in every container (test/parity/make_container_fixtures.py): the same bits where types are exact, torch's numbers
# where blocks or scales are multiplied out.
. test/tiny/common.sh
parity="$top/${BUILD:-build}/test/parity"
[ -x "$parity" ] || { echo "SKIP $parity is not built"; exit 0; }
c=$top/test/parity/fixtures/containers
cases=$c/cases.safetensors
folder=$c/folder
compare() { "$parity" compare "$@" >"$tmp/out" 2>>"$tmp/err"; }

"$parity" join "$tmp/in" "$cases" latent=latent "$cases" timestep=timestep "$cases" text=text 2>"$tmp/err"; ok "inputs" $?
run stage denoise "$folder" --in "$tmp/in" --out "$tmp/v" && compare "$tmp/v" velocity "$cases" velocity 1e-9; ok "transformer: the folder" $?
for f in official/dit.safetensors official/dit.pth comfy/dit_f8.safetensors comfy/dit_e5m2.safetensors gguf/dit_f16.gguf; do
    run stage denoise --dit "$c/$f" --in "$tmp/in" --out "$tmp/w" && cmp -s "$tmp/v" "$tmp/w"; ok "transformer: $f, the same bits" $?
done
for f in comfy/dit_scaled.safetensors=scaled gguf/dit_q8_0.gguf=q8_0 gguf/dit_q4_1.gguf=q4_1; do
    run stage denoise --dit "$c/${f%=*}" --in "$tmp/in" --out "$tmp/w" && compare "$tmp/w" velocity "$cases" "velocity_${f#*=}" 1e-9
    ok "transformer: ${f%=*} as torch" $?
    ! cmp -s "$tmp/v" "$tmp/w"; ok "transformer: ${f%=*} is another model" $?
done
run stage denoise --dit "$c/gguf/dit_q8_0.gguf" --dtype bf16 --in "$tmp/in" --out "$tmp/w" && compare "$tmp/w" velocity "$cases" velocity_q8_0 2e-4
ok "transformer: blocks, products in bf16" $?
run stage denoise "$c/official/dit.safetensors" --in "$tmp/in" --out "$tmp/w" && cmp -s "$tmp/v" "$tmp/w"; ok "a file in place of MODEL" $?

run convert "$c/comfy/dit_scaled.safetensors" "$tmp/unscaled" && run stage denoise "$tmp/unscaled" --in "$tmp/in" --out "$tmp/w" &&
    compare "$tmp/w" velocity "$cases" velocity_scaled 1e-9; ok "scales are multiplied in by conversion" $?
# Weights that stay as they are stored, against the same multiplied out.
run stage denoise "$folder" --in "$tmp/in" --out "$tmp/w" && run convert "$folder" "$tmp/i8.sora" --weights i8 && run convert "$tmp/i8.sora" "$tmp/from-i8" --weights f32
ok "int8, and multiplied out" $?
for m in "scaled --dit $c/comfy/dit_scaled.safetensors" "i8 $tmp/i8.sora"; do
    plain=$tmp/unscaled what=${m%% *}
    [ $what = i8 ] && plain=$tmp/from-i8
    for dtype in f32 bf16; do # shellcheck disable=SC2086
        run stage denoise ${m#* } --dtype $dtype --in "$tmp/in" --out "$tmp/w" && run stage denoise "$plain" --dtype $dtype --in "$tmp/in" --out "$tmp/u" &&
            cmp -s "$tmp/u" "$tmp/w"; ok "transformer: $what, the bits of the same multiplied out, $dtype" $?
    done
done
for m in vae vae22; do
    mkdir "$tmp/$m"; cp -r "$folder/$m" "$tmp/$m/vae"
    "$parity" join "$tmp/e" "$cases" video=${m}_video; "$parity" join "$tmp/z" "$cases" latent=${m}_z
    run stage encode "$tmp/$m" --in "$tmp/e" --out "$tmp/l" && compare "$tmp/l" latent "$cases" ${m}_latent 1e-9; ok "$m: the folder encodes as torch" $?
    run stage decode "$tmp/$m" --in "$tmp/z" --out "$tmp/d" && compare "$tmp/d" video "$cases" ${m}_decoded 1e-9; ok "$m: the folder decodes as torch" $?
    for f in official/$m.safetensors comfy/$m.safetensors; do
        [ -e "$c/$f" ] || continue
        run stage encode --vae "$c/$f" --in "$tmp/e" --out "$tmp/w" && cmp -s "$tmp/l" "$tmp/w"; ok "$f: encodes to the same bits" $?
        run stage decode --vae "$c/$f" --in "$tmp/z" --out "$tmp/w" && cmp -s "$tmp/d" "$tmp/w"; ok "$f: decodes to the same bits" $?
    done
done

mkdir "$tmp/t5"; cp -r "$folder/text_encoder" "$model/tokenizer" "$tmp/t5"
tok=$model/tokenizer/tokenizer.json
run stage text "$tmp/t5" --prompt "a cat" --out "$tmp/t"; ok "text: the folder" $?
for f in official/t5.safetensors official/t5.pth comfy/t5_f8.safetensors gguf/t5_f16.gguf; do
    run stage text --text "$c/$f" --tokenizer "$tok" --prompt "a cat" --out "$tmp/w" && cmp -s "$tmp/t" "$tmp/w"; ok "text: $f, the same bits" $?
done
run stage text --text "$c/comfy/t5_f8.safetensors" --prompt "a cat" --out "$tmp/w" && cmp -s "$tmp/t" "$tmp/w"; ok "text: the tokenizer that is packed in" $?
run tokenize "$c/gguf/t5_q4_0.gguf" "A cat"; [ "$(cat "$tmp/out")" = "3 2 3 6 4 23 1" ]; ok "tokenize: the tokenizer in a GGUF file" $?
run stage text "$c/gguf/t5_q4_0.gguf" --prompt "a cat" --out "$tmp/w" && ! cmp -s "$tmp/t" "$tmp/w"; ok "text: everything in one GGUF file" $?
run tokenize --tokenizer "$tok" "A cat"; [ "$(cat "$tmp/out")" = "3 2 3 6 4 23 1" ]; ok "tokenize with a tokenizer alone" $?
run tokenize --tokenizer "$model/tokenizer" "A cat"; [ "$(cat "$tmp/out")" = "3 2 3 6 4 23 1" ]; ok "tokenize with a tokenizer's folder" $?

# Parts replaced, whole models of single files, conversion.
run stage denoise "$model" --dit "$c/gguf/dit_f16.gguf" --in "$tmp/in" --out "$tmp/w" && cmp -s "$tmp/v" "$tmp/w"; ok "a file replaces a part of a model" $?
all=(--dit "$c/comfy/dit_f8.safetensors" --vae "$c/official/vae.safetensors" --text "$c/gguf/t5_f16.gguf" --tokenizer "$tok")
run info "${all[@]}"; grep -q '^format  *files$' "$tmp/out" && ! grep -q ^missing "$tmp/out"; ok "info: all of it" $?
run info "$c/gguf/dit_q8_0.gguf"; grep -q '^missing  *vae, text_encoder, tokenizer$' "$tmp/out" && grep -q 'q8_0' "$tmp/out"; ok "info: what is missing" $?
run info --json "$c/comfy/dit_f8.safetensors"; grep -q '"f8_e4m3"' "$tmp/out"; ok "info: types" $?
run convert "${all[@]}" "$tmp/all.sora" && run stage denoise "$tmp/all.sora" --in "$tmp/in" --out "$tmp/w" && cmp -s "$tmp/v" "$tmp/w"
ok "single files become one .sora file" $?
run stage text "$tmp/all.sora" --prompt "a cat" --out "$tmp/w" && cmp -s "$tmp/t" "$tmp/w"; ok "its text encoder" $?
run convert "$c/gguf/dit_q8_0.gguf" "$tmp/out-folder" && run stage denoise "$tmp/out-folder" --in "$tmp/in" --out "$tmp/w" &&
    compare "$tmp/w" velocity "$cases" velocity_q8_0 1e-9; ok "blocks are multiplied out by conversion" $?

# The authors' folders.
off=$tmp/off
mkdir -p "$off/google/umt5-xxl"
cp "$c/official/config.json" "$off"; cp "$c/official/dit.safetensors" "$off/diffusion_pytorch_model.safetensors"
cp "$c/official/vae.safetensors" "$off/Wan2.1_VAE.safetensors"; cp "$c/official/t5.pth" "$off/models_t5_umt5-xxl-enc-bf16.pth"
cp "$tok" "$off/google/umt5-xxl"
run info "$off"; ! grep -q ^missing "$tmp/out"; ok "the authors' folder: nothing is missing" $?
run stage denoise "$off" --in "$tmp/in" --out "$tmp/w" && cmp -s "$tmp/v" "$tmp/w"; ok "the authors' folder: transformer" $?
run stage text "$off" --prompt "a cat" --out "$tmp/w" && cmp -s "$tmp/t" "$tmp/w"; ok "the authors' folder: text" $?
mkdir "$off/high_noise_model" "$off/low_noise_model"
mv "$off/config.json" "$off/diffusion_pytorch_model.safetensors" "$off/high_noise_model"; cp "$off"/high_noise_model/* "$off/low_noise_model"
run info "$off"; grep -q '^transformer_2  *WanTransformer3DModel' "$tmp/out"; ok "the authors' folder: two experts" $?
run stage denoise --dit "$c/official/dit.safetensors" --dit2 "$c/gguf/dit_q8_0.gguf" --in "$tmp/in" --out "$tmp/w"; ok "two experts as single files" $?

# LoRAs: added as weights are read, whatever those are stored in; several; into files.
for f in peft=lora kohya=lora comfy=lora_bias; do
    run stage denoise "$folder" --lora "$c/lora/${f%=*}.safetensors:0.75" --in "$tmp/in" --out "$tmp/w" &&
        compare "$tmp/w" velocity "$cases" "velocity_${f#*=}" 1e-9; ok "LoRA: ${f%=*}" $?
done
run stage denoise --dit "$c/comfy/dit_f8.safetensors" --lora "$c/lora/kohya.safetensors:0.5" --lora "$c/lora/peft.safetensors:0.25" --in "$tmp/in" --out "$tmp/w" &&
    compare "$tmp/w" velocity "$cases" velocity_lora 1e-9; ok "LoRA: two, on eight-bit floats" $?
run stage denoise "$folder" --lora "$c/lora/kohya.safetensors:0" --in "$tmp/in" --out "$tmp/w" && compare "$tmp/w" velocity "$cases" velocity 1e-9
ok "LoRA: no strength" $?
run convert "$folder" --lora "$c/lora/kohya.safetensors:0.75" "$tmp/lora.sora" && run stage denoise "$tmp/lora.sora" --in "$tmp/in" --out "$tmp/w" &&
    compare "$tmp/w" velocity "$cases" velocity_lora 1e-9; ok "LoRA: merged into a file" $?
run info "$c/lora/kohya.safetensors"; grep -q '^architecture  lora$' "$tmp/out" && grep -q '^rank  *4$' "$tmp/out"; ok "LoRA: info" $?
# Beside weights that stay as they are stored; merged where a file is written. Two of different kinds, one of them with a bias.
two=(--lora "$c/lora/kohya.safetensors:0.5" --lora "$c/lora/comfy.safetensors:-0.8")
for m in "scaled --dit $c/comfy/dit_scaled.safetensors" "q4_1 --dit $c/gguf/dit_q4_1.gguf" "i8 $tmp/i8.sora"; do
    what=${m%% *} # shellcheck disable=SC2086
    run convert $(echo "${m#* }" | sed 's/^--dit //') "${two[@]}" "$tmp/$what-merged.sora"; ok "LoRA: merged with $what" $?
    for dtype in f32=1e-9 bf16=2e-4; do # shellcheck disable=SC2086
        run stage denoise ${m#* } "${two[@]}" --dtype ${dtype%=*} --in "$tmp/in" --out "$tmp/w" &&
            run stage denoise "$tmp/$what-merged.sora" --in "$tmp/in" --out "$tmp/u" && compare "$tmp/w" velocity "$tmp/u" velocity ${dtype#*=}
        ok "LoRA: beside $what, ${dtype%=*}" $?
    done
    # shellcheck disable=SC2086
    run stage denoise ${m#* } --in "$tmp/in" --out "$tmp/w" && ! compare "$tmp/w" velocity "$tmp/u" velocity 1e-5; ok "LoRA: without, $what is another model" $?
done
refused "LoRA: of another model" 1 stage denoise "$model" --lora "$c/lora/kohya.safetensors" --in "$tmp/in" --out "$tmp/n"
refused "LoRA: weights are none" 1 stage denoise "$folder" --lora "$c/official/dit.safetensors" --in "$tmp/in" --out "$tmp/n"
refused "LoRA: no second expert" 1 stage denoise "$folder" --lora-low "$c/lora/kohya.safetensors" --in "$tmp/in" --out "$tmp/n"
refused "LoRA: not there" 1 stage denoise "$folder" --lora "$tmp/none" --in "$tmp/in" --out "$tmp/n"

refused "no model at all" 2 stage denoise --in "$tmp/in" --out "$tmp/n"
refused "an autoencoder is no transformer" 1 stage denoise --dit "$c/official/vae.safetensors" --in "$tmp/in" --out "$tmp/n"
refused "a transformer has no autoencoder" 1 stage encode --dit "$c/official/dit.safetensors" --in "$tmp/in" --out "$tmp/n"
cp "$c/official/dit.safetensors" "$tmp/lone.safetensors"
refused "without a config the heads are not known" 1 stage denoise --dit "$tmp/lone.safetensors" --in "$tmp/in" --out "$tmp/n"
for f in gguf/dit_q8_0.gguf comfy/dit_f8.safetensors official/dit.pth; do
    size=$(wc -c <"$c/$f")
    for n in 0 3 4 20 100 1000 $((size / 2)) $((size - 1)); do
        head -c $n "$c/$f" >"$tmp/cut"
        refused "$f cut after $n bytes" 1 stage denoise --dit "$tmp/cut" --in "$tmp/in" --out "$tmp/n"
    done
    refused "info: $f cut" 1 info "$tmp/cut"
done
[ ! -e "$tmp/n" ]; ok "failed runs write nothing" $?
finish
