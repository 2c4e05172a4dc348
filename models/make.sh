#!/bin/sh
# Trains the model that ships from nothing, in the order in which its parts need each other, and packs it. usage: make.sh SORA [FOLDER]
# Each step goes on from its last checkpoint when run again; a finished step is not repeated. Many hours on two cores.
set -eu
sora=$1 out=${2:-build/train}
mkdir -p "$out"
step() { # name, further options
    name=$1
    shift
    [ -f "$out/$name/done" ] && return
    "$sora" train "models/recipes/$name.json" --out "$out/$name" "$@"
    touch "$out/$name/done"
}
step vae
step probe --with "$out/vae/model.sora"
[ -f "$out/tokenizer.model" ] || "$sora" tokenizer --pieces 1500 --out "$out/tokenizer.model"
step nano --with "$out/probe/model.sora"
echo "$out/nano/model.sora"
