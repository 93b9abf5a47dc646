//! The errors a client can see, and how each one looks on the wire.
//!
//! What a client sees of an error is decided in this file and nowhere else: the exception's name,
//! its status, its `Code` and its body. The cause of an error is for the log and never leaves.

use crate::store;
use http::StatusCode;
use serde::Serialize;
use std::fmt;

/// After how many seconds whoever met a store that does not answer is told to ask again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// An error as a client will see it, with the cause that only the log will.
#[derive(Debug)]
pub struct Error {
    exception: Exception,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    retry_after_seconds: Option<u64>,
}

/// What an operation, and everything between it and the socket, answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error whose message the client will read.
    pub fn new(exception: Exception, message: impl Into<String>) -> Self {
        Self { exception, message: message.into(), source: None, retry_after_seconds: None }
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Tells the client after how many seconds the same request can succeed.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    /// Makes a `BadRequestException`.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Exception::BadRequestException, message)
    }

    /// Makes a `ConflictException`.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Exception::ConflictException, message)
    }

    /// Makes a `ForbiddenException`.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Exception::ForbiddenException, message)
    }

    /// Makes a `NotFoundException`.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Exception::NotFoundException, message)
    }

    /// Makes an `UnprocessableEntityException`.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(Exception::UnprocessableEntityException, message)
    }

    /// Makes a `ServiceFailureException` out of a fault of ours; the cause stays in the log.
    pub fn failure(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(
            Exception::ServiceFailureException,
            "The service encountered an unexpected error. The server's log has the details under \
             this RequestId.",
        )
        .caused_by(source)
    }

    /// Returns which exception this is.
    pub fn exception(&self) -> Exception {
        self.exception
    }

    /// Returns after how many seconds the same request can succeed, where that is known.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after_seconds
    }

    /// Tells whether the fault is the server's and not the client's.
    pub fn is_server_fault(&self) -> bool {
        self.exception.status().is_server_error()
    }

    /// Returns the text that the client reads.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns what caused the error, for the log: each cause behind a colon.
    pub fn causes(&self) -> String {
        let mut causes = String::new();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            causes = format!("{causes}: {cause}");
            source = cause.source();
        }
        causes
    }

    /// Returns the JSON body that the client reads.
    ///
    /// Recorded from the real service: aws/amazon-chime-sdk-js#1569.
    pub fn body(&self, request_id: &str) -> Vec<u8> {
        let body = ErrorBody {
            code: self.exception.code(),
            message: &self.message,
            request_id,
            resource: None,
        };
        serde_json::to_vec(&body).expect("strings always serialise")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.exception.name(), self.message)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) | store::Error::Again(_) => {
                let message = "The service is currently unavailable. Try again later.";
                Self::new(Exception::ServiceUnavailableException, message)
                    .retry_after(RETRY_AFTER_SECONDS)
                    .caused_by(error)
            }
            // The text of the only recorded conflict (Administration Guide, "Logging with
            // CloudTrail").
            store::Error::Taken(_) => {
                let message = "Request could not be completed due to a conflict";
                Self::new(Exception::ConflictException, message).caused_by(error)
            }
            store::Error::Unknown(_) => {
                let message = "The service lost its database while the request was carried out, and \
                    it is not known whether it was. LookupEvents finds the event with this RequestId \
                    if so. Try again after that.";
                Self::new(Exception::ServiceUnavailableException, message)
                    .retry_after(RETRY_AFTER_SECONDS)
                    .caused_by(error)
            }
            store::Error::Corrupt(_) | store::Error::ReadOnly => Self::failure(error),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
    request_id: &'a str,
    resource: Option<()>,
}

macro_rules! exceptions {
    ($($exception:ident $status:literal $code:literal)*) => {
        /// The name of an error, as the SDKs know it.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[expect(missing_docs, reason = "AWS documents each of its exceptions")]
        pub enum Exception { $($exception),* }

        impl Exception {
            /// Every exception that this server can answer.
            pub const ALL: &[Self] = &[$(Self::$exception),*];

            /// Returns the name that goes into `x-amzn-ErrorType`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$exception => stringify!($exception)),* }
            }

            /// Returns the HTTP status that belongs to the exception.
            pub fn status(self) -> StatusCode {
                let status = match self { $(Self::$exception => $status),* };
                StatusCode::from_u16(status).expect("the table holds valid statuses")
            }

            /// Returns the `Code` of the body.
            pub fn code(self) -> &'static str {
                match self { $(Self::$exception => $code),* }
            }
        }
    };
}

// The first block is the service model's; its codes are the model's `ErrorCode` enum. The second is
// IAM's, for the operations that are named after its own. The third is
// what every AWS service may answer before an operation runs ("Common Errors" of the API
// reference): the model gives those no code, so that they carry their name, which is what
// clients that prefer the body to the header then report.
exceptions! {
    AccessDeniedException             403 "AccessDenied"
    BadRequestException               400 "BadRequest"
    ConflictException                 409 "Conflict"
    ForbiddenException                403 "Forbidden"
    NotFoundException                 404 "NotFound"
    ResourceLimitExceededException    400 "ResourceLimitExceeded"
    ServiceFailureException           500 "ServiceFailure"
    ServiceUnavailableException       503 "ServiceUnavailable"
    ThrottledClientException          429 "Throttled"
    UnauthorizedClientException       401 "Unauthorized"
    UnprocessableEntityException      422 "Unprocessable"

    DeleteConflictException           409 "DeleteConflict"
    EntityAlreadyExistsException      409 "EntityAlreadyExists"
    LimitExceededException            409 "LimitExceeded"
    MalformedPolicyDocumentException  400 "MalformedPolicyDocument"
    NoSuchEntityException             404 "NoSuchEntity"

    ExpiredTokenException             403 "ExpiredTokenException"
    IncompleteSignatureException      403 "IncompleteSignatureException"
    InvalidSignatureException         403 "InvalidSignatureException"
    MalformedHttpRequestException     400 "MalformedHttpRequestException"
    MissingAuthenticationTokenException 403 "MissingAuthenticationTokenException"
    RequestEntityTooLargeException    413 "RequestEntityTooLargeException"
    RequestHeaderFieldsTooLargeException 431 "RequestHeaderFieldsTooLargeException"
    RequestTimeoutException           408 "RequestTimeoutException"
    RequestUriTooLongException        414 "RequestUriTooLongException"
    ThrottlingException               429 "ThrottlingException"
    UnknownOperationException         404 "UnknownOperationException"
    UnrecognizedClientException       403 "UnrecognizedClientException"
}
