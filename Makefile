# All development tasks. `make` alone lists them.
#
# Rust is the only prerequisite: deploy/setup finds or installs PostgreSQL, RabbitMQ and a C compiler, and
# for the tests a browser, Prometheus, libfaketime and API client generators. Servers that a target starts
# are private to it and are removed afterwards.
# Requires GNU make 3.81 or later, the version shipped with macOS.

CARGO ?= cargo
# A directory with comparable programs that `make bench` measures for comparison (tests/bench/peers.rs).
PEERS ?= $(wildcard ../shared/bench-peers)
TARGET = $${CARGO_TARGET_DIR:-target}
# A journey spends three fifths of its time waiting for other processes, a browser test a sixth. The
# thread counts keep the cores busy.
WAITING_TESTS = --lib --bins $(addprefix --test ,bad_input contracts failover fuzz journeys model)
CORES = $$(getconf _NPROCESSORS_ONLN)
WAITING_THREADS = $${RUST_TEST_THREADS:-$$(($(CORES) * 5 / 2))}
BROWSER_THREADS = $${RUST_TEST_THREADS:-$$(($(CORES) * 3 / 2))}
# Each test database is 460 small files. If the memory file system has room, they are created there, which
# saves 5% of the total time; at most 0.4 GiB was in use.
ROOM = df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 2 * 1024 * 1024 { print "/dev/shm" }'
TEST_FILES = $$(roomy=$$($(ROOM)); echo "$${TMPDIR:-$${roomy:-/tmp}}")

.PHONY: help demo test nightly mail-servers check bench soak attack queries snapshot upgrade sbom fmt setup setup-tests
.DEFAULT_GOAL := help

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: setup ## run a complete demo on this machine until Ctrl-C; with ONCE=1 verify it and exit
	$(CARGO) build --workspace --locked
	@exec "$(TARGET)/debug/demo" $(if $(filter-out 0,$(ONCE)),--once)

test: setup-tests ## run every test
	$(CARGO) build --workspace --locked
	@rm -f "$(TARGET)/debug/test-times"
	TMPDIR="$(TEST_FILES)" RUST_TEST_THREADS="$(WAITING_THREADS)" $(CARGO) test --workspace --locked $(WAITING_TESTS)
	TMPDIR="$(TEST_FILES)" RUST_TEST_THREADS="$(BROWSER_THREADS)" $(CARGO) test --workspace --locked --test console
	@echo "The slowest tests:"; LC_ALL=C sort -rn "$(TARGET)/debug/test-times" | head -n 20

# Two tests at a time: two cores run six RabbitMQ nodes, and most tests wait.
nightly: setup-tests ## run the tests that take minutes or need RabbitMQ 4 or PgBouncer 1.24
	@deploy/setup --rabbitmq 4
	$(CARGO) build --workspace --locked
	TMPDIR="$(TEST_FILES)" $(CARGO) test --workspace --locked --test failover -- --include-ignored --test-threads 2 --nocapture
	TMPDIR="$(TEST_FILES)" $(CARGO) test --workspace --locked --test journeys -- --ignored --nocapture a_day_at_a_provider a_resume_probes

# Its own target, because it needs root and Debian's packages.
mail-servers: setup ## run the tests against Postfix, Exim, OpenSMTPD and Dovecot (root, Debian)
	@deploy/setup --mail-servers
	$(CARGO) build --workspace --locked
	TMPDIR="$(TEST_FILES)" RUST_TEST_THREADS="$(WAITING_THREADS)" $(CARGO) test --workspace --locked --test mail_servers -- --include-ignored

# The steps are one recipe, so that they run in this order and stop at the first failure even with -j
# and -k.
check: ## run everything CI runs: format, queries, lints, docs, dependencies, deploy, tests, demo
	$(CARGO) fmt --check
	deploy/setup --tests
	shared/prepare-queries --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked
	deploy/check-dependencies
	deploy/check
	$(MAKE) test
	$(MAKE) demo ONCE=1

bench: setup ## measure throughput, latency and batch acceptance on this machine
	$(CARGO) build --release --workspace --locked
	@exec "$(TARGET)/release/bench" $(if $(PEERS),--peers "$(PEERS)") $(ARGS)

soak: setup ## inject random faults for MINUTES (10) and check every minute that nothing is lost
	$(CARGO) build --release --workspace --locked
	@exec "$(TARGET)/release/soak" --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED)) $(if $(SKIP),--skip $(SKIP))

attack: setup ## attack an API as an unauthenticated client for MINUTES (10) while people use it
	$(CARGO) build --release --workspace --locked
	@exec "$(TARGET)/release/attack" --seconds $$(($(or $(MINUTES),10) * 60))

queries: setup ## regenerate shared/.sqlx after changing SQL queries or the schema
	shared/prepare-queries

snapshot: setup ## record what this release needs from Postgres and the queue, to check the next one against
	$(CARGO) build --workspace --locked
	$(CARGO) test --workspace --locked --test contracts -- --ignored remember_this_release

upgrade: setup ## upgrade from git revision FROM to the working tree in the middle of a batch; builds both
	@tests/upgrade "$(FROM)"

sbom: ## write an SBOM of both programs to target/sbom (CycloneDX)
	@deploy/sbom

fmt: ## format the code
	$(CARGO) fmt

setup:
	@deploy/setup

setup-tests:
	@deploy/setup --tests
