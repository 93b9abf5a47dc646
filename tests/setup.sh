#!/usr/bin/env bash
# Sets up what the tests need besides cargo, in folders that git ignores.
#
#     tests/setup.sh python|js|strace|postgres|postgres_ha
#
# Packages come through pip, npm and apt-get as this machine has them configured.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
mkdir -p "$tools"

# Installs a Debian package where that can be done without asking, and says what to do elsewhere.
install_package() {
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        echo "make test: $1 is missing. Install it, on Debian with: apt-get install $2" >&2
        return 1
    fi
    apt-get install -qq --no-install-recommends "$2" ||
        { apt-get update -qq && apt-get install -qq --no-install-recommends "$2"; }
}

need() {
    command -v "$1" >/dev/null || install_package "$1" "$2"
}

setup_python() {
    local venv=$tools/venv requirements=tests/clients/python/requirements.txt
    need python3 python3
    rm -rf "$venv"
    if make_venv "$venv"; then
        local pip=("$venv/bin/python" -m pip)
        "${pip[@]}" install -q --disable-pip-version-check --no-deps -r "$requirements"
        # What the list forgets must fail here, and not come in without a version.
        "${pip[@]}" check
    else
        echo "make test: python3 makes no virtual environment; a plain folder does as well" >&2
        rm -rf "$venv"
        mkdir -p "$venv/bin"
        python3 -m pip install -q --no-deps --target "$venv/site" -r "$requirements"
        printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" "$@"\n' "$venv/site" "$(command -v python3)" \
            >"$venv/bin/python"
        chmod +x "$venv/bin/python"
    fi
    ln -sf "$("$venv/bin/python" -c 'import botocore; print(botocore.__path__[0])')" \
        "$tools/botocore"
}

make_venv() {
    python3 -m venv "$1" 2>/dev/null ||
        { install_package "python3's module venv" python3-venv 2>/dev/null && python3 -m venv "$1"; }
}

setup_js() {
    need node nodejs
    need npm npm
    local major
    major=$(node -p 'process.versions.node.split(".")[0]')
    if ((major < 20)); then
        echo "make test: the AWS SDK for JavaScript needs Node.js 20 or newer; this is $major" >&2
        return 1
    fi
    npm --prefix tests/clients/js ci --no-audit --no-fund --loglevel=error
}

setup_strace() {
    need strace strace
}

setup_postgres() {
    [[ -x /usr/lib/postgresql/15/bin/postgres ]] || command -v pg_config >/dev/null ||
        install_package PostgreSQL postgresql
}

# What stands for machines in the failover test needs root, and so does its setup.
setup_postgres_ha() {
    if [[ $(id -u) == 0 ]]; then
        deploy/postgres-ha/setup
    fi
}

"setup_$1"
