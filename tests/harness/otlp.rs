//! A collector of OpenTelemetry on a loopback port: it takes spans by OTLP over HTTP, or answers as a
//! test says.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a test waits for a batch before it fails.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A collector; it stops taking connections when this is dropped.
pub struct Collector {
    pub address: SocketAddr,
    status: Arc<AtomicU16>,
    batches: Mutex<Receiver<ExportTraceServiceRequest>>,
    open: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

/// A span, with its attributes as text.
#[derive(Debug)]
pub struct Exported {
    pub span: Span,
    pub attributes: BTreeMap<String, String>,
    pub resource: BTreeMap<String, String>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (take, batches) = channel();
        let (status, open) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicBool::new(true)));
        let (its_status, is_open) = (Arc::clone(&status), Arc::clone(&open));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if !is_open.load(Ordering::SeqCst) {
                    break;
                }
                let (stream, status, take) =
                    (stream.unwrap(), Arc::clone(&its_status), take.clone());
                // A client that goes away ends its conversation.
                thread::spawn(move || converse(&stream, &status, &take).ok());
            }
        });
        Self { address, status, batches: Mutex::new(batches), open, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers every batch with a status from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Waits until a batch has come, and returns its spans.
    pub fn batch(&self) -> Vec<Exported> {
        let batch = self.batches.lock().unwrap().recv_timeout(TIMEOUT).expect("a batch comes");
        batch.resource_spans.into_iter().flat_map(exported).collect()
    }

    /// Returns the spans of all batches that have come.
    pub fn taken(&self) -> Vec<Exported> {
        let batches = self.batches.lock().unwrap();
        let spans = batches.try_iter().flat_map(|batch| batch.resource_spans);
        spans.flat_map(exported).collect()
    }
}

fn exported(of: opentelemetry_proto::tonic::trace::v1::ResourceSpans) -> Vec<Exported> {
    let resource = texts(of.resource.unwrap_or_default().attributes);
    let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
    spans
        .map(|mut span| Exported {
            attributes: texts(std::mem::take(&mut span.attributes)),
            span,
            resource: resource.clone(),
        })
        .collect()
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|it| it.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.into_iter().map(|it| (it.key, text(it.value))).collect()
}

fn converse(
    stream: &TcpStream,
    status: &AtomicU16,
    take: &Sender<ExportTraceServiceRequest>,
) -> Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        if reader.read_line(&mut first)? == 0 {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let is_right = first.starts_with("POST /v1/traces ");
        let status = if is_right { status.load(Ordering::SeqCst) } else { 404 };
        // Taken before it is answered, so that whoever sees the answer finds it here.
        take.send(ExportTraceServiceRequest::decode(&body[..]).unwrap()).ok();
        write!(&*stream, "HTTP/1.1 {status} Told\r\nContent-Length: 0\r\n\r\n")?;
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.open.store(false, Ordering::SeqCst);
        // So that it looks.
        TcpStream::connect(self.address).ok();
        self.thread.take().map(thread::JoinHandle::join);
    }
}
