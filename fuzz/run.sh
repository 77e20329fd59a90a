#!/bin/sh
# Fuzzes one target for so many seconds: fuzz/run.sh hdf5 600
set -eu
target=$1 seconds=$2
cd "$(dirname "$0")/.."
corpus=fuzz/corpus/$target small=tests/fixtures/small
mkdir -p "$corpus" fuzz/artifacts
case $target in
hdf5) cp $small/*.h5 "$corpus" ;;
zip) cp $small/*.keras $small/*.npz "$corpus" ;;
config) for file in $small/*.keras tests/fixtures/keras/*/model.keras; do
    unzip -p "$file" config.json > "$corpus/$(echo "$file" | tr / _).json"
done ;;
safetensors) for file in $small/*.safetensors; do
    length=$(od -An -t u8 -N 8 "$file" | tr -d ' ')
    tail -c +9 "$file" | head -c "$length" > "$corpus/$(basename "$file")"
done ;;
esac
# What cargo-fuzz passes, without the sanitizer that needs nightly: the crate has no unsafe code in its readers.
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
-Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares"
export RUSTFLAGS="$coverage --cfg fuzzing -Ccodegen-units=1 -Clink-arg=-fuse-ld=bfd"
export CARGO_PROFILE_DEV_OPT_LEVEL=2 CARGO_PROFILE_DEV_DEBUG=0
cd fuzz
cargo build --target "$host" --bin "$target"
exec "target/$host/debug/$target" -max_total_time="$seconds" -rss_limit_mb=1024 -max_len=65536 -timeout=10 \
    -artifact_prefix=artifacts/ "corpus/$target"
