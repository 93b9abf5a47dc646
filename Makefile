# make test    tries out everything that the project promises
# make check   reads the code and the documents instead: format, lints, layering, links
#
# make bench   compares its speed with nginx and PostgreSQL (docs/performance.md)
# make bench-import measures how a million users move in (docs/performance.md)
# make ha-long loses a cluster's machines again and again, under a quarter of a million writes
# make alerts  tries the alerts with Prometheus' own tool (docs/operations.md)
# make fuzz    feeds it what nobody thought of, a minute a target (docs/fuzzing.md)
#
# What the tests need besides cargo is set up once, in folders that git ignores.

stamps := .tools/stamps

.PHONY: test check alerts fuzz ha-long setup

test: setup
	tests/run.sh

check:
	cargo fmt --check
	cargo fmt --check --manifest-path tests/clients/rust/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir target/fuzz
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items
	cargo test --locked --test main tidy::

# Prometheus is fetched as Debian packages it, and not installed.
promtool := .tools/prometheus/usr/bin/promtool
alerts: $(promtool)
	$(promtool) check rules deploy/prometheus/alerts.yml
	$(promtool) test rules deploy/prometheus/alerts_test.yml

$(promtool):
	mkdir -p .tools/prometheus
	cd .tools/prometheus && apt-get download prometheus && dpkg -x prometheus_*.deb .

# Needs cargo-fuzz and a nightly toolchain.
fuzz:
	for target in authorization decoder links next_token policy router; do \
		mkdir -p fuzz/corpus/$$target && \
		cargo +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target \
			-- -max_total_time=60 || exit 1; \
	done

# Needs root, and half an hour on two busy cores.
ha-long: setup
	cargo build --locked --release
	TEST_BINARY=$${CARGO_TARGET_DIR:-target}/release/campanile \
		.tools/venv/bin/python tests/failover/failover.py --acknowledged 250000 --rounds 4

setup: $(stamps)/python $(stamps)/js $(stamps)/strace $(stamps)/postgres $(stamps)/postgres_ha

$(stamps)/python: tests/clients/python/requirements.txt
$(stamps)/js: tests/clients/js/package-lock.json
$(stamps)/postgres_ha: deploy/postgres-ha/requirements.txt deploy/postgres-ha/setup

$(stamps)/%: tests/setup.sh
	tests/setup.sh $*
	@mkdir -p $(stamps) && touch $@

include benches/bench.mk
