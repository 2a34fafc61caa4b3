#!/bin/sh
# make demo: train, freeze, use and show a convolutional network on real digits. Usage: demo.sh OUTPUT_DIRECTORY
set -e
here=$(cd "$(dirname "$0")" && pwd)
HORNBEAM=${HORNBEAM:-hornbeam}
out=${1:-demo-output}
rm -rf "$out"
mkdir -p "$out"
cd "$out"

say() { printf '\n$ %s\n' "$*"; }
hb() { say hornbeam "$@"; "$HORNBEAM" "$@"; }

hb run "$here/mnist_convnet.py" --train_dir=train
hb freeze train --output_nodes=probabilities -o frozen.pb
hb run "$here/classify_frozen.py" --graph=frozen.pb --train_dir=train --picture=digits.png
hb show train
hb show "$(ls train/*.meta | tail -n 1)"
hb show frozen.pb
hb show "$(ls train/*.tfevents.* | tail -n 1)"
printf '\nEverything is in %s; the picture is %s\n' "$(pwd)" "$(pwd)/digits.png"
