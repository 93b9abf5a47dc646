//! How the API looks on the wire: AWS restJson1 and Signature Version 4. No I/O happens here.

mod acceptance;
pub mod admission;
mod audit;
pub mod decode;
pub mod error;
mod invocation;
pub mod limits;
mod outcome;
mod query;
pub mod route;
pub mod shapes;
pub mod sigv4;
mod strict;

use crate::access::policy::Decision;
use crate::access::quotas::Quotas;
use crate::access::rates::{RateLimits, Rates};
use crate::access::{Credential, Credentials, Deployment, KeyUses, Origin};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::operations::audit::{AuditEventRecord, Draft};
use crate::operations::users::links::LinkKey;
use crate::operations::{Admission, Call, Context, Operation, Terms, TokenKey, sts, table};
use crate::store::{Access, Key, Store, Table, Tx};
use admission::{Asked, SigningKeys};
pub use audit::Audit;
use audit::EventIds;
use bytes::Bytes;
use decode::Members;
use error::{Error, Result};
use futures_util::FutureExt;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use invocation::Invocation;
use route::{Routed, Router};
use sigv4::SignedRequest;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

pub use outcome::{Outcome, UNKNOWN};

/// The header with the id under which the server's log knows an answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The name that clients of this API sign for.
pub const SIGNING_NAME: &str = "chime";

/// A request as it arrived.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path and the query, exactly as they stand on the request line.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// Who sent it.
    pub peer: Peer,
    /// What becomes known of it while it is answered.
    pub outcome: Outcome,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The address that it comes from.
    pub source_ip: IpAddr,
    /// Whether it came by TLS.
    pub secure_transport: bool,
}

/// The API over a store.
#[derive(Debug)]
pub struct Api {
    store: Arc<Store>,
    deployment: Deployment,
    terms: Terms,
    deliver: Option<Deliver>,
    verifier: Option<Wake>,
    audit: Audit,
    metrics: Arc<Metrics>,
    event_ids: EventIds,
    clock: Clock,
    router: Router,
    credentials: Credentials,
    signing_keys: SigningKeys,
    rate_limits: RateLimits,
    key_uses: Arc<KeyUses>,
}

/// How the API is set up beside its store.
#[derive(Debug, Default)]
pub struct Setup {
    /// What looks for the DNS record that a domain's owner is to publish; without it, a domain
    /// belongs to whoever claims it.
    pub verifier: Option<Wake>,
    /// What sends the mail in the outbox; without it none is put there.
    pub deliver: Option<Deliver>,
    /// Which events of the audit there are, and what becomes of them.
    pub audit: Audit,
    /// Where people's browsers find the server: a scheme, a host and perhaps a port.
    pub public_url: String,
    /// How often callers may ask.
    pub rates: Rates,
    /// How many of a thing an AWS account may have.
    pub quotas: Quotas,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where the uses of access keys are noted.
    pub key_uses: Arc<KeyUses>,
}

/// Has all the mail tried that is due by now, and waits for that as long as a client can be made to
/// wait.
pub struct Deliver(Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>);

impl Deliver {
    /// Takes in whoever sends mail.
    pub fn new<D: Future<Output = ()> + Send + 'static>(
        deliver: impl Fn() -> D + Send + Sync + 'static,
    ) -> Self {
        Self(Box::new(move || Box::pin(deliver())))
    }
}

/// Has somebody look at once at what was written.
pub struct Wake(Box<dyn Fn() + Send + Sync>);

impl Wake {
    /// Takes in whoever is to be woken.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Box::new(wake))
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wake").finish_non_exhaustive()
    }
}

impl fmt::Debug for Deliver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deliver").finish_non_exhaustive()
    }
}

