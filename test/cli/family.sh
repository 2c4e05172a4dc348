#!/bin/bash
# The relatives of the base model through the program: pictures, control, two experts, given timesteps.
. test/tiny/common.sh
parity="$top/${BUILD:-build}/test/parity"
[ -x "$parity" ] || { echo "SKIP $parity is not built"; exit 0; }
f=$top/test/parity/fixtures
pick() { # FROM OUT NAME=TENSOR...
    local from=$1 out=$2 args=() a
    shift 2
    for a in "$@"; do args+=("$from" "$a"); done
    "$parity" join "$out" "${args[@]}" 2>>"$tmp/err"
}
compare() { "$parity" compare "$@" >"$tmp/out" 2>>"$tmp/err"; }

for m in image ends; do
    cases=$f/$m/transformer.cases.safetensors
    pick "$cases" "$tmp/in" latent=plain/latent:axis0 timestep=plain/timestep:axis0 text=plain/text:axis0 image_embeds=plain/image_embeds:axis0
    run stage denoise "$f/$m" --in "$tmp/in" --out "$tmp/v" && compare "$tmp/v" velocity "$cases" plain/velocity:axis0 1e-9
    ok "denoise with image embeddings: $m as the reference" $?
done
cases=$f/image/transformer.cases.safetensors
pick "$cases" "$tmp/bad" latent=plain/latent:axis0 timestep=plain/timestep:axis0 text=plain/text:axis0 image_embeds=plain/text:axis0
refused "image embeddings of another width" 1 stage denoise "$f/image" --in "$tmp/bad" --out "$tmp/v2"

cases=$f/vace/transformer.cases.safetensors
pick "$cases" "$tmp/in" latent=plain/latent:axis0 timestep=plain/timestep text=plain/text:axis0 control=plain/control:axis0
run stage denoise "$f/vace" --in "$tmp/in" --out "$tmp/v" && compare "$tmp/v" velocity "$cases" plain/velocity:axis0 1e-9; ok "denoise with control as the reference" $?
pick "$cases" "$tmp/in2" latent=short/latent:axis0 timestep=short/timestep text=short/text:axis0 control=short/control:axis0 control_scale=short/control_scale
run stage denoise "$f/vace" --in "$tmp/in2" --out "$tmp/v" && compare "$tmp/v" velocity "$cases" short/velocity:axis0 1e-9; ok "a control of fewer frames, with scales" $?
run stage denoise "$f/vace" --in "$tmp/in" --out "$tmp/w" --control_scale 0.5 && ! cmp -s "$tmp/v" "$tmp/w"; ok "the strength of control" $?
pick "$cases" "$tmp/bad" latent=plain/latent:axis0 timestep=plain/timestep text=plain/text:axis0
refused "a model with control branch wants control" 1 stage denoise "$f/vace" --in "$tmp/bad" --out "$tmp/v2"

# Sampling: inputs beside the text, the scheduler of the folder, .sora files.
sample() { # what, model, case, options; the inputs are in $tmp/s
    local what=$1 m=$2 c=$3
    shift 3
    run stage sample "$m" --in "$tmp/s" --out "$tmp/x" "$@" && compare "$tmp/x" latent "$cases" $c/latent 1e-7; ok "sample: $what" $?
}
cases=$f/loop_i2v.cases.safetensors
pick "$cases" "$tmp/s" noise=first/noise text=first/text negative=first/negative image_embeds=first/image_embeds condition=first/condition
sample "image to video" "$f/loop_i2v" first --steps 3 --guidance 4
cp "$tmp/x" "$tmp/x1"
run convert "$f/loop_i2v" "$tmp/i2v.sora"; ok "an image-to-video model becomes one file" $?
sample "image to video, .sora" "$tmp/i2v.sora" first --steps 3 --guidance 4
cmp -s "$tmp/x" "$tmp/x1"; ok "the same bytes" $?
pick "$cases" "$tmp/p" image=first/image
for m in "$f/loop_i2v" "$tmp/i2v.sora"; do
    run stage image "$m" --in "$tmp/p" --out "$tmp/e" && compare "$tmp/e" image_embeds "$cases" first/image_embeds 1e-9; ok "stage image: $(basename "$m")" $?
