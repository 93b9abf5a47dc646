//! A server in this process and a client that signs: what the tests at the wire are written with.

pub mod dns;
pub mod entries;
pub mod http;
pub mod kept;
pub mod otlp;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod shared;
pub mod smtp;
pub mod tls;
pub mod workload;

pub use http::{Answer, exchange};

use crate::model;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use campanile::access::{KEY_BYTES, MasterKey, RootSettings, Secret};
use campanile::client::target_and_body;
use campanile::clock::{Clock, Timestamp};
use campanile::operations::find;
use campanile::protocol::sigv4::SignedRequest;
use campanile::protocol::sigv4::client::{Credentials, sign};
use campanile::server::{
    self, AuditSettings, DnsSettings, Limits, MailSettings, MasterKeySource, MetricsSettings,
    Origins, OtlpEndpoint, Settings, Tls,
};
use campanile::store::embedded::Embedded;
use campanile::store::postgres::{Postgres, Timeouts};
use campanile::store::{self, Engine, Location, Memory, Store, Tx};
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};

pub const ROOT_ACCESS_KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub const ROOT_SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub const ROOT_AWS_ACCOUNT_ID: &str = "111122223333";
const MAIL_FROM: &str = "Amazon Chime <chime@example.net>";

/// A server over an empty store of its own; it stops when this is dropped.
pub struct Server {
    pub address: SocketAddr,
    /// Where metrics are served, if they are.
    pub metrics: Option<SocketAddr>,
    clock: TestClock,
    location: Location,
    stop: Option<oneshot::Sender<()>>,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    /// What is looked at in the end: every test leaves a store whose entries are what its records
    /// make.
    engine: Option<Arc<dyn Engine>>,
    folder: Option<TempDir>,
}

