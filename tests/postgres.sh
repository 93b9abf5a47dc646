#!/usr/bin/env bash
# Runs a command beside a PostgreSQL of its own, whose URL is in TEST_POSTGRES_URL, and takes it away
# afterwards.
#
#     tests/postgres.sh cargo test --test main operations::
#
# It listens on a socket in its own folder and on no port. Its data need not outlive the tests, so that
# it does not wait for the disk. TEST_POSTGRES_OPTIONS has further options of the server, and
# TEST_POSTGRES_TLS a folder with the server.crt and server.key that it shows. Where the command is
# --controlled, it says the URL, and reads `stop` and `start` from standard input until that ends.
set -euo pipefail

programs=$(ls -d /usr/lib/postgresql/15/bin 2>/dev/null || pg_config --bindir)
folder=$(mktemp -d "${TMPDIR:-/tmp}/campanile-postgres-XXXXXX")

# PostgreSQL does not run as root; Debian's package brings a user for it.
as_owner() {
    if [[ $(id -u) == 0 ]]; then
        (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@")
    else
        "$@"
    fi
}

remove() {
    as_owner "$programs/pg_ctl" stop -D "$folder/data" -m immediate >/dev/null 2>&1 || true
    rm -rf "$folder"
}

if [[ $(id -u) == 0 ]]; then
    chown postgres "$folder"
fi
trap remove EXIT
as_owner "$programs/initdb" -D "$folder/data" -U campanile -E UTF8 --locale=C --auth=trust \
    --no-sync >"$folder.log" 2>&1 || { cat "$folder.log" >&2 && exit 1; }
rm -f "$folder.log"
options=${TEST_POSTGRES_OPTIONS:-}
if [[ ${TEST_POSTGRES_TLS:-} ]]; then
    for file in server.crt server.key; do
        as_owner tee "$folder/data/$file" <"$TEST_POSTGRES_TLS/$file" >/dev/null
        as_owner chmod 600 "$folder/data/$file"
    done
    options+=" -c ssl=on"
fi
start() {
    as_owner "$programs/pg_ctl" start -D "$folder/data" -s -w -l "$folder/log" -o "\
-c listen_addresses= -c unix_socket_directories=$folder -c max_connections=300 -c fsync=off \
-c full_page_writes=off -c log_min_messages=panic $options" >/dev/null ||
        { cat "$folder/log" >&2 && exit 1; }
}
start
export TEST_POSTGRES_URL="postgres://campanile@${folder//\//%2F}/postgres"
if [[ $1 != --controlled ]]; then
    "$@"
    exit
fi
# Says the URL, and then does what each line of standard input says.
echo "$TEST_POSTGRES_URL"
while read -r line; do
    case $line in
        start) start ;;
        stop) as_owner "$programs/pg_ctl" stop -D "$folder/data" -s -m immediate >/dev/null ;;
    esac
    echo done
done