done
pick "$f/loop_flf.cases.safetensors" "$tmp/p" image=both/image last_image=both/last_image
run stage image "$f/loop_flf" --in "$tmp/p" --out "$tmp/e" && compare "$tmp/e" image_embeds "$f/loop_flf.cases.safetensors" both/image_embeds 1e-9; ok "stage image: two pictures" $?
refused "stage image without image encoder" 1 stage image "$model" --in "$tmp/p" --out "$tmp/e2"
pick "$cases" "$tmp/s" noise=first/noise text=first/text negative=first/negative
refused "the condition is missing" 1 stage sample "$f/loop_i2v" --in "$tmp/s" --out "$tmp/x2" --steps 1 --guidance 1

cases=$f/loop_vace.cases.safetensors
pick "$cases" "$tmp/s" noise=video/noise text=video/text negative=video/negative control=video/control
sample "control" "$f/loop_vace" video --steps 3 --guidance 4 --control_scale 0.75
cases=$f/loop_ti2v.cases.safetensors
pick "$cases" "$tmp/s" noise=image/noise text=image/text negative=image/negative condition=image/condition
sample "a first frame within the latent" "$f/loop_ti2v" image --steps 3 --guidance 4

cases=$f/loop_a14b.cases.safetensors
pick "$cases" "$tmp/s" noise=both/noise text=both/text negative=both/negative
sample "two experts" "$f/loop_a14b" both --steps 6 --guidance 4 --guidance_2 2.5
run convert "$f/loop_a14b" "$tmp/a14b.sora"; sample "two experts, .sora" "$tmp/a14b.sora" both --steps 6 --guidance 4 --guidance_2 2.5
# A single step asks one of them only, by its timestep: the other may be missing.
mkdir "$tmp/high" "$tmp/low"
cp -r "$f/loop_a14b/." "$tmp/high"; rm -r "$tmp/high/transformer_2"
cp -r "$f/loop_a14b/transformer_2" "$tmp/low/transformer"
for t in frame odd; do
    "$parity" join "$tmp/d-$t" "$cases" latent=both/noise "$cases" text=both/text "$f/tiny21/transformer.cases.safetensors" timestep=$t/timestep 2>>"$tmp/err"
    run stage denoise "$f/loop_a14b" --in "$tmp/d-$t" --out "$tmp/v-$t"; ok "two experts: denoise" $?
done
run stage denoise "$tmp/high" --in "$tmp/d-frame" --out "$tmp/w" && cmp -s "$tmp/v-frame" "$tmp/w"; ok "timestep 980 is the first expert's" $?
run stage denoise "$tmp/low" --in "$tmp/d-odd" --out "$tmp/w" && cmp -s "$tmp/v-odd" "$tmp/w"; ok "timestep 39 is the second expert's" $?
refused "the expert that is wanted is missing" 1 stage denoise "$tmp/high" --in "$tmp/d-odd" --out "$tmp/w2"
cases=$f/loop_fast.cases.safetensors
pick "$cases" "$tmp/s" noise=given/noise text=given/text
sample "a distilled model's own timesteps" "$f/loop_fast" given --guidance 1
pick "$cases" "$tmp/s" noise=other/noise text=other/text
sample "given timesteps" "$f/loop_fast" other --guidance 1 --timesteps "1000,900.5,600,20.25"
run stage sample "$f/loop_fast" --in "$tmp/s" --out "$tmp/y1" --guidance 1 --sampler lcm --seed 1 &&
    run stage sample "$f/loop_fast" --in "$tmp/s" --out "$tmp/y2" --guidance 1 --sampler lcm --seed 2 && ! cmp -s "$tmp/y1" "$tmp/y2"; ok "lcm: fresh noise is the seed's" $?
for bad in x "500,500" "0" "1001" "5;4" "1e3" "10,20"; do
    refused "timesteps $bad" 1 stage sample "$f/loop_fast" --in "$tmp/s" --out "$tmp/y3" --guidance 1 --timesteps "$bad"
done

