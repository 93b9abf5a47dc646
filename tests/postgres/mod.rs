//! What the PostgreSQL engine promises beyond what every engine does: its tests need the database that
//! `tests/postgres.sh` starts, and choose their engine themselves.

#![expect(clippy::print_stdout, reason = "what was counted is what documentation quotes")]

mod contention;
mod cuts;
mod filling;
mod histories;
mod late;
mod linearizability;
mod races;
mod received;
mod round_trips;
mod secrets;
mod start;
mod store;
mod tls;
mod views;

use crate::harness::proxy::Proxy;
use crate::harness::{Client, Options, Server, postgres};
use campanile::store::Location;
use campanile::store::postgres::Timeouts;
use serde_json::{Value, json};
use std::time::Duration;

/// How a server waits that is made to wait in vain.
const SHORT: Timeouts = Timeouts {
    connect: Duration::from_millis(300),
    answer: Duration::from_millis(300),
    commit: Duration::from_millis(300),
    fence: Duration::from_secs(2),
};

/// Two servers over one schema: one finds it through a proxy, the other directly. The proxy ends last.
struct Pair {
    schema: String,
    plain: Server,
    faulty: Server,
    proxy: Proxy,
}

impl Pair {
    fn start(timeouts: Timeouts) -> Self {
        let schema = postgres::new_schema();
        let proxy = Proxy::start();
        let mut settings = proxy.settings(&schema);
        settings.timeouts = timeouts;
        let plain = server_at(postgres::location_of(&schema));
        let faulty = server_at(Location::Postgres(Box::new(settings)));
        Self { schema, plain, faulty, proxy }
    }
}

/// Starts a server over a store that others may use, too.
fn server_at(location: Location) -> Server {
    Server::start_with(Options { location: Some(location), ..Options::default() }, |_| Ok(()))
}

/// Returns the same client at another server.
fn at(client: &Client, server: &Server) -> Client {
    Client { address: server.address, ..client.clone() }
}

/// Returns a client that is allowed everything by a policy, and not for being the root.
fn administrator(server: &Server) -> Client {
    let allow = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    server.user("administrator", &json!({"Version": "2012-10-17", "Statement": allow}))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
