# List the commands.
default:
    @just --list

# What a change must pass.
ci:
    .ci/run

# The demo, released.
demo *arguments:
    cargo run --release -- demo {{arguments}}

# Write the pages of docs/ that come from tables and tests.
docs:
    UPDATE_DOCS=1 cargo test --test architecture --test cli --test faults

# Make all files of a release in target/dist (docs/releasing.md says what it needs).
dist *targets:
    packaging/dist {{targets}}

# Make a searchable book of docs/ in target/site/docs, with its pictures beside it (`cargo install mdbook` first).
book:
    mdbook build
    cp -r assets CHANGELOG.md CONTRIBUTING.md SECURITY.md target/site/

# Take the screens' snapshots anew; read the diff.
snapshots:
    INSTA_UPDATE=always cargo test --lib ui::

# Record the story of the demo as an animation for the README.
story:
    cargo build --release
    cargo run --release --example picture -- assets/story.svg 120x32 '|\r|\e8|3/queue\r|x|y|\r\e9' 84 target/release/lockkeeper demo --seed 3 --speed 8

# Draw one picture from the running program, e.g. `just picture assets/overview.svg 120x36 "" 40 demo`.
picture file size keys seconds *arguments:
    cargo build --release
    cargo run --release --example picture -- {{file}} {{size}} "{{keys}}" {{seconds}} target/release/lockkeeper {{arguments}}

# Run the simulation of the action path for about an hour.
simulate:
    SIMULATE_RUNS=2000000 cargo test --release --test simulation

# Run the property tests with many cases.
properties cases="100000":
    PROPTEST_CASES={{cases}} cargo test --release --test untrusted

# Run each fuzz target for so many minutes (`cargo install cargo-fuzz` and a nightly toolchain first). There is no unsafe code for a sanitizer.
fuzz minutes="1":
    #!/usr/bin/env bash
    set -euo pipefail
    for target in $(cargo +nightly fuzz list); do
      mkdir -p "fuzz/corpus/$target"
      cargo +nightly fuzz run --sanitizer none "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- -max_total_time=$(({{minutes}} * 60)) -max_len=65536 -timeout=10
    done

# Measure: 10 000 nodes and 100 000 locks, start-up, days of use.
bench name="scale":
    cargo bench --bench {{name}}
