#!/bin/bash
# Stages by themselves: shapes, types, agreement with a whole run; damage and wrong shapes refused.
. test/tiny/common.sh
"$sora" convert "$model" "$tmp/tiny.sora" 2>"$tmp/err"; ok "convert to a .sora file" $?

run tokenize "$model" "A cat"; [ "$(cat "$tmp/out")" = "3 2 3 6 4 23 1" ]; ok "tokenize: ids with the end token, one line" $?
run tokenize "$tmp/tiny.sora" "  a   cat&amp;"; [ "$(cat "$tmp/out")" = "40 3 6 4 23 2 1" ] || [ "$(cat "$tmp/out")" = "3 4 3 6 4 23 2 1" ]; ok "tokenize: cleans up" $?
run tokenize "$model" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
[ "$(wc -w <"$tmp/out")" = 16 ] && grep -q ' 1$' "$tmp/out"; ok "tokenize: truncated to the text length, end token kept" $?

shape() { "$sora" info "$1" | sed -n "s/^    $2  //p"; }
run stage text "$model" --prompt "a cat" --out "$tmp/text"; ok "stage text" $?
[ "$(shape "$tmp/text" hidden)" = "f32 [16, 24]" ] && [ "$(shape "$tmp/text" input_ids)" = "i32 [16]" ] &&
    [ "$(shape "$tmp/text" attention_mask)" = "i32 [16]" ]; ok "stage text: shapes" $?
run stage text "$tmp/tiny.sora" --prompt "a cat" --out "$tmp/text2" && cmp -s "$tmp/text" "$tmp/text2"; ok "the same bytes from the .sora file" $?
run stage text "$model" --prompt "a cat" --out "$tmp/text3" --threads 1 && cmp -s "$tmp/text" "$tmp/text3"; ok "the same bytes with one thread" $?
for d in f32 bf16; do
    run stage text "$model" --prompt "a cat" --out "$tmp/text-$d" --dtype $d; ok "stage text --dtype $d" $?
done
cmp -s "$tmp/text" "$tmp/text-f32"; ok "f32 is the stages' own type" $?

