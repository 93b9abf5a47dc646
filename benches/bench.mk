# nginx is fetched as Debian packages it, and not installed.
.tools/nginx/usr/sbin/nginx:
	mkdir -p .tools/nginx
	cd .tools/nginx && apt-get download nginx && dpkg -x nginx_*.deb .

# Compares with nginx and PostgreSQL 15 on this machine: make bench BENCH="--accounts 1000000"
.PHONY: bench
bench: .tools/nginx/usr/sbin/nginx
	cargo bench --bench compare -- $(BENCH)

# Imports directories of many users, and tells the time and the memory: make bench-import BENCH=3000000
.PHONY: bench-import
bench-import:
	cargo build --locked --release
	python3 benches/import.py target/release/campanile $(BENCH)

# Tells how many bytes things take in PostgreSQL, and what a server does on each store.
.PHONY: bench-sizing
bench-sizing:
	cargo build --locked --release
	python3 benches/sizing.py target/release/campanile
