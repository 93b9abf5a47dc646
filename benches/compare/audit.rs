//! Whether events of the audit slow down what adds to them: writes beside none, and beside many.

use crate::Args;
use crate::campanile::{Campanile, scratch};
use crate::comparisons::{WARM_UP, WRITING_CONNECTIONS};
use crate::load::{Load, Outcome, Until};
use crate::report::Table;
use crate::requests::{self, ACCESS_KEY_ID, AWS_ACCOUNT_ID};
use campanile::clock::{Clock, Timestamp};
use campanile::operations::audit::{self, AuditEventRecord};
use campanile::store::{self, Location, Store};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How many events one transaction adds to a folder that is filled.
const BATCH: usize = 10_000;

/// Durable `CreateAccount` into a store without events, with a tenth of many, and with many.
pub fn create_account(args: &Args) {
    let counts = [0, args.events / 10, args.events];
    let folders = counts.map(filled);
    let servers = folders.each_ref().map(|folder| Campanile::start(folder, None));
    let mut table = Table::begin(
        &format!(
            "CreateAccount: durable writes a second, {WRITING_CONNECTIONS} connections, beside no \
             events, {} and {}",
            counts[1], counts[2]
        ),
        &[("none", 0), ("a tenth", 0), ("many", 0), ("many to none", 3)],
    );
    for round in 0..args.rounds {
        let mut figures = [0.0; 3];
        // Whoever comes first in a round is another each time: the disk remembers.
        for turn in 0..servers.len() {
            let index = (round + turn) % servers.len();
            create_for(&servers[index], WARM_UP);
            figures[index] = create_for(&servers[index], args.time()).per_second;
        }
        let [none, tenth, many] = figures;
        table.round(&[none, tenth, many, many / none]);
    }
    table.end();
    drop(servers);
    for folder in folders {
        fs::remove_dir_all(folder).unwrap();
    }
}

fn create_for(campanile: &Campanile, time: Duration) -> Outcome {
    let load = Load {
        address: campanile.address,
        connections: WRITING_CONNECTIONS,
        until: Until::Time(time),
        core: None,
    };
    load.run(requests::create_accounts(campanile.address), |_| {})
}

/// Makes a folder with so many events, one each millisecond up to now.
fn filled(count: usize) -> PathBuf {
    let folder = scratch().join(format!("events-{count}"));
    fs::remove_dir_all(&folder).ok();
    println!("Making {count} events in {}", folder.display());
    fill(&folder, count).unwrap();
    folder
}

fn fill(folder: &Path, count: usize) -> store::Result<()> {
    let store = Store::open(&Location::Embedded(folder.to_owned()))?;
    let now = Clock::system().now();
    let first = now.plus(-i64::try_from(count).unwrap());
    for begin in (0..count).step_by(BATCH) {
        let add = move |mut tx: store::Tx<'_>| {
            for index in begin..count.min(begin + BATCH) {
                let time = first.plus(i64::try_from(index).unwrap());
                audit::append(&mut tx, &event(time), false)?;
            }
            Ok::<_, store::Error>(())
        };
        store.write_blocking(add)?;
    }
    Ok(())
}

/// Returns an event as a `CreateAccount` of this load leaves it.
fn event(time: Timestamp) -> AuditEventRecord {
    let [event_id, request_id, account_id] =
        [(); 3].map(|()| uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string());
    let milliseconds = time.as_millisecond();
    let event = format!(
        r#"{{"a":"{AWS_ACCOUNT_ID}","t":{milliseconds},"e":"{event_id}","q":"{request_id}","n":"chime:CreateAccount","c":{{"k":"{ACCESS_KEY_ID}"}},"r":"us-east-1","i":"127.0.0.1","u":"Boto3/1.43.11","p":{{"name":"Account {account_id}"}},"o":{{"account":{{"accountId":"{account_id}","accountStatus":"Active","accountType":"Team","awsAccountId":"{AWS_ACCOUNT_ID}","createdTimestamp":"{time}","defaultLicense":"Pro","name":"Account {account_id}","signinDelegateGroups":[],"supportedLicenses":["Basic","Pro"]}}}}}}"#
    );
    serde_json::from_str(&event).unwrap()
}