# Inputs of the other stages are made with the tests' own writer of tensors, from the parity fixtures.
cases=$top/test/parity/fixtures/tiny21
parity="$top/${BUILD:-build}/test/parity"
if [ -x "$parity" ]; then
    pick() { # FROM OUT NAME=TENSOR...
        local from=$1 out=$2 args=() a
        shift 2
        for a in "$@"; do args+=("$from" "$a"); done
        "$parity" join "$out" "${args[@]}" 2>>"$tmp/err"
    }
    compare() { "$parity" compare "$@" >"$tmp/out" 2>>"$tmp/err"; }
    for c in frame odd; do
        pick "$cases/transformer.cases.safetensors" "$tmp/in" latent=$c/latent:axis0 timestep=$c/timestep text=$c/text:axis0
        run stage denoise "$model" --in "$tmp/in" --out "$tmp/v" &&
            compare "$tmp/v" velocity "$cases/transformer.cases.safetensors" $c/velocity:axis0 1e-9; ok "stage denoise: $c as the reference" $?
        run stage denoise "$model" --in "$tmp/in" --out "$tmp/v8" --dtype i8 && ! cmp -s "$tmp/v" "$tmp/v8" &&
            compare "$tmp/v8" velocity "$cases/transformer.cases.safetensors" $c/velocity:axis0 1e-3; ok "stage denoise: $c in int8" $?
        run stage denoise "$model" --in "$tmp/in" --out "$tmp/v81" --dtype i8 --threads 1 && cmp -s "$tmp/v8" "$tmp/v81"
        ok "stage denoise: $c in int8, the same bytes with one thread" $?
    done
    for c in frame nine seventeen; do
        pick "$cases/vae.cases.safetensors" "$tmp/in" video=$c/video:axis0
        run stage encode "$tmp/tiny.sora" --in "$tmp/in" --out "$tmp/l" &&
            compare "$tmp/l" latent "$cases/vae.cases.safetensors" $c/latent:axis0 1e-9; ok "stage encode: $c as the reference" $?
    done
    pick "$cases/vae.cases.safetensors" "$tmp/in" video=nine/video:axis0
    run stage encode "$tmp/tiny.sora" --in "$tmp/in" --out "$tmp/l" && run stage decode "$model" --in "$tmp/l" --out "$tmp/back"; ok "stage decode" $?
    [ "$(shape "$tmp/back" video)" = "f32 [3, 9, 8, 16]" ]; ok "stage decode: shape" $?

    # A whole run is the stages in a row: its noise, texts and latent by hand.
    pick "$cases/transformer.cases.safetensors" "$tmp/n" noise=odd/latent:axis0
    run stage text "$model" --prompt "" --out "$tmp/text0"
    "$parity" join "$tmp/s" "$tmp/n" noise=noise "$tmp/text" text=hidden "$tmp/text0" negative=hidden; ok "inputs for sample" $?
    for s in euler unipc dpmpp; do
        run stage sample "$model" --in "$tmp/s" --out "$tmp/x-$s" --steps 3 --guidance 3 --shift 3 --sampler $s; ok "stage sample: $s" $?
        [ "$(shape "$tmp/x-$s" latent)" = "f32 [4, 5, 10, 14]" ]; ok "stage sample: shape" $?
    done
    ! cmp -s "$tmp/x-euler" "$tmp/x-unipc"; ok "samplers differ" $?
    # A scheduler as diffusers saves it: an infinity is in it, and it chooses the solver.
    cp -r "$model" "$tmp/dpm" && sed -i '/"sampler"\|"shift"/d;s/"guidance": 3,/"guidance": 3/' "$tmp/dpm/model_index.json" && mkdir "$tmp/dpm/scheduler"
    echo '{"_class_name": "DPMSolverMultistepScheduler", "flow_shift": 3.0, "lambda_min_clipped": -Infinity}' >"$tmp/dpm/scheduler/scheduler_config.json"
    run stage sample "$tmp/dpm" --in "$tmp/s" --out "$tmp/x" --steps 3 --guidance 3 && cmp -s "$tmp/x" "$tmp/x-dpmpp"; ok "stage sample: solver and shift of the scheduler" $?
    "$parity" join "$tmp/s1" "$tmp/n" noise=noise "$tmp/text" text=hidden
    run stage sample "$model" --in "$tmp/s1" --out "$tmp/x1" --steps 2 --guidance 1 --shift 3 --sampler euler; ok "guidance 1 needs no negative" $?
    refused "guidance 3 does" 1 stage sample "$model" --in "$tmp/s1" --out "$tmp/v2" --steps 2 --guidance 3 --shift 3 --sampler euler

    refused "an input without the tensor" 1 stage denoise "$model" --in "$tmp/l" --out "$tmp/v2"
    refused "a latent of the wrong rank" 1 stage decode "$model" --in "$tmp/text" --out "$tmp/v2"
    cp "$tmp/v" "$tmp/before"
    pick "$cases/transformer.cases.safetensors" "$tmp/bad" video=odd/latent:axis0
    refused "a video of four colours" 1 stage encode "$model" --in "$tmp/bad" --out "$tmp/v"
    cmp -s "$tmp/v" "$tmp/before"; ok "a failed run leaves the output as it was" $?
    for n in 0 7 8 50 $(($(wc -c <"$tmp/l") - 1)); do
        head -c $n "$tmp/l" >"$tmp/cut"
        refused "input cut after $n bytes" 1 stage decode "$model" --in "$tmp/cut" --out "$tmp/v2"
    done

    # Each stage asks for its own parts only.
    only() { rm -rf "$tmp/only"; mkdir "$tmp/only"; for d in "$@"; do cp -r "$model/$d" "$tmp/only"; done; }
    only vae
    pick "$cases/vae.cases.safetensors" "$tmp/in" video=nine/video:axis0
    run stage encode "$tmp/only" --in "$tmp/in" --out "$tmp/l2" && cmp -s "$tmp/l" "$tmp/l2"; ok "encode needs the autoencoder only" $?
    refused "denoise needs a transformer" 1 stage denoise "$tmp/only" --in "$tmp/in" --out "$tmp/v2"
    refused "text needs a text encoder" 1 stage text "$tmp/only" --prompt x --out "$tmp/v2"
    refused "tokenize needs a tokenizer" 1 tokenize "$tmp/only" x
    only transformer
    run stage sample "$tmp/only" --in "$tmp/s" --out "$tmp/x2" --steps 3 --guidance 3 --shift 3 --sampler unipc && cmp -s "$tmp/x2" "$tmp/x-unipc"
    ok "sample needs the transformer only" $?
    refused "a run needs more" 1 generate --model "$tmp/only" -p x -o "$tmp/v2.png"
    only text_encoder tokenizer
    run stage text "$tmp/only" --prompt "a cat" --out "$tmp/t2"; ok "text needs encoder and tokenizer only" $?
    [ "$(shape "$tmp/t2" hidden)" = "f32 [512, 24]" ]; ok "the text length of the family" $?
    refused "decode needs an autoencoder" 1 stage decode "$tmp/only" --in "$tmp/l" --out "$tmp/v2"
else
    echo "SKIP stages on fixtures: $parity is not built"
fi
refused "no input file" 1 stage decode "$model" --in "$tmp/none" --out "$tmp/v2"
[ ! -e "$tmp/v2" ]; ok "failed runs write nothing" $?
finish
