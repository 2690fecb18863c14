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

# Make a Debian package in target/debian, with its sum (`cargo install cargo-deb` first).
deb:
    cargo build --release
    mkdir -p target/dist
    target/release/lockkeeper man > target/dist/lockkeeper.1
    target/release/lockkeeper completions bash > target/dist/lockkeeper.bash
    target/release/lockkeeper completions zsh > target/dist/_lockkeeper
    target/release/lockkeeper completions fish > target/dist/lockkeeper.fish
    env -i HOME=/nonexistent target/release/lockkeeper config > target/dist/config.toml
    cargo deb --no-build
    cd target/debian && sha256sum *.deb > SHA256SUMS

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
fuzz cases="100000":
    PROPTEST_CASES={{cases}} cargo test --release --test untrusted

# Measure: 10 000 nodes and 100 000 locks, start-up, days of use.
bench name="scale":
    cargo bench --bench {{name}}