# Another family: LTX-Video.
cases=$f/loop_ltx.cases.safetensors
ltx=$f/loop_ltx
run convert "$ltx" "$tmp/ltx.sora"; ok "LTX-Video becomes one file" $?
for m in "$ltx" "$tmp/ltx.sora"; do
    pick "$cases" "$tmp/s" noise=guided/noise text=guided/text negative=guided/negative
    sample "LTX-Video, $(basename "$m")" "$m" guided --steps 5 --guidance 3
done
pick "$cases" "$tmp/s" noise=plain/noise text=plain/text
sample "LTX-Video without guidance" "$ltx" plain --steps 3 --guidance 1
run stage sample "$ltx" --in "$tmp/s" --out "$tmp/v" --steps 4 --guidance 1 --shift 2 &&
    run stage sample "$ltx" --in "$tmp/s" --out "$tmp/w" --guidance 1 --shift 2 --timesteps 1000,750,500,250 && cmp -s "$tmp/v" "$tmp/w"
ok "LTX-Video's levels fall from 1 to 1/steps with a shift of one's own too" $?
pick "$cases" "$tmp/d" latent=guided/latent
run stage decode "$ltx" --in "$tmp/d" --out "$tmp/v" && compare "$tmp/v" video "$cases" guided/decoded 1e-9; ok "LTX-Video decodes as the reference" $?
cases=$f/ltx/transformer.cases.safetensors
pick "$cases" "$tmp/d" latent=plain/latent:axis0 timestep=plain/timestep:axis0 text=plain/text:axis0
run stage denoise "$f/ltx" --in "$tmp/d" --out "$tmp/v" && compare "$tmp/v" velocity "$cases" plain/velocity:axis0 1e-9; ok "LTX-Video denoises as the reference" $?
pick "$f/ltx/vae.cases.safetensors" "$tmp/d" video=nine/video:axis0
run stage encode "$f/ltx" --in "$tmp/d" --out "$tmp/v" && compare "$tmp/v" latent "$f/ltx/vae.cases.safetensors" nine/latent_out:axis0 1e-9
ok "LTX-Video encodes as the reference" $?
pick "$cases" "$tmp/bad" latent=plain/text:axis0 timestep=plain/timestep:axis0 text=plain/text:axis0
refused "LTX-Video: a latent that is none" 1 stage denoise "$f/ltx" --in "$tmp/bad" --out "$tmp/v2"

# generate with a picture: the tiny model as one that takes a first frame.
sed 's/^{/{"expand_timesteps": true,/' "$model/model_index.json" >"$tmp/index" && cp -r "$model" "$tmp/first" && cp "$tmp/index" "$tmp/first/model_index.json"
run generate -p "a cat" -o "$tmp/a.png" --model "$model" --frames 1 --steps 1 --size 32x32; ok "a picture" $?
run generate -p "a cat" -o "$tmp/b.y4m" --model "$tmp/first" --image "$tmp/a.png" --frames 5 --steps 1 --size 32x32; ok "generate --image" $?
run generate -p "a cat" -o "$tmp/c.y4m" --model "$tmp/first" --frames 5 --steps 1 --size 32x32 && ! cmp -s "$tmp/b.y4m" "$tmp/c.y4m"; ok "without image it is another video" $?
refused "a model that takes no image" 1 generate -p "a cat" -o "$tmp/d.y4m" --model "$model" --image "$tmp/a.png" --frames 5 --steps 1
refused "a model that takes no control" 1 generate -p "a cat" -o "$tmp/d.y4m" --model "$model" --video "$tmp/b.y4m" --frames 5 --steps 1
refused "a model that takes no reference" 1 generate -p "a cat" -o "$tmp/d.y4m" --model "$model" --reference "$tmp/a.png" --frames 5 --steps 1
refused "a last image alone" 1 generate -p "a cat" -o "$tmp/d.y4m" --model "$tmp/first" --image "$tmp/a.png" --last-image "$tmp/a.png" --frames 5 --steps 1
refused "an image that is none" 1 generate -p "a cat" -o "$tmp/d.y4m" --model "$tmp/first" --image "$tmp/index" --frames 5 --steps 1
finish
