# Everything that one does with this repository. `just` alone lists it.

_list:
    @just --list --unsorted

# Read-only: all that has to hold before a change lands, short of the official clients.
verify: format-check clippy test doc deny

# Changes files: formats them and applies what clippy knows how to mend.
fix:
    cargo clippy --fix --all-targets --allow-dirty --allow-staged
    cargo fmt

format-check:
    cargo fmt --check

clippy:
    cargo clippy --all-targets --locked -- -D warnings

# All tests, or those whose names contain NAME.
test NAME="":
    cargo test --locked {{NAME}}

# Kills the binary under load, so many times for each way to flush, or cuts the power of its disk, at moments that the seed says.
kill ROUNDS="200" SEED="":
    KILL_ROUNDS={{ROUNDS}} KILL_SEED={{SEED}} cargo test --locked --test kills -- --nocapture

# The shape of the source: import arrows, clocks, unsafe, lengths.
tidy:
    cargo test --locked --test tidy

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

# Licenses and advisories of dependencies (cargo install cargo-deny --locked).
deny:
    cargo deny check

# One bench of benches/, or all of them.
bench PATH="":
    cargo bench --locked {{ if PATH == "" { "" } else { "--bench " + PATH } }}

# The official Java, Go and Node clients and mqadmin against the release binary.
interop *ARGS:
    cargo build --release --locked
    tests/interop/run {{ARGS}}

# A store in turns at ours and at RocketMQ's broker, begun by either one: pending work, kills, expiry, and everything read back.
interop-store *ARGS:
    cargo build --release --locked
    tests/interop/run --only moved {{ARGS}}

# The store on a simulated disk with any seeds, as 0..10000: crashes, failing calls, a full disk.
sim SEEDS:
    FERROMQ_SIM_SEEDS={{SEEDS}} cargo test --release --locked --test sim

# The same of the client: its spool on such a disk, and consumers of one group on a simulated network.
sim-client SEEDS:
    FERROMQ_SIM_SEEDS={{SEEDS}} cargo test --release --locked --test client_sim
    FERROMQ_SIM_SEEDS={{SEEDS}} cargo test --release --locked --test spool every_crash

# Switches off each sync, order and cut of the store in turn, and says whether the simulated disk notices (half an hour).
mutate *ARGS:
    tests/sim/mutate {{ARGS}}

# A fuzz target of fuzz/ (needs a nightly compiler and cargo-fuzz), for so many seconds.
fuzz TARGET SECONDS="60":
    cargo +nightly fuzz run {{TARGET}} -- -max_total_time={{SECONDS}}

# What CI runs, in its order.
ci:
    .ci/run
