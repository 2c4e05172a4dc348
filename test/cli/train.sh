#!/bin/bash
# sora train from a folder of clips and pictures: damaged files are named and left out, runs repeat, latents are made once.
. test/tiny/common.sh
clips=$tmp/clips
mkdir "$clips"
"$sora" world --seed 5 --count 12 --frames 1 --size 48x40 --out "$tmp/world" --quiet >/dev/null 2>"$tmp/err"; ok "pictures are made" $?
for d in "$tmp"/world/*/; do
    n=$(basename "$d")
    cp "$d/frame-0000.png" "$clips/$n.png" && cp "$d/caption.txt" "$clips/$n.txt"
done
gen() { "$sora" generate --quiet --model "$model" -p "a cat" --steps 1 "$@" 2>"$tmp/err"; }
gen --size 32x32 --frames 13 -o "$clips/film.mp4"; ok "a film is made" $?
gen --size 64x32 --frames 9 -o "$clips/wide.gif"; ok "a wide one is made" $?
gen --size 32x32 --frames 3 -o "$clips/short.gif"; ok "a short one is made" $?
printf 'a cat\n\n  the same cat  \n' >"$clips/film.txt"
echo "a wide cat" >"$clips/wide.txt"
echo "a short cat" >"$clips/short.txt"
head -c 700 "$clips/film.mp4" >"$clips/broken.mp4"; echo "nothing" >"$clips/broken.txt"
head -c 200 "$clips/clip-000005.png" >"$clips/broken.png"
cp "$clips/clip-000006.png" "$clips/untold.png"
cp "$clips/clip-000006.png" "$clips/garbled.png"; printf 'a \377 cat' >"$clips/garbled.txt"

recipe() { # NAME SOURCE BUCKETS: an autoencoder
    cat >"$tmp/$1.json" <<END
{"train": "vae", "seed": 3, "steps": 4,
 "vae": {"base_dim": 8, "decoder_base_dim": 8, "z_dim": 4, "dim_mult": [1, 2, 2], "num_res_blocks": 1, "attn_scales": [],
   "temperal_downsample": [true, true], "is_residual": true, "in_channels": 12, "out_channels": 12, "patch_size": 2,
   "scale_factor_temporal": 4, "scale_factor_spatial": 8},
 "data": {"fps": 8, $2, "buckets": [$3]}}
END
}
small='{"size": [32, 32], "frames": 1, "batch": 2}, {"size": [32, 32], "frames": 5, "batch": 2}, {"size": [32, 16], "frames": 5, "batch": 1}'
losses() { cut -d, -f1-9 "$tmp/$1/log.csv"; }
told() { [ "$(grep -c "$1" "$tmp/err")" = 1 ]; }

recipe vae "\"source\": \"folder\", \"path\": \"$clips\"" "$small"
run train "$tmp/vae.json" --out "$tmp/vae" --quiet; ok "an autoencoder from a folder" $?
[ "$(wc -l <"$tmp/vae/log.csv")" = 5 ] && [ -s "$tmp/vae/model.sora" ]; ok "all its steps, and a model" $?
for f in broken.mp4 broken.png short.gif; do told "$f.*not used"; ok "one line names $f" $?; done
! grep -q 'film\|wide\|clip-\|untold' "$tmp/err"; ok "and none of the others" $?
grep -q psnr_32x32x1 "$tmp/vae/measures.csv"; ok "the tenth picture is held out and measured" $?
run train "$tmp/vae.json" --out "$tmp/vae2" --quiet --threads 1 && [ "$(losses vae)" = "$(losses vae2)" ]; ok "again: the same losses" $?
recipe keep "\"source\": \"folder\", \"path\": \"$clips\", \"keep\": 0" "$small"
run train "$tmp/keep.json" --out "$tmp/keep" --quiet && [ "$(losses vae)" = "$(losses keep)" ]; ok "the same when files are read as they are needed" $?
run train "$tmp/vae.json" --out "$tmp/half" --quiet --stop-after 2 && run train "$tmp/vae.json" --out "$tmp/half" --quiet &&
    [ "$(losses vae)" = "$(losses half)" ]; ok "the same when it was interrupted" $?

cat >"$tmp/t.json" <<END
{"train": "transformer", "seed": 3, "steps": 3, "tokenizer": "$model/tokenizer/tokenizer.json", "text_length": 16,
 "transformer": {"patch_size": [1, 2, 2], "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 4, "out_channels": 4,
   "text_dim": 24, "freq_dim": 32, "ffn_dim": 40, "num_layers": 2, "cross_attn_norm": true, "qk_norm": "rms_norm_across_heads"},
 "text_encoder": {"model_type": "umt5", "vocab_size": 60, "d_model": 24, "d_kv": 10, "d_ff": 40, "num_layers": 1, "num_heads": 2},
 "data": {"fps": 8, "source": "folder", "path": "$clips", "model": "$model", "cache": "$tmp/latents", "buckets": [$small]}}
END
run train "$tmp/t.json" --out "$tmp/t" --quiet; ok "a transformer from a folder" $?
for f in broken.mp4 broken.png short.gif untold.png garbled.png; do told "$f.*not used"; ok "one line names $f" $?; done
[ -s "$tmp/latents/32x32x5.latents" ] && [ -s "$tmp/latents/32x16x5.latents" ] && [ -s "$tmp/latents/32x32x1.latents" ]; ok "latents of every size" $?
[ "$(od -An -tu8 -j8 -N8 "$tmp/latents/32x32x5.latents" | tr -d ' ')" = 2 ]; ok "a film of 13 frames is two clips of 5" $?
[ "$(od -An -tu8 -j8 -N8 "$tmp/latents/32x32x1.latents" | tr -d ' ')" = 11 ]; ok "one picture of twelve is held out" $?
touch -d '2001-01-01' "$tmp"/latents/*
run train "$tmp/t.json" --out "$tmp/t2" --quiet && [ "$(losses t)" = "$(losses t2)" ]; ok "again: the same losses" $?
[ "$(find "$tmp/latents" -newermt 2002-01-01 | grep -c latents/)" = 0 ]; ok "latents are made once" $?
cp "$clips/wide.gif" "$clips/wide2.gif" && cp "$clips/wide.txt" "$clips/wide2.txt"
run train "$tmp/t.json" --out "$tmp/t3" --quiet && [ "$(od -An -tu8 -j8 -N8 "$tmp/latents/32x16x5.latents" | tr -d ' ')" = 2 ]; ok "and again when a file came" $?
touch -d '2001-01-01' "$tmp"/latents/*
sed "s|\"model\": \"$model\"|\"model\": \"$tmp/vae/model.sora\"|" "$tmp/t.json" >"$tmp/other.json"
run train "$tmp/other.json" --out "$tmp/t4" --quiet && [ "$(find "$tmp/latents" -newermt 2002-01-01 -name '*.latents' | wc -l)" = "$(find "$tmp/latents" -name '*.latents' | wc -l)" ]
ok "and again when the autoencoder is another" $?

# Told shot by shot: cuts move to the middle, and the texts are others.
world() { # NAME FIELDS
    sed "s|\"source\": \"folder\", \"path\": \"$clips\"|\"clips\": 4, \"heldout\": 2, \"world\": {\"cut\": 1}|; s|\"buckets\": .*|\"buckets\": [{\"size\": [32, 32], \"frames\": 9, \"batch\": 2$2}]}}|;
        s|$tmp/latents|$tmp/cuts|" "$tmp/t.json" >"$tmp/$1.json"
}
world plain ""; world shots ', "shots": true'
run train "$tmp/plain.json" --out "$tmp/plain" --quiet && run train "$tmp/shots.json" --out "$tmp/shots" --quiet; ok "clips with cuts, told as one and shot by shot" $?
[ "$(losses plain)" != "$(losses shots)" ]; ok "the texts differ" $?
run train "$tmp/shots.json" --out "$tmp/shots2" --quiet --threads 1 && [ "$(losses shots)" = "$(losses shots2)" ]; ok "again: the same losses" $?

# What scenes are asked for is part of a cache, also where its first clip does not show it; how that is written down is not.
anew() { touch -d '2001-01-01' "$tmp"/cuts/*; run train "$tmp/$1.json" --out "$tmp/$1-anew" --quiet && [ "$(find "$tmp/cuts" -newermt 2002-01-01 -name '*.latents' | wc -l)" = "$2" ]; }
sed 's/"world": {"cut": 1}/"world": {"vary": 1, "cut": 1}/' "$tmp/shots.json" >"$tmp/said.json"; anew said 2; ok "another world: its latents are made again" $?
sed 's/"world": {"cut": 1}/"world": { "cut": 1, "vary": 1 }/' "$tmp/shots.json" >"$tmp/turned.json"; anew turned 0; ok "the same in another order: they are not" $?
sed 's/"shots": true/"shots": true, "world": {"vary": 1}/' "$tmp/said.json" >"$tmp/own.json"; anew own 2; ok "another world of the bucket" $?
sed 's|"buckets": \[|&{"size": [32, 32], "frames": 9, "batch": 2}, |' "$tmp/own.json" >"$tmp/both.json"

# The held-out loss is that of the size that the model recommends, else of the first, whatever else the recipe holds.
other='{"size": [32, 32], "frames": 17, "batch": 2, "share": 0}'
sed "s|}\]}}|}, $other]}}|" "$tmp/plain.json" >"$tmp/behind.json"; sed "s|\"buckets\": \[|&$other, |" "$tmp/plain.json" >"$tmp/before.json"
sed 's|"data":|"model": {"width": 32, "height": 32, "frames": 9}, "data":|' "$tmp/before.json" >"$tmp/named.json"
for r in behind before named; do run train "$tmp/$r.json" --out "$tmp/$r" --quiet; done; [ "$(losses plain)" = "$(losses named)" ]; ok "the same training with another size beside it" $?
grep -q loss_0.5 "$tmp/plain/measures.csv" && cmp -s "$tmp/plain/measures.csv" "$tmp/behind/measures.csv"; ok "the first size is measured" $?
cmp -s "$tmp/plain/measures.csv" "$tmp/named/measures.csv" && ! cmp -s "$tmp/plain/measures.csv" "$tmp/before/measures.csv"; ok "or the model's own" $?

rm -r "$tmp/cuts" # made by two at once: neither cuts the other's file
"$sora" train "$tmp/shots.json" --out "$tmp/first" --quiet >/dev/null 2>"$tmp/err" </dev/null & "$sora" train "$tmp/shots.json" --out "$tmp/second" --quiet >/dev/null 2>&1 </dev/null
second=$?; wait $! && [ $second = 0 ] && [ "$(losses shots)" = "$(losses first)" ] && [ "$(losses shots)" = "$(losses second)" ]; ok "two at once make the same latents" $?
[ -z "$(find "$tmp/cuts" -name '*.part')" ]; ok "and leave nothing half-made" $?

bad() { # what, status, text in the message, recipe
    run train "$4" --out "$tmp/bad" --quiet
    [ $? = "$2" ] && grep -q "$3" "$tmp/err"; ok "$1" $?
}
mkdir "$tmp/empty"
recipe bad "\"source\": \"folder\", \"path\": \"$tmp/empty\"" "$small"; bad "an empty folder" 1 "can be used" "$tmp/bad.json"
recipe bad "\"source\": \"folder\", \"path\": \"$tmp/none\"" "$small"; bad "no folder" 1 "cannot be read" "$tmp/bad.json"
recipe bad "\"source\": \"folder\"" "$small"; bad "a folder without a path" 2 "data.path" "$tmp/bad.json"
recipe bad "\"source\": \"tape\"" "$small"; bad "an unknown source" 2 "data.source" "$tmp/bad.json"
recipe bad "\"source\": \"folder\", \"path\": \"$clips\"" '{"size": [32, 32], "frames": 5, "batch": 2, "shots": true}'; bad "shots without the world" 2 "buckets.0..shots" "$tmp/bad.json"
bad "two buckets of one cache that draw different scenes" 2 "one cache" "$tmp/both.json"
recipe bad "\"source\": \"folder\", \"path\": \"$clips\", \"keep\": -1" "$small"; bad "a wrong size of memory" 2 "data.keep" "$tmp/bad.json"
echo '{"train": "probe", "probe": {"width": 8, "values": [2]}, "data": {"source": "folder", "path": "x", "buckets": [{"size": [32, 32]}]}}' >"$tmp/bad.json"
bad "a probe has no labels there" 2 "labels" "$tmp/bad.json"
finish