/// What a test may change of how a server starts.
#[derive(Default)]
pub struct Options {
    pub cors_origins: Vec<String>,
    /// The mail server that takes the server's mail.
    pub smtp_url: Option<String>,
    /// The name server that verifies domains, if they are verified.
    pub dns_server: Option<SocketAddr>,
    /// Where people's browsers find the server.
    pub public_url: Option<&'static str>,
    /// The certificate that the server shows; without it, HTTP is plain.
    pub tls: Option<Arc<Tls>>,
    /// What is recorded of calls; nothing of it is removed when nobody says.
    pub audit: AuditSettings,
    /// How much the server takes on.
    pub limits: Limits,
    /// Whether metrics are served, over TLS if the server speaks it.
    pub metrics: bool,
    /// Whether every request is a line of the log.
    pub access_log: bool,
    /// Where spans are exported to.
    pub otlp_endpoint: Option<OtlpEndpoint>,
    /// How many milliseconds the server's clock is ahead.
    pub ahead: i64,
    /// Where to store, in the place of an empty store of the engine that `TEST_ENGINE` names.
    pub location: Option<Location>,
    /// The engine to store in, in the place of the one that `TEST_ENGINE` names.
    pub engine: Option<Arc<dyn Engine>>,
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(Options::default(), |_| Ok(()))
    }

    /// Starts a server that sends its mail to a mail server.
    pub fn start_with_mail(peer: &smtp::SmtpPeer) -> Self {
        let options = Options { smtp_url: Some(peer.url()), ..Options::default() };
        Self::start_with(options, |_| Ok(()))
    }

    /// Starts a server over a store that is filled before the first request.
    pub fn start_with(
        options: Options,
        fill: impl FnMut(Tx<'_>) -> store::Result<()> + Send + 'static,
    ) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
        let engine = std::env::var("TEST_ENGINE").unwrap_or_else(|_| "memory".to_owned());
        let folder = tempfile::tempdir().unwrap();
        if let Some(location) = options.location.clone() {
            return Self::start_at(location, Some(folder), options, fill);
        }
        let location = match engine.as_str() {
            "memory" => Location::Memory,
            "embedded" => Location::Embedded(folder.path().join("data")),
            "postgres" => postgres::location(),
            other => panic!("TEST_ENGINE is '{other}': it may be memory, embedded or postgres"),
        };
        Self::start_at(location, Some(folder), options, fill)
    }

    /// Starts a server over the data folder `data` that a test put into a folder.
    pub fn start_on(folder: TempDir) -> Self {
        let location = Location::Embedded(folder.path().join("data"));
        Self::start_at(location, Some(folder), Options::default(), |_| Ok(()))
    }

    fn start_at(
        location: Location,
        folder: Option<TempDir>,
        options: Options,
        fill: impl FnMut(Tx<'_>) -> store::Result<()> + Send + 'static,
    ) -> Self {
        kept::start_log();
        let master_key = MasterKey::new([0x4d; KEY_BYTES]);
        kept::note_secret("RootSecretAccessKey", ROOT_SECRET_ACCESS_KEY);
        kept::note_secret("MasterKey", master_key.text().expose());
        let clock = TestClock::default();
        clock.move_time(options.ahead);
        let settings = Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            metrics: options.metrics.then(|| MetricsSettings {
                listen: ([127, 0, 0, 1], 0).into(),
                tls: options.tls.clone(),
            }),
            access_log: options.access_log || kept::is_on(),
            otlp: options.otlp_endpoint,
            tls: options.tls,
            store: location.clone(),
            master_key: MasterKeySource::Given(master_key),
            root: RootSettings {
                access_key: Some((
                    ROOT_ACCESS_KEY_ID.to_owned(),
                    Secret::new(ROOT_SECRET_ACCESS_KEY.to_owned()),
                )),
                aws_account_id: Some(ROOT_AWS_ACCOUNT_ID.to_owned()),
            },
            cors_origins: Origins::new(options.cors_origins),
            audit: options.audit,
            public_url: options.public_url.map(|url| url.parse().unwrap()),
            dns: options.dns_server.map(|server| DnsSettings::new(Some(server)).unwrap()),
            mail: options
                .smtp_url
                .map(|url| MailSettings::new(&Secret::new(url), MAIL_FROM).unwrap()),
            limits: options.limits,
        };
        let (stop, stopped) = oneshot::channel();
        let (kill, killed) = oneshot::channel();
        let (ready, addresses) = std::sync::mpsc::channel();
        let server_clock = clock.clock();
        let engine: Arc<dyn Engine> = match (&options.engine, &location) {
            (Some(engine), _) => Arc::clone(engine),
            (None, Location::Memory) => Arc::new(Memory::default()),
            (None, Location::Embedded(path)) => Arc::new(open(path)),
            (None, Location::Postgres(settings)) => Arc::new(Postgres::open(settings).unwrap()),
        };
        // An engine of the test's own may be made to fail.
        let checked = options.engine.is_none().then(|| Arc::clone(&engine));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let store = Store::over(engine);
                store.write(fill).await.unwrap();
                let server =
                    server::Server::start_over(store, settings, server_clock).await.unwrap();
                ready.send((server.address(), server.metrics_address())).unwrap();
                serve(server, stopped, killed).await;
            });
        });
        let (address, metrics) = addresses.recv().expect("the server starts");
        Self {
            address,
            metrics,
            clock,
            location,
            stop: Some(stop),
            kill: Some(kill),
            thread: Some(thread),
            engine: checked,
            folder,
        }
    }

    /// Stops the server and starts another over the same store; a memory store is empty then.
    pub fn restart(self) -> Self {
        self.restart_with(Options::default())
    }

    /// Stops the server and starts another over the same store, in another way.
    pub fn restart_with(mut self, options: Options) -> Self {
        self.shut_down();
        let folder = self.folder.take();
        Self::start_at(self.location.clone(), folder, options, |_| Ok(()))
    }

    /// Returns this server, and where many can use one store, a second over the same.
    pub fn with_another(self) -> Vec<Self> {
        let location = Some(self.location.clone());
        let other = matches!(self.location, Location::Postgres(_))
            .then(|| Self::start_with(Options { location, ..Options::default() }, |_| Ok(())));
        [self].into_iter().chain(other).collect()
    }

    /// Ends the server where it is: nothing is finished, and nobody is told.
    pub fn kill(mut self) {
        self.kill.take().unwrap().send(()).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }

    /// Tells whether what is stored outlives the server.
    pub fn is_durable(&self) -> bool {
        self.location != Location::Memory
    }

    /// Tells whether other servers may use the same store.
    pub fn is_shared(&self) -> bool {
        matches!(self.location, Location::Postgres(_))
    }

    /// Moves the server's clock, and with it that of the clients made from then on.
    pub fn move_time(&self, milliseconds: i64) {
        self.clock.move_time(milliseconds);
    }

    /// Returns the time by the server's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.clock().now()
    }

    /// Returns a client with the deployment's root credential.
    pub fn client(&self) -> Client {
        Client { clock: self.clock.clone(), ..Client::of_root(self.address) }
    }

    /// Returns a client with a new key of an AWS account.
    pub fn client_of(&self, aws_account_id: &str) -> Client {
        let answer = self.client().call("CreateAccessKey", json!({"AwsAccountId": aws_account_id}));
        self.client().with_key(&answer.json()["AccessKey"])
    }

    /// Returns a client with the key of a new user who has this policy.
    pub fn user(&self, user_name: &str, policy: &Value) -> Client {
        let root = self.client();
        let of = json!({"UserName": user_name});
        root.ok("iam:CreateUser", of.clone());
        root.put_user_policy(user_name, policy);
        self.client().with_key(&root.ok("iam:CreateAccessKey", of)["AccessKey"])
    }

    fn shut_down(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the server panicked");
        }
        if let Some(mut engine) = self.engine.take().filter(|_| !thread::panicking()) {
            if let Location::Postgres(settings) = &self.location
                && settings.timeouts.connect < Timeouts::default().connect
            {
                // The server was not to wait long; a look at all that is stored may.
                let mut patient = settings.as_ref().clone();
                patient.timeouts = Timeouts::default();
                engine = Arc::new(Postgres::open(&patient).unwrap());
            }
            entries::check(&engine).unwrap();
            entries::keep_events(&engine);
        }
    }
}