impl Api {
    /// Puts the API over a store.
    pub fn new(store: Arc<Store>, deployment: Deployment, clock: Clock, setup: Setup) -> Self {
        let terms = Terms {
            token_key: TokenKey::new(deployment.token_secret.expose().as_bytes()),
            verify_domains: setup.verifier.is_some(),
            sends_mail: setup.deliver.is_some(),
            link_key: LinkKey::new(deployment.token_secret.expose().as_bytes()),
            seal: deployment.seal.clone(),
            public_url: setup.public_url,
            quotas: setup.quotas,
        };
        Self {
            terms,
            deliver: setup.deliver,
            verifier: setup.verifier,
            audit: setup.audit,
            metrics: setup.metrics,
            event_ids: EventIds::default(),
            store,
            deployment,
            rate_limits: RateLimits::new(&setup.rates, &clock),
            key_uses: setup.key_uses,
            clock,
            router: Router::new(table(), sts()),
            credentials: Credentials::default(),
            signing_keys: SigningKeys::default(),
        }
    }

    /// Answers a request: verifies, routes, authorises, decodes, runs, encodes.
    pub async fn respond(self: &Arc<Self>, request: &Request) -> Response<Bytes> {
        let request_id = new_request_id();
        if let Some(asked) = acceptance::Asked::by(request) {
            request.outcome.note_operation("page");
            return acceptance::respond(self, request, asked, &request_id).await;
        }
        if query::is_for(request) {
            return query::respond(self, request, &request_id).await;
        }
        match self.answer(|tx| self.route(request, &request_id, tx)).await {
            Ok(done) => success(done, &request_id),
            Err(error) => {
                log(request, &error, &request_id);
                failure(&error, &request_id)
            }
        }
    }

    /// Tells whether the store answers.
    pub async fn check(&self) -> Result<()> {
        self.read(|tx| Ok(tx.any(&Key::of(Table::Deployment)).map(drop)?)).await
    }

    /// Runs a reading operation, and makes an answer of ours out of a panic.
    async fn read<R>(&self, run: impl FnMut(Tx<'_>) -> Result<R>) -> Result<R> {
        let read = AssertUnwindSafe(self.store.read(run)).catch_unwind();
        read.await.unwrap_or_else(|_| Err(panicked()))
    }

    /// Tells whether browsers come by TLS, so that a cookie must not go without it.
    fn is_reached_by_https(&self) -> bool {
        self.terms.public_url.starts_with("https:")
    }

    async fn answer<'a>(
        self: &'a Arc<Self>,
        admit: impl FnMut(Tx<'_>) -> Result<Admitted<'a>>,
    ) -> Result<Done> {
        match self.read(admit).await? {
            Admitted::Done(done) => Ok(done),
            Admitted::Audited(event, outcome) => {
                self.append(event).await?;
                outcome
            }
            Admitted::Write(write) => self.write(*write).await,
        }
    }

    async fn write(self: &Arc<Self>, write: Write<'_>) -> Result<Done> {
        let Write { operation, call, after_delivery, admission, draft, mut invocation } = write;
        let again = after_delivery.map(|call| (call, admission.clone()));
        let api = Arc::clone(self);
        let run = move |mut tx: Tx<'_>| {
            let run = |tx: &mut Tx<'_>| api.run_audited(&call, tx, &admission, draft.clone());
            match &mut invocation {
                None => run(&mut tx),
                Some(invocation) => invocation.once(&mut tx, &api.terms.seal, admission.now, run),
            }
        };
        let mut body = self.store.write(run).await??;
        if let Some(Wake(wake)) = self.verifier.as_ref().filter(|_| operation.wakes_verifier) {
            wake();
        }
        if let (Some(Deliver(deliver)), Some((call, admission))) = (&self.deliver, again) {
            deliver().await;
            let read = self.read(move |tx| self.run(&call, tx, &admission));
            // What was written stays so, and can be told, whatever becomes of this.
            body = read.await.unwrap_or(body);
        }
        Ok(Done { status: operation.status, body })
    }

