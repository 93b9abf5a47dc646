//! Signs with AWS's own signer, in a header or in the query.

use super::Request;
use crate::harness::Client;
use ::http::{HeaderMap, HeaderName, HeaderValue};
use aws_credential_types::Credentials;
use aws_sigv4::http_request as aws;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::{Duration, SystemTime};

/// A request that is still to be signed.
#[derive(Clone)]
pub(super) struct Unsigned {
    request: Request,
    token: Option<&'static str>,
}

impl Unsigned {
    pub(super) fn new(client: &Client, method: &str, target: &str, body: &str) -> Self {
        let host = HeaderValue::try_from(client.address.to_string()).unwrap();
        let headers = HeaderMap::from_iter([(HeaderName::from_static("host"), host)]);
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { request: Request { method, target, headers, body: body.into() }, token: None }
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
        self.request.headers.append(name, value);
        self
    }

    pub(super) fn session_token(self, token: &'static str) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Signs in the `Authorization` header.
    pub(super) fn signed(self, client: &Client) -> Request {
        self.with(client, aws::SigningSettings::default())
    }

    /// Signs in the query, for so many seconds.
    pub(super) fn presigned(self, client: &Client, expires_s: u64) -> Request {
        let mut settings = aws::SigningSettings::default();
        settings.signature_location = aws::SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(expires_s));
        self.with(client, settings)
    }

    fn with(self, client: &Client, settings: aws::SigningSettings) -> Request {
        let Self { mut request, token } = self;
        let (id, secret) = (&client.access_key_id, &client.secret_access_key);
        let token = token.map(str::to_owned);
        let identity = Credentials::new(id, secret, token, None, "test").into();
        let now: jiff::Timestamp = client.clock.clock().now().into();
        let parameters = aws_sigv4::sign::v4::SigningParams::builder()
            .identity(&identity)
            .region(&client.region)
            .name("chime")
            .time(SystemTime::from(now))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let headers = request.headers.iter();
        let signable = aws::SignableRequest::new(
            &request.method,
            format!("http://{}{}", client.address, request.target),
            headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap())),
            aws::SignableBody::Bytes(&request.body),
        );
        let (instructions, _) = aws::sign(signable.unwrap(), &parameters).unwrap().into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::try_from(name.to_owned()).unwrap();
            request.headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        for (name, value) in instructions.params() {
            let separator = if request.target.contains('?') { '&' } else { '?' };
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            request.target = format!("{}{separator}{name}={value}", request.target);
        }
        request
    }
}
