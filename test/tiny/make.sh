#!/bin/sh
# Makes the tiny model of the tests: random weights of the parity fixtures, a tokenizer of single letters, small defaults.
# usage: make.sh FOLDER [LOOP]     (run in the repository's root; LOOP: a relative of the base model, test/parity/fixtures/loop_LOOP)
set -eu
out=$1
fixtures=test/parity/fixtures
rm -rf "$out"
mkdir -p "$out/tokenizer"
cp test/tiny/tokenizer.json "$out/tokenizer"
if [ $# -lt 2 ]; then
    cp -r $fixtures/tiny21/transformer $fixtures/tiny21/vae $fixtures/tiny21/text_encoder "$out"
    cp test/tiny/model_index.json "$out"
else
    cp -r "$fixtures/loop_$2/." $fixtures/loop_text/text_encoder "$out"
    {
        echo '{'
        sed -n '/"sora"/,/^  }/p;/"text_encoder"/,/^  ]/p;/"tokenizer"/,/^  ]/p' test/tiny/model_index.json
        sed 1d "$fixtures/loop_$2/model_index.json"
    } >"$out/model_index.json"
fi
