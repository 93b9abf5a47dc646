//! What whoever runs servers is told in docs/operations.md, done as it is told there: its commands are
//! taken from the page and run as they stand.

mod counts;
mod database;
mod embedded;
mod recovery;
mod upgrade;

use crate::harness::process::{Process, campanile, with_root};
use crate::harness::{ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// base64 of 32 bytes, as every server of a database is given it.
const MASTER_KEY: &str = "TU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU0=";
/// What a block of the page begins with; its name comes behind.
const BLOCK: &str = "```sh ";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    fs::read_to_string(root().join("docs/operations.md")).unwrap()
}

/// Returns the commands of the page's block of this name.
#[track_caller]
fn block(name: &str) -> String {
    let page = page();
    let (_, rest) = page
        .split_once(&format!("\n{BLOCK}{name}\n"))
        .unwrap_or_else(|| panic!("docs/operations.md has no block {name}"));
    rest.split("```").next().unwrap().to_owned()
}

/// Returns the names that a block gives values to.
fn exported(name: &str) -> BTreeSet<String> {
    let block = block(name);
    let lines = block.lines().filter_map(|line| line.strip_prefix("export "));
    let words = lines.flat_map(|line| line.split('#').next().unwrap().split_whitespace());
    words.filter_map(|word| word.split_once('=')).map(|(name, _)| name.to_owned()).collect()
}

/// Runs a block of the page, with what it takes from the shell that it is pasted into.
#[track_caller]
fn run(mut shell: Command, before: &str, name: &str, variables: &[(&str, &str)]) -> String {
    let block = block(name);
    shell.args(["-euo", "pipefail", "-c", &format!("{before}\n{block}")]);
    let done = shell.envs(variables.iter().copied()).output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(done.status.success(), "{name}: {said}");
    said
}

/// Returns a shell in which the program and its root's credential are known.
fn shell_of_operator(server: &Process, folder: &Path) -> Command {
    let mut shell = Command::new("bash");
    let program = Path::new(env!("CARGO_BIN_EXE_campanile"));
    let mut path = vec![program.parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    shell.env_clear().env("PATH", std::env::join_paths(path).unwrap()).current_dir(folder);
    shell
        .env("AWS_ACCESS_KEY_ID", ROOT_ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", ROOT_SECRET_ACCESS_KEY)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL_CHIME", format!("http://{}", server.address));
    shell
}

/// The command line of a server on a database, of this release or another.
fn serve_with(mut program: Command, store: &str) -> Command {
    program.args(["serve", "--listen", "127.0.0.1:0", "--store", store]);
    program.env("CAMPANILE_MASTER_KEY", MASTER_KEY);
    with_root(&mut program);
    program
}

/// Starts a server of this release on a database.
fn start(store: &str) -> Process {
    Process::start_with(&mut serve_with(campanile(), store))
}

#[test]
fn every_block_of_commands_is_run() {
    let page = page();
    let named: BTreeSet<_> = page.lines().filter_map(|line| line.strip_prefix(BLOCK)).collect();
    assert!(named.len() > 5, "the blocks are found");
    assert_eq!(
        page.matches("\n```").count(),
        2 * named.len(),
        "every block is one, and has a name"
    );
    let tests = ["database", "embedded", "recovery", "upgrade"]
        .map(|file| fs::read_to_string(root().join(format!("tests/operator/{file}.rs"))).unwrap());
    for name in named {
        let runs = format!("\"{name}\"");
        assert!(tests.iter().any(|test| test.contains(&runs)), "nothing runs the block {name}");
    }
}
