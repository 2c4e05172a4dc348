#!/bin/sh
# The moving picture of the card and the README: the prompts of samples.txt, five in a row, each with its caption.
# usage: models/samples.sh SORA MODEL OUT.webp   (needs ImageMagick)
set -eu
sora=$1 model=$2 out=$3
dir=$(dirname "$0")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"$sora" generate --model "$model" --prompts "$dir/samples.txt" --seed 7 -o "$tmp/clip"
grep -v '^#' "$dir/samples.txt" >"$tmp/captions"
first=$(ls "$tmp/clip-001")
for frame in $first; do
    i=0
    while read -r caption; do
        i=$((i + 1))
        convert "$tmp/$(printf 'clip-%03d' $i)/$frame" -filter Point -resize 144x144 \
            \( -size 144x44 -background white -fill black -pointsize 11 -gravity North caption:"$caption" \) -append "$tmp/tile-$(printf %03d $i).png"
    done <"$tmp/captions"
    montage "$tmp"/tile-*.png -tile 5x -geometry +6+4 -background white "$tmp/all-$frame"
done
convert -delay 12 "$tmp"/all-*.png -loop 0 -quality 70 "$out"
