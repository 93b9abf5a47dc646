//! What a client is told whose request comes too soon, or is one too many, and by which name it
//! knows that asking again helps.

use super::error::{Error, Exception, Result};
use super::{Api, Request, acceptance, failure, log, new_request_id, query};
use crate::access::Caller;
use crate::access::rates::TooSoon;
use crate::metrics::Limit;
use crate::operations::Operation;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response};

/// The operations that the service model knows no throttling of.
pub const WITHOUT_THROTTLING: [&str; 3] =
    ["DeleteEventsConfiguration", "GetEventsConfiguration", "PutEventsConfiguration"];
/// When a client that was one too many may ask again: most requests take a small part of this.
const OVERLOAD_SECONDS: u64 = 1;
/// Where AWS's SDKs say which attempt at a call this is, and how many they would make.
const SDK_REQUEST: HeaderName = HeaderName::from_static("amz-sdk-request");

impl Api {
    /// Takes a token for a request of a caller, or refuses it.
    pub(super) fn throttle(
        &self,
        caller: &Caller,
        operation: &Operation,
        headers: &HeaderMap,
    ) -> Result<()> {
        let exception = || refusal_of(operation.name, headers);
        self.rate_limits
            .take(caller, operation.access)
            .map_err(|too_soon| self.refused(exception(), &too_soon))
    }

    fn refused(&self, exception: Exception, too_soon: &TooSoon) -> Error {
        self.metrics.refused(too_soon.limit);
        Error::new(exception, too_soon.to_string()).retry_after(too_soon.retry_after_seconds())
    }

    /// Refuses a request that is one more than are served at once, in the form that its client reads.
    pub fn overloaded(&self, request: &Request) -> Response<Bytes> {
        let error = Error::new(
            Exception::ServiceUnavailableException,
            "The service has as many requests to answer as it takes at once. Try again in 1 second",
        )
        .retry_after(OVERLOAD_SECONDS);
        self.metrics.refused(Limit::ConcurrentRequests);
        let request_id = new_request_id();
        log(request, &error, &request_id);
        if acceptance::Asked::by(request).is_some() {
            acceptance::refused(&error, &request_id)
        } else if query::is_for(request) {
            query::failure(request, &error, &request_id)
        } else {
            failure(&error, &request_id)
        }
    }
}

/// Returns the exception by which an operation refuses what comes too soon.
///
/// The service model's is `ThrottledClientException`. boto3 in the modes `standard` and `adaptive`, and
/// the SDK for Rust, do not try again what the model names without saying that it may be. A client
/// that says that it would try again gets the name that all of them know, of the Common Errors; its
/// last attempt, and every other client, gets the model's.
fn refusal_of(operation: &str, headers: &HeaderMap) -> Exception {
    if WITHOUT_THROTTLING.contains(&operation) {
        Exception::ServiceUnavailableException
    } else if has_attempts_left(headers) {
        Exception::ThrottlingException
    } else {
        Exception::ThrottledClientException
    }
}

/// Reads `attempt=1; max=3`.
fn has_attempts_left(headers: &HeaderMap) -> bool {
    let text = headers.get(SDK_REQUEST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let number = |name: &str| {
        let pairs = text.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.filter(|(other, _)| *other == name).find_map(|(_, value)| value.parse::<u32>().ok())
    };
    match (number("attempt"), number("max")) {
        (Some(attempt), Some(max)) => attempt < max,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_client_that_would_try_again_is_told_by_the_name_that_it_knows() {
        let refusal = |operation: &str, header: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(SDK_REQUEST, HeaderValue::from_static(header));
            refusal_of(operation, &headers)
        };
        for header in
            ["attempt=1; max=3", "ttl=20261126T123329Z; attempt=2; max=3", "max=2;attempt=0"]
        {
            assert_eq!(refusal("GetAccount", header), Exception::ThrottlingException, "{header}");
        }
        for header in
            ["attempt=3; max=3", "attempt=1", "max=3", "", "attempt=x; max=3", "attempt; max"]
        {
            let refusal = refusal("GetAccount", header);
            assert_eq!(refusal, Exception::ThrottledClientException, "{header}");
        }
        for operation in WITHOUT_THROTTLING {
            let refusal = refusal(operation, "attempt=1; max=3");
            assert_eq!(refusal, Exception::ServiceUnavailableException);
        }
    }
}