    fn run(&self, call: &Call, tx: Tx<'_>, admission: &Admission) -> Result<Vec<u8>> {
        call(&mut Context::new(tx, admission, &self.terms))
    }

    /// Finds out who asks for what, and goes on with that.
    fn route<'a>(
        &'a self,
        request: &Request,
        request_id: &str,
        tx: Tx<'_>,
    ) -> Result<Admitted<'a>> {
        let signed = self.authenticate(&request.signed(), &tx, SIGNING_NAME)?;
        request.outcome.note_caller(&signed.0.caller);
        let routed = self.router.route(&request.method, &request.target)?;
        self.admit(Incoming { request, request_id, body: request.json() }, signed, routed, tx)
    }

    /// Settles whether a request is to be served, and serves it at once if it only reads.
    fn admit<'a, 'r>(
        &'a self,
        incoming: Incoming<'r>,
        (credential, region): (Arc<Credential>, String),
        routed: Routed<'a, 'r>,
        tx: Tx<'_>,
    ) -> Result<Admitted<'a>> {
        let Incoming { request, request_id, body } = incoming;
        let Routed { operation, form, members: uri } = routed;
        request.outcome.note_operation(operation.name);
        self.throttle(&credential.caller, operation, &request.headers)?;
        let (now, origin) = (self.clock.now(), request.origin(region));
        let mut admission = Admission {
            caller: Arc::clone(&credential.caller),
            now,
            form,
            seed: random_bytes(),
            request_id: request_id.to_owned(),
            origin,
            decision: Decision::Allowed,
        };
        let uri_of_event = self.audit.records(operation).then(|| uri.clone());
        // Read for the event of a call that is refused, too; no refusal depends on them before the
        // caller is known to be allowed.
        let members = body.and_then(|body| Members::new(uri, body));
        let draft = uri_of_event.map(|uri| self.draft(operation, &admission, &members, uri));
        let prepared = guarded(|| {
            let asked =
                Asked { credential: &credential, operation, origin: &admission.origin, now };
            let decision = asked.authorise(&tx, |name| members.as_ref().ok()?.text(name))?;
            let members = members?;
            let calls = (operation.prepare(&members)?, operation.prepare_after_delivery(&members)?);
            Ok((calls, decision))
        });
        let (outcome, draft) = match (prepared, draft) {
            (Ok(((call, after_delivery), decision)), Some(draft))
                if operation.access == Access::Write =>
            {
                admission.decision = decision;
                let is_far_away = self.store.is_shared();
                let invocation = Invocation::of(request, &admission.caller, operation, is_far_away);
                let write = Write { operation, call, after_delivery, admission, draft, invocation };
                return Ok(Admitted::Write(Box::new(write)));
            }
            (Ok(((call, _), _)), draft) => (guarded(|| self.run(&call, tx, &admission)), draft),
            (Err(error), draft) => (Err(error), draft),
        };
        let event = draft.map(|draft| Box::new(draft.finish(&outcome)));
        let outcome = outcome.map(|body| Done { status: operation.status, body });
        match event {
            Some(event) => Ok(Admitted::Audited(event, outcome)),
            None => outcome.map(Admitted::Done),
        }
    }
}

/// A request on its way to an operation.
struct Incoming<'r> {
    request: &'r Request,
    request_id: &'r str,
    /// The body, where it holds members.
    body: Result<&'r [u8]>,
}

enum Admitted<'a> {
    Done(Done),
    /// What is answered once the event that tells of it is stored.
    Audited(Box<AuditEventRecord>, Result<Done>),
    Write(Box<Write<'a>>),
}

/// A writing operation that is to be run.
struct Write<'a> {
    operation: &'a Operation,
    call: Call,
    after_delivery: Option<Call>,
    admission: Admission,
    draft: Draft,
    invocation: Option<Invocation>,
}

struct Done {
    status: u16,
    body: Vec<u8>,
}

