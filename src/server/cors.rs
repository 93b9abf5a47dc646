//! Cross-origin resource sharing: which pages a browser lets call this server.

use crate::protocol::{REQUEST_ID, new_request_id, request_id_header};
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

/// How long a browser may remember a preflight's answer, in seconds: the longest that the common
/// browsers grant.
const PREFLIGHT_AGE_S: HeaderValue = HeaderValue::from_static("7200");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE");
const EXPOSED: HeaderValue = HeaderValue::from_static("x-amzn-RequestId, x-amzn-ErrorType, Date");

/// The origins whose pages may call; none unless the settings name some.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Takes the origins of the settings; `*` stands for all.
    pub fn new(origins: Vec<String>) -> Self {
        Self(origins)
    }

    /// Returns the request's origin if its pages may call.
    pub(super) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.0.is_empty() {
            return None;
        }
        let origin = headers.get(ORIGIN)?;
        let allowed = self.0.iter().any(|allowed| allowed == "*" || allowed.as_str() == origin);
        allowed.then(|| origin.clone())
    }
}

/// Answers a browser that asks before it calls.
pub(super) fn preflight(headers: &HeaderMap) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let answer = response.headers_mut();
    answer.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_S);
    answer.insert(REQUEST_ID, request_id_header(&new_request_id()));
    if let Some(requested) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
    response
}

/// Lets the page read an answer.
pub(super) fn allow(response: &mut Response<Bytes>, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.insert(VARY, HeaderValue::from_static("Origin"));
}
