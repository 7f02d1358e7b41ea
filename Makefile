# What one does with this repository. `make` alone lists it.
#
# Nothing here needs more than Rust: deploy/setup finds PostgreSQL, RabbitMQ and a C compiler, and for the
# tests a browser, Prometheus, libfaketime and generators of API clients, or installs them, and whatever is
# started is private to the command and gone afterwards.
# Works with GNU make from 3.81 on, which is what macOS has.

CARGO ?= cargo
# A folder with other programs that do Beckon's job, which `make bench` measures beside it (tests/bench/peers.rs).
PEERS ?= $(wildcard ../shared/bench-peers)
TARGET = $${CARGO_TARGET_DIR:-target}
# A journey waits for other processes three fifths of its time, a test with a browser a sixth, so there are
# as many of each at a time as keep the cores busy.
WAITING_TESTS = --lib --bins $(addprefix --test ,bad_input contracts fuzz journeys model)
CORES = $$(getconf _NPROCESSORS_ONLN)
WAITING_THREADS = $${RUST_TEST_THREADS:-$$(($(CORES) * 5 / 2))}
BROWSER_THREADS = $${RUST_TEST_THREADS:-$$(($(CORES) * 3 / 2))}
# Each test's database is 460 small files. Where the system's memory file system has room, they are made
# there, which spares a twentieth of all work; 0.4 GiB is the most that was in use.
ROOM = df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 2 * 1024 * 1024 { print "/dev/shm" }'
TEST_FILES = $$(roomy=$$($(ROOM)); echo "$${TMPDIR:-$${roomy:-/tmp}}")

.PHONY: help demo test check bench soak attack queries snapshot upgrade sbom fmt setup setup-tests
.DEFAULT_GOAL := help

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: setup ## try everything on this machine, until Ctrl-C; with ONCE=1 it checks itself and ends
	$(CARGO) build --workspace --locked
	@exec "$(TARGET)/debug/demo" $(if $(filter-out 0,$(ONCE)),--once)

test: setup-tests ## run every test
	$(CARGO) build --workspace --locked
	TMPDIR="$(TEST_FILES)" RUST_TEST_THREADS="$(WAITING_THREADS)" $(CARGO) test --workspace --locked $(WAITING_TESTS)
	TMPDIR="$(TEST_FILES)" RUST_TEST_THREADS="$(BROWSER_THREADS)" $(CARGO) test --workspace --locked --test console

# The steps are one recipe, so that they run in this order and stop at the first failure, also
# with -j and -k.
check: ## all that CI runs: format, queries, lints, docs, dependencies, deploy, tests, demo
	$(CARGO) fmt --check
	deploy/setup --tests
	shared/prepare-queries --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked
	deploy/check-dependencies
	deploy/check
	$(MAKE) test
	$(MAKE) demo ONCE=1

bench: setup ## measure throughput, latency and acceptance on this machine
	$(CARGO) build --release --workspace --locked
	@exec "$(TARGET)/release/bench" $(if $(PEERS),--peers "$(PEERS)") $(ARGS)

soak: setup ## endure random faults for MINUTES (10), and check every minute that nothing is lost
	$(CARGO) build --release --workspace --locked
	@exec "$(TARGET)/release/soak" --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

attack: setup ## attack an API with everything a stranger can do for MINUTES (10), while people use it
	$(CARGO) build --release --workspace --locked
	@exec "$(TARGET)/release/attack" --seconds $$(($(or $(MINUTES),10) * 60))

queries: setup ## learn the shapes of the SQL queries anew, after a change of queries or schema
	shared/prepare-queries

snapshot: setup ## remember what the release being cut asks of Postgres and the queue, for the next one
	$(CARGO) build --workspace --locked
	$(CARGO) test --workspace --locked --test contracts -- --ignored remember_this_release

upgrade: setup ## go from FROM, a revision git knows, to what is here in the middle of a batch; builds both
	@tests/upgrade "$(FROM)"

sbom: ## write what both programs are built from to target/sbom (CycloneDX)
	@deploy/sbom

fmt: ## format the code
	$(CARGO) fmt

setup:
	@deploy/setup

setup-tests:
	@deploy/setup --tests
