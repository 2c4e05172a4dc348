#!/bin/sh
# Makes the tiny model of the tests: random weights of the parity fixtures, a tokenizer of single letters, small defaults.
# usage: make.sh FOLDER     (run in the repository's root)
set -eu
out=$1
from=test/parity/fixtures/tiny21
rm -rf "$out"
mkdir -p "$out/tokenizer"
cp -r $from/transformer $from/vae $from/text_encoder "$out"
cp test/tiny/tokenizer.json "$out/tokenizer"
cp test/tiny/model_index.json "$out"