/// Lets a server serve until it is told to stop, or is no more.
async fn serve(
    server: server::Server,
    stopped: oneshot::Receiver<()>,
    killed: oneshot::Receiver<()>,
) {
    let serve = server.serve(async {
        stopped.await.ok();
    });
    tokio::select! {
        () = serve => {}
        Ok(()) = killed => {}
    }
}

/// Opens a store that may have been closed a moment ago. A process that another test was starting then
/// holds what was open here until it has become another program, and a folder's lock with it.
fn open(path: &Path) -> Embedded {
    const ATTEMPTS: usize = 10_000;
    let in_use = |error: &store::Error| error.to_string().contains("another Campanile server");
    for _ in 0..ATTEMPTS {
        match Embedded::open(path) {
            Ok(engine) => return engine,
            Err(error) if in_use(&error) => thread::yield_now(),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
    panic!("{} stays in use", path.display())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// The machine's clock, moved by what a test says.
#[derive(Clone, Default)]
pub struct TestClock {
    ahead: watch::Sender<i64>,
}

impl TestClock {
    /// Returns a clock that goes apart from this one: ahead, or behind.
    pub fn apart(&self, milliseconds: i64) -> Self {
        Self { ahead: watch::Sender::new(*self.ahead.borrow() + milliseconds) }
    }

    /// Moves the clock, and wakes those who wait for a time that has come by that.
    pub fn move_time(&self, milliseconds: i64) {
        self.ahead.send_modify(|ahead| *ahead += milliseconds);
    }

    pub fn clock(&self) -> Clock {
        Clock::ahead(self.ahead.subscribe())
    }
}

/// A client that signs as AWS's do.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
    pub region: String,
    /// What stands before every path: "" or "/console".
    pub prefix: &'static str,
    /// What the client calls the call that its next request belongs to, and how often it has made it.
    pub invocation: Option<(String, usize)>,
    pub clock: TestClock,
}

impl Client {
    /// Makes a client with the root credential that the tests fix, and the machine's clock.
    pub fn of_root(address: SocketAddr) -> Self {
        Self {
            address,
            access_key_id: ROOT_ACCESS_KEY_ID.to_owned(),
            secret_access_key: ROOT_SECRET_ACCESS_KEY.to_owned(),
            session_token: None,
            region: "eu-west-1".to_owned(),
            prefix: "",
            invocation: None,
            clock: TestClock::default(),
        }
    }

    /// Returns the same client with a key that `CreateAccessKey` returned.
    pub fn with_key(self, key: &Value) -> Self {
        Self {
            access_key_id: key["AccessKeyId"].as_str().unwrap().to_owned(),
            secret_access_key: key["SecretAccessKey"].as_str().unwrap().to_owned(),
            ..self
        }
    }

    /// Returns the same client whose requests are one attempt of a call, as AWS's SDKs count them.
    pub fn attempt(&self, invocation_id: &str, number: usize) -> Self {
        Self { invocation: Some((invocation_id.to_owned(), number)), ..self.clone() }
    }

    /// Calls an operation of the table by its name.
    pub fn call(&self, operation: &str, members: Value) -> Answer {
        self.try_call(operation, members).unwrap()
    }

    /// Calls an operation of a server that may be gone.
    pub fn try_call(&self, operation: &str, members: Value) -> io::Result<Answer> {
        let operation = find(operation).unwrap_or_else(|| panic!("the table has no {operation}"));
        let Value::Object(members) = members else { panic!("members are an object") };
        let (target, body) = target_and_body(operation, members).unwrap();
        let answer = self.try_send(operation.method.as_str(), &target, &body)?;
        if answer.status < 300 {
            assert_eq!(answer.status, operation.status, "{}: {answer:?}", operation.name);
        }
        Ok(answer)
    }

    /// Calls an operation that must succeed, and returns what it answers.
    pub fn ok(&self, operation: &str, members: Value) -> Value {
        let answer = self.call(operation, members);
        assert!(answer.status < 300, "{operation}: {answer:?}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// Calls an operation that must fail, and returns the exception with its message.
    pub fn error(&self, operation: &str, members: Value) -> (String, String) {
        self.call(operation, members).error()
    }

    /// Creates an account and returns its id.
    pub fn create_account(&self, name: &str) -> String {
        let answer = self.ok("CreateAccount", json!({"Name": name}));
        answer["Account"]["AccountId"].as_str().unwrap().to_owned()
    }

    /// Puts the one inline policy that a test gives a user.
    pub fn put_user_policy(&self, user_name: &str, policy: &Value) {
        self.ok(
            "iam:PutUserPolicy",
            json!({
                "UserName": user_name,
                "PolicyName": "policy",
                "PolicyDocument": policy.to_string(),
            }),
        );
    }

    /// Signs a request with this target and body, sends it, and holds the answer against the model.
    pub fn send(&self, method: &str, target: &str, body: &[u8]) -> Answer {
        self.try_send(method, target, body).unwrap()
    }

    fn try_send(&self, method: &str, target: &str, body: &[u8]) -> io::Result<Answer> {
        let target = format!("{}{target}", self.prefix);
        let headers = self.signed(method, &target, body, "chime");
        let request = http::request(method, &target, &headers, body);
        let answer = http::try_exchange(self.address, &request)?;
        model::check(method, &target, &answer);
        Ok(answer)
    }

    /// Returns the headers of a signed request, `host` among them.
    pub fn signed(&self, method: &str, target: &str, body: &[u8], service: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let host = HeaderValue::try_from(self.address.to_string()).unwrap();
        headers.insert(HeaderName::from_static("host"), host);
        if !body.is_empty() {
            let json = HeaderValue::from_static("application/json");
            headers.insert(HeaderName::from_static("content-type"), json);
        }
        if let Some((invocation_id, attempt)) = &self.invocation {
            let count = format!("attempt={attempt}; max=5");
            for (name, value) in
                [("amz-sdk-invocation-id", invocation_id), ("amz-sdk-request", &count)]
            {
                let value = HeaderValue::try_from(value).unwrap();
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let credentials = Credentials {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            session_token: self.session_token.as_deref(),
        };
        let request = SignedRequest { method, target, headers: &headers, body };
        let now = self.clock.clock().now().into();
        let signed = sign(&request, &credentials, &self.region, service, now).unwrap();
        headers.extend(signed);
        headers
    }
}
