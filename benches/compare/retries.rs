//! What it costs that a call which an SDK makes again is done once.

use crate::Args;
use crate::campanile::{Campanile, scratch};
use crate::comparisons::{WARM_UP, WRITING_CONNECTIONS};
use crate::load::{Load, Until};
use crate::report::Table;
use crate::requests;
use std::time::Duration;

/// Durable `CreateAccount` with the headers by which SDKs tell calls from each other, and without.
pub fn create_account(args: &Args) {
    let folder = tempfile::tempdir_in(scratch()).unwrap();
    let campanile = Campanile::start(folder.path(), None);
    let address = campanile.address;
    let load = |time: Duration| Load {
        address,
        connections: WRITING_CONNECTIONS,
        until: Until::Time(time),
        core: None,
    };
    let mut table = Table::begin(
        &format!("CreateAccount: durable writes a second, {WRITING_CONNECTIONS} connections"),
        &[("with an id", 0), ("without", 0), ("ratio", 3)],
    );
    load(WARM_UP).run(requests::create_accounts_once(address), |_| {});
    for _ in 0..args.rounds {
        let with = load(args.time()).run(requests::create_accounts_once(address), |_| {});
        let without = load(args.time()).run(requests::create_accounts(address), |_| {});
        let ratio = with.per_second / without.per_second;
        table.round(&[with.per_second, without.per_second, ratio]);
    }
    table.end();
}
