#!/usr/bin/env bash
# Runs every test on every engine, and closes with what each runner says about itself.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ ${TEST_POSTGRES_URL:-} ]] || exec tests/postgres.sh tests/run.sh

export TEST_TOOLS=$PWD/.tools
export TEST_PYTHON=$TEST_TOOLS/venv/bin/python
export TEST_BOTOCORE_MODEL=$TEST_TOOLS/botocore/data/chime/2018-05-01/service-2.json.gz

target=$(cargo metadata --locked --no-deps --format-version 1 |
    "$TEST_PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
export TEST_BINARY=$target/debug/campanile
logs=$TEST_TOOLS/logs
rm -rf "$logs"
mkdir -p "$logs/servers"
# What the tests write besides, and the secrets that must not be in any of it.
export TEST_LOGS=$logs TEST_SECRETS=$logs/secrets
# A line for each step: its name, how it ended, and how many seconds it took.
steps=$logs/steps

# Runs a step, shows it, and keeps what it said. A failure does not hide those behind it.
step() {
    local name=$1 begun=$SECONDS state=ok
    shift
    printf '\n== %s\n' "$name"
    "$@" 2>&1 | tee "$logs/$name" || state=FAILED
    printf '%s|%s|%s\n' "$name" "$state" "$((SECONDS - begun))" >>"$steps"
}

have_failed() {
    grep -q '|FAILED|' "$steps"
}

# The lines with which cargo test, cargo nextest, pytest and node --test end.
summary() {
    grep -E '^test result: |^ +Summary \[|^(=+ )?[0-9]+ (passed|failed|error).* in [0-9.]+s|^ℹ (tests|pass|fail) ' \
        "$logs/$1" | sed 's/^ */    /' || true
}

rust_tests() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --no-fail-fast "$@"
    else
        cargo test --locked "$@"
    fi
}

# Runs the suites on an engine: as the root, or each as a user whose policy has nothing but the actions
# that the suite needs.
client_suites() {
    client_suite "$@" 'boto3 and aws' python "$TEST_PYTHON" -m pytest -q tests/clients/python
    client_suite "$@" aws-sdk-js js node --test --test-reporter=spec tests/clients/js/*.test.js
    client_suite "$@" aws-sdk-rust rust cargo test "${rust_client[@]}"
}

# Runs commands at the same time, and shows what they said one after the other.
side_by_side() {
    local command output outputs=()
    for command in "$@"; do
        output=$(mktemp "$logs/output-XXXXXX")
        outputs+=("$output")
        $command >"$output" 2>&1 &
    done
    wait
    cat "${outputs[@]}"
}

client_suite() {
    local engine=$1 caller=$2 name=$3 folder=$4 user=()
    shift 4
    if [[ $caller == user ]]; then
        user=(--as-user "tests/clients/$folder/least_privilege.json")
    fi
    step "$name on $engine as $caller" \
        "$TEST_PYTHON" tests/clients/server.py "$engine" "${user[@]}" "$@"
}

rust_client=(--locked --manifest-path tests/clients/rust/Cargo.toml --target-dir "$target/clients")
# A test asks cargo where a package is, and cargo answers only when it has the packages of every
# platform.
step 'fetch' cargo fetch --locked
# One build for all that follows, the program itself included.
step 'build' cargo test --locked --no-run
# The server that stands for the release before, in the test of a rolling upgrade.
step 'build the release before' tests/released.sh ee9e8fa
step 'build aws-sdk-rust' cargo test "${rust_client[@]}" --no-run
if have_failed; then
    exit 1
fi
step 'unit tests' rust_tests --lib
step 'documentation tests' cargo test --locked --doc
# These choose their engines, or need none.
own=() others=()
for module in cli copy durability master_key operator portability postgres power_loss tidy upgrade; do
    own+=("$module::") others+=(--skip "$module::")
done
step 'tests of the program and its folders' rust_tests --test main -- "${own[@]}"
for engine in memory embedded postgres; do
    TEST_ENGINE=$engine step "tests at the wire on $engine" rust_tests --test main -- "${others[@]}"
done
# A suite and its server keep one core busy. What a policy allows is decided above the engines, so that
# one of them does.
side_by_side 'client_suites memory root' 'client_suites embedded root'
side_by_side 'client_suites postgres root' 'client_suites memory user'
step 'judgement of failover' "$TEST_PYTHON" -m pytest -q tests/failover
ha_secrets=()
if [[ $(id -u) == 0 ]]; then
    step 'failover of postgres-ha' "$TEST_PYTHON" tests/failover/failover.py
    ha_secrets=(DatabasePassword)
else
    # Its machines are network namespaces, which root alone may make.
    step 'failover of postgres-ha: left out, for it needs root' true
fi
step 'search for secrets' "$TEST_PYTHON" tests/search_secrets.py "$TEST_SECRETS" "$logs" \
    InviteToken MasterKey RootSecretAccessKey SecretAccessKey SessionCookie SessionToken \
    SmtpPassword TokenSecret "${ha_secrets[@]}"

printf '\n== In short\n'
while IFS='|' read -r name state seconds; do
    printf '%-6s %4s s  %s\n' "$state" "$seconds" "$name"
    summary "$name"
done <"$steps"
printf 'All in %s s\n' "$SECONDS"
! have_failed
