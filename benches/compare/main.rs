//! How fast Campanile is, beside programs that everybody knows: `make bench`.
//!
//! What counts is the ratio of two servers that took turns on the same cores, for a figure alone
//! says as much about the machine. `docs/performance.md` tells what is compared, and why so.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    missing_debug_implementations,
    missing_docs,
    reason = "a bench stops at the first fault, prints what it found, and has no public items"
)]

mod audit;
mod campanile;
mod comparisons;
mod load;
mod machine;
mod nginx;
mod postgres;
mod process;
mod report;
mod requests;
mod retries;

use clap::{Parser, ValueEnum};
use std::time::Duration;

/// Compares Campanile with nginx and PostgreSQL, and with itself
#[derive(Parser)]
pub struct Args {
    /// How many accounts "many" are, for the start and the pages
    #[arg(long, default_value_t = 100_000)]
    accounts: usize,

    /// How many events of the audit "many" are
    #[arg(long, default_value_t = 100_000)]
    events: usize,

    /// How often each comparison is made
    #[arg(long, default_value_t = 7)]
    rounds: usize,

    /// How many seconds each server is under load in a round
    #[arg(long, default_value_t = 4)]
    seconds: u64,

    /// Only these comparisons
    #[arg(long, value_enum)]
    only: Vec<Comparison>,

    /// Given by `cargo bench`, and not by `cargo test --all-targets`, which has nothing to do here
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Comparison {
    GetAccount,
    CreateAccount,
    Start,
    ListAccounts,
    Audit,
    Retries,
}

impl Args {
    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

fn main() {
    let args = Args::parse();
    if !args.bench {
        return;
    }
    let versions = [
        (campanile::PROGRAM, "--version"),
        (nginx::program(), "-v"),
        (postgres::SERVER, "--version"),
    ];
    println!("{}", machine::description(&versions));
    let chosen = |comparison| args.only.is_empty() || args.only.contains(&comparison);
    if chosen(Comparison::GetAccount) {
        comparisons::get_account(&args);
    }
    if chosen(Comparison::CreateAccount) {
        comparisons::create_account(&args);
    }
    if chosen(Comparison::Start) {
        comparisons::start(&args);
    }
    if chosen(Comparison::ListAccounts) {
        comparisons::list_accounts(&args);
    }
    if chosen(Comparison::Audit) {
        audit::create_account(&args);
    }
    if chosen(Comparison::Retries) {
        retries::create_account(&args);
    }
}
