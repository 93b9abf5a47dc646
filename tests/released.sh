#!/usr/bin/env bash
# Builds the server as it was at a commit of this repository's history, once, and prints where it is.
#
#     tests/released.sh ee9e8fa
#
# The tests run it beside the server of today. It is kept in the folder that git ignores, and what it
# was built from is not.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=$1
folder=${CARGO_TARGET_DIR:-$PWD/target}/released
program=$folder/campanile-$commit

mkdir -p "$folder"
exec 9>"$folder/lock"
# Tests run at the same time, and one of them builds it.
flock 9
if [[ ! -x $program ]]; then
    git cat-file -e "$commit^{commit}" 2>/dev/null || {
        echo "tests/released.sh: there is no commit $commit here, so that no server of then can be" \
            "built and no rolling upgrade tested. A clone that is shallow gets it by:" \
            "git fetch --unshallow" >&2
        exit 1
    }
    source=$(mktemp -d "$folder/$commit-XXXXXX")
    trap 'rm -rf "$source"' EXIT
    git archive "$commit" | tar -x -C "$source"
    # Without what only a debugger reads, which is most of what there is to write.
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 cargo build --locked --bin campanile \
        --manifest-path "$source/Cargo.toml" --target-dir "$source/target" >&2
    cp "$source/target/debug/campanile" "$program.new"
    mv "$program.new" "$program"
fi
echo "$program"
