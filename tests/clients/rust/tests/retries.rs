//! What a client does not learn of, it asks for again by itself. It is done once all the same.

mod harness;

use aws_sdk_chime::{Client, config};
use harness::{config as found_config, created, unique};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Passes what it reads on to the server, and loses as many answers as it is told to: the client finds
/// its connection closed.
struct Relay {
    url: String,
    to_lose: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
}

impl Relay {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (to_lose, lost) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (losing, losses) = (Arc::clone(&to_lose), Arc::clone(&lost));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, Arc::clone(&losing), Arc::clone(&losses)));
            }
        });
        Self { url, to_lose, lost }
    }

    async fn client(&self) -> Client {
        let config = config::Builder::from(&found_config().await).endpoint_url(&self.url);
        Client::from_conf(config.build())
    }
}

async fn pass_on(client: TcpStream, to_lose: Arc<AtomicUsize>, lost: Arc<AtomicUsize>) {
    let url = std::env::var("AWS_ENDPOINT_URL_CHIME").unwrap();
    let server = TcpStream::connect(url.trim_start_matches("http://")).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asked = async { tokio::io::copy(&mut from_client, &mut to_server).await.ok() };
    let answered = async {
        let mut bytes = vec![0; 1 << 16];
        while let Ok(read @ 1..) = from_server.read(&mut bytes).await {
            let take_one = |left: usize| left.checked_sub(1);
            if to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one).is_ok() {
                lost.fetch_add(1, Ordering::SeqCst);
                return;
            }
            if to_client.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = asked => {}
        () = answered => {}
    }
}

#[tokio::test]
async fn an_account_is_made_and_deleted_once() {
    let relay = Relay::start().await;
    let client = relay.client().await;
    let name = unique("retried");
    relay.to_lose.store(2, Ordering::SeqCst);
    let account = created(&client, &name).await;
    let listed = client.list_accounts().name(&name).send().await.unwrap();
    assert_eq!(listed.accounts(), std::slice::from_ref(&account));
    relay.to_lose.store(2, Ordering::SeqCst);
    client.delete_account().account_id(account.account_id).send().await.unwrap();
    assert_eq!(relay.lost.load(Ordering::SeqCst), 4);
}
