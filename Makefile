# make test    tries out everything that the project promises
# make check   reads the code and the documents instead: format, lints, layering, links
#
# What the tests need besides cargo is set up once, in folders that git ignores.

stamps := .tools/stamps

.PHONY: test check setup

test: setup
	tests/run.sh

check:
	cargo fmt --check
	cargo fmt --check --manifest-path tests/clients/rust/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items
	cargo test --locked --test main tidy::

setup: $(stamps)/python $(stamps)/js $(stamps)/strace

$(stamps)/python: tests/clients/python/requirements.txt
$(stamps)/js: tests/clients/js/package-lock.json

$(stamps)/%: tests/setup.sh
	tests/setup.sh $*
	@mkdir -p $(stamps) && touch $@

include benches/bench.mk
