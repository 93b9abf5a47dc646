# nginx is fetched as Debian packages it, and not installed.
.tools/nginx/usr/sbin/nginx:
	mkdir -p .tools/nginx
	cd .tools/nginx && apt-get download nginx && dpkg -x nginx_*.deb .

# Compares with nginx and PostgreSQL 15 on this machine: make bench BENCH="--accounts 1000000"
.PHONY: bench
bench: .tools/nginx/usr/sbin/nginx
	cargo bench --bench compare -- $(BENCH)