impl Request {
    /// Returns the body, if the method has one that means anything.
    fn json(&self) -> Result<&[u8]> {
        if self.method != Method::POST && self.method != Method::PUT {
            return Ok(&[]);
        }
        match self.headers.get(CONTENT_ENCODING) {
            Some(encoding) if encoding != "identity" => Err(Error::bad_request(format!(
                "The body must be JSON as it is, without a Content-Encoding; it has {encoding:?}"
            ))),
            _ => Ok(&self.body),
        }
    }

    /// Returns where the request came from, signed for a region.
    fn origin(&self, region: String) -> Origin {
        let user_agent = self.headers.get(USER_AGENT);
        Origin {
            source_ip: self.peer.source_ip,
            secure_transport: self.peer.secure_transport,
            user_agent: user_agent.map(text),
            region,
        }
    }

    fn signed(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: self.method.as_str(),
            target: &self.target,
            headers: &self.headers,
            body: &self.body,
        }
    }
}

/// Returns what a header says, with a mark in the place of what is not UTF-8. Most headers are, and
/// `from_utf8_lossy` takes five times as long to find that out.
fn text(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    }
}

/// Makes an answer of ours out of a panic, which is always a fault of ours.
fn guarded<R>(run: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(panicked()))
}

fn panicked() -> Error {
    Error::failure("an operation panicked")
}

/// Returns a fresh id for an answer.
pub fn new_request_id() -> String {
    uuid::Builder::from_random_bytes(random_bytes()).into_uuid().to_string()
}

/// Returns bytes that nobody can guess, all from one draw: `rand::random` draws for each of them.
fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes);
    bytes
}

/// Returns a request id as a header's value.
pub fn request_id_header(request_id: &str) -> HeaderValue {
    HeaderValue::try_from(request_id).expect("a UUID can stand in a header")
}

fn success(done: Done, request_id: &str) -> Response<Bytes> {
    let status = StatusCode::from_u16(done.status).expect("the table holds valid statuses");
    let body = match status {
        StatusCode::NO_CONTENT => Bytes::new(),
        _ => done.body.into(),
    };
    answer(status, request_id, JSON, body)
}

/// Returns the answer that tells of an error.
pub fn failure(error: &Error, request_id: &str) -> Response<Bytes> {
    let exception = error.exception();
    let mut response = answer(exception.status(), request_id, JSON, error.body(request_id).into());
    response.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(exception.name()));
    put_retry_after(&mut response, error);
    response
}

fn put_retry_after(response: &mut Response<Bytes>, error: &Error) {
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
}

fn answer(
    status: StatusCode,
    request_id: &str,
    content_type: HeaderValue,
    body: Bytes,
) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, request_id_header(request_id));
    headers.insert(CONTENT_TYPE, content_type);
    response
}

/// Tells the log of an error, once: what the client did at `info`, what we did at `error`.
fn log(request: &Request, error: &Error, request_id: &str) {
    request.outcome.note_error(error);
    let (path, secret) = acceptance::loggable(path_of(&request.target));
    let method = &request.method;
    // Who is told to come back when there is room is refused as whoever asks too often is: a flood of
    // them is a matter for the metrics, and no fault to be called for.
    let causes = error.causes();
    if error.is_server_fault() && (error.retry_after_seconds().is_none() || !causes.is_empty()) {
        let exception = error.exception().name();
        tracing::error!(request_id, %method, path, "{exception}{causes}");
    } else {
        // What follows the first line is an echo of the request, and that is for the client alone.
        let message = error.message().lines().next().unwrap_or_default();
        let message = if secret.is_empty() { message } else { &message.replace(secret, "***") };
        tracing::info!(request_id, %method, path, "{}: {message}", error.exception().name());
    }
}

/// Returns the path of a request's target, as a log may have it: without its query, and without a
/// link's token.
pub fn loggable_path(target: &str) -> &str {
    acceptance::loggable(path_of(target)).0
}

/// The query may hold addresses and signatures, which are not for the log.
fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}
