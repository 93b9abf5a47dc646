//! A store in the database, with a server over it, and SQL about it.

use crate::harness::{Options, Server, postgres};
use campanile::store::Engine;
use campanile::store::postgres::Postgres;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A store in the database, in a schema of its own.
pub struct SharedStore {
    url: String,
    pub engine: Arc<dyn Engine>,
}

impl SharedStore {
    pub fn new() -> Self {
        Self::at(postgres::url())
    }

    /// Makes one whose server sets these options for each of its sessions.
    pub fn with_options(options: &str) -> Self {
        let url = postgres::url();
        let store = Self::at(format!("{url}%20{options}"));
        Self { url, ..store }
    }

    fn at(url: String) -> Self {
        let engine = Arc::new(Postgres::open(&url.parse().unwrap()).unwrap());
        Self { url, engine }
    }

    pub fn server(&self) -> Server {
        let engine = Some(Arc::clone(&self.engine));
        Server::start_with(Options { engine, ..Options::default() }, |_| Ok(()))
    }

    /// Runs statements, and returns what is in the first column of every row that they answer, which is
    /// JSON where it can be.
    pub fn query(&self, statements: &str) -> Vec<Value> {
        ask(&self.url, statements).unwrap_or_else(|error| panic!("{error}: {statements}"))
    }

    pub fn query_as(&self, role: &str, statements: &str) -> Result<Vec<Value>, String> {
        ask(&self.url.replacen("campanile@", &format!("{role}@"), 1), statements)
    }
}

fn ask(url: &str, statements: &str) -> Result<Vec<Value>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) =
            tokio_postgres::connect(url, NoTls).await.map_err(|error| format!("{error:?}"))?;
        let connection = tokio::spawn(connection);
        // What the zone of a session is, must make no difference.
        let answered = async {
            client.batch_execute("SET TimeZone = 'Etc/GMT-5'").await?;
            client.simple_query(statements).await
        };
        let rows = answered.await.map_err(|error| format!("{error:?}"))?;
        drop(client);
        connection.await.unwrap().unwrap();
        let first = |message| match message {
            SimpleQueryMessage::Row(row) => {
                let text = row.get(0).unwrap_or("null");
                Some(serde_json::from_str(text).unwrap_or_else(|_| json!(text)))
            }
            _ => None,
        };
        Ok(rows.into_iter().filter_map(first).collect())
    })
}
