//! The pages of a person who was invited: the link of the mail, where it accepts, and where it is
//! signed in then. HTML for browsers, on the same port.
//!
//! The link is what shows who asks, so that nothing here is signed; and it is secret, so that it
//! stands in no log and in no `Referer`.

mod page;

use super::error::{Error, Exception, Result};
use super::{Api, Request, log, path_of, put_retry_after};
use crate::clock::Timestamp;
use crate::operations::audit::{self, AuditEventRecord};
use crate::operations::users::invites::{
    OpenInvite, accept_invite, no_such_invitation, open_invite,
};
use crate::operations::users::links::{INVITES, SESSION_MILLISECONDS};
use crate::operations::users::{UserRecord, name_of};
use crate::protocol::shapes::{SensitiveString, TEXT_CHARACTERS_MAX};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use page::{Invitation, Notice, Welcome, answered};
use std::sync::Arc;

/// The one region that Chime was in: a browser signs for none.
const REGION: &str = "us-east-1";
const WELCOME: &str = "/welcome";
/// The cookie that holds a session. It goes to the one page that reads it.
const COOKIE_NAME: &str = "campanile-session";
const FORM: &str = "application/x-www-form-urlencoded";

/// A page that a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked<'a> {
    Invitation { token: &'a str },
    Acceptance { token: &'a str },
    Welcome,
}

impl<'a> Asked<'a> {
    /// Returns which page a request is for, if it is for one.
    pub(super) fn by(request: &'a Request) -> Option<Self> {
        let path = path_of(&request.target);
        let shows = request.method == Method::GET || request.method == Method::HEAD;
        let token = path.strip_prefix(INVITES).filter(|it| !it.is_empty() && !it.contains('/'));
        match token {
            // A mail scanner follows links, so that following one changes nothing.
            Some(token) if shows => Some(Self::Invitation { token }),
            Some(token) if request.method == Method::POST => Some(Self::Acceptance { token }),
            None if shows && path == WELCOME => Some(Self::Welcome),
            _ => None,
        }
    }
}

/// Returns what the log may know of a request's path: without a link's token.
pub(super) fn loggable(path: &str) -> (&str, &str) {
    match path.strip_prefix(INVITES) {
        Some(token) if !token.is_empty() => (INVITES, token),
        _ => (path, ""),
    }
}

/// Answers a request for a page.
pub(super) async fn respond(
    api: &Arc<Api>,
    request: &Request,
    asked: Asked<'_>,
    request_id: &str,
) -> Response<Bytes> {
    let page = match asked {
        Asked::Invitation { token } => show(api, token, request_id).await,
        Asked::Acceptance { token } => accept(api, request, token, request_id).await,
        Asked::Welcome => welcome(api, &request.headers, request_id).await,
    };
    page.unwrap_or_else(|error| {
        log(request, &error, request_id);
        refused(&error, request_id)
    })
}

async fn show(api: &Api, token: &str, request_id: &str) -> Result<Response<Bytes>> {
    let invite = invite(api, token, api.clock.now()).await?;
    let name = invite.user.primary_email.as_ref().map(name_of);
    let form = Invitation::of(&invite, name.as_deref().unwrap_or_default(), None);
    Ok(answered(StatusCode::OK, request_id, &form))
}

async fn accept(
    api: &Arc<Api>,
    request: &Request,
    token: &str,
    request_id: &str,
) -> Result<Response<Bytes>> {
    let now = api.clock.now();
    // A link that does not work says so before a name that cannot be.
    let invite = invite(api, token, now).await?;
    let name = display_name_in(request);
    let name = match checked(&name) {
        Ok(name) => name,
        Err(fault) => {
            let form = Invitation::of(&invite, &name, Some(fault));
            return Ok(answered(StatusCode::BAD_REQUEST, request_id, &form));
        }
    };
    let invite_id = api.terms.link_key.invite_id(token).ok_or_else(no_such_invitation)?;
    let random = rand::random();
    let (origin, ships) = (request.origin(REGION.to_owned()), api.audit.ships);
    let (event_id, id) = (api.event_ids.next(now), request_id.to_owned());
    let write = api.store.write(move |mut tx| -> Result<UserRecord> {
        let user = accept_invite(&mut tx, &invite_id, &name, now, &random)?;
        let event = AuditEventRecord::of_acceptance(&user, &origin, now, &id, event_id.clone());
        audit::append(&mut tx, &event, ships)?;
        Ok(user)
    });
    let user = write.await?;
    tracing::info!(request_id, user_id = user.user_id, "an invitation was accepted");
    api.metrics.invitations_accepted.inc();
    api.metrics.session_opened("acceptance");
    Ok(signed_in(api, &user, now, request_id))
}

async fn welcome(api: &Api, headers: &HeaderMap, request_id: &str) -> Result<Response<Bytes>> {
    let session = session_in(headers).and_then(|token| api.terms.link_key.session(token));
    let now = api.clock.now();
    let signed_in = match session {
        Some(session) => api.read(|tx| Ok(session.user(&tx, now)?)).await?,
        None => None,
    };
    let Some((user, account)) = signed_in else {
        let notice = Notice {
            title: "You are signed out",
            text: "Nobody is signed in here. If you were before, your session has ended.",
        };
        return Ok(answered(StatusCode::OK, request_id, &notice));
    };
    let page = Welcome {
        name: user.display_name.as_deref().unwrap_or_default(),
        account: &account.name,
        email: user.primary_email.as_deref().unwrap_or_default(),
        pin: user.personal_pin.as_deref().unwrap_or_default(),
    };
    Ok(answered(StatusCode::OK, request_id, &page))
}

/// Returns the page that tells of an error.
pub(super) fn refused(error: &Error, request_id: &str) -> Response<Bytes> {
    let (title, text) = match error.exception() {
        Exception::NotFoundException => (
            "This invitation does not work",
            "The link was used already, was withdrawn, has expired, or is not complete. If you \
             have accepted the invitation, you are done. If you have not, ask the people who \
             invited you to do so again.",
        ),
        Exception::ForbiddenException => (
            "This invitation cannot be accepted now",
            "The account that invites you is suspended. Try the same link again when it is active, \
             or ask the people who invited you.",
        ),
        _ => (
            "Something went wrong here",
            "This is not your fault, and nothing has changed. Try the same link again later.",
        ),
    };
    let mut response = answered(error.exception().status(), request_id, &Notice { title, text });
    put_retry_after(&mut response, error);
    response
}

fn signed_in(api: &Api, user: &UserRecord, now: Timestamp, request_id: &str) -> Response<Bytes> {
    let notice = Notice { title: "Welcome", text: "You are signed in." };
    let mut response = answered(StatusCode::SEE_OTHER, request_id, &notice);
    let token = api.terms.link_key.session_token(user, now);
    let secure = if api.is_reached_by_https() { "; Secure" } else { "" };
    let seconds = SESSION_MILLISECONDS / 1000;
    let cookie = format!(
        "{COOKIE_NAME}={token}; Path={WELCOME}; Max-Age={seconds}; HttpOnly; \
         SameSite=Strict{secure}"
    );
    let headers = response.headers_mut();
    headers.insert(SET_COOKIE, HeaderValue::try_from(cookie).expect("a token is of base64"));
    headers.insert(LOCATION, HeaderValue::from_static(WELCOME));
    response
}

async fn invite(api: &Api, token: &str, now: Timestamp) -> Result<OpenInvite> {
    let invite_id = api.terms.link_key.invite_id(token).ok_or_else(no_such_invitation)?;
    api.read(|tx| open_invite(&tx, &invite_id, now)).await
}

/// Returns the name that a form holds, without blanks around it; nothing, where there is no form.
fn display_name_in(request: &Request) -> String {
    let content_type = request.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let media_type = content_type.and_then(|it| it.split(';').next()).unwrap_or_default();
    if !media_type.trim().eq_ignore_ascii_case(FORM) {
        return String::new();
    }
    let mut fields = form_urlencoded::parse(&request.body);
    let name = fields.find(|(name, _)| name == "display_name");
    name.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

fn checked(name: &str) -> Result<SensitiveString, &'static str> {
    let characters = name.chars().count();
    if characters == 0 {
        Err("Enter the name that others will see.")
    } else if characters > TEXT_CHARACTERS_MAX {
        Err("This name is too long. Enter a shorter one.")
    } else if name.contains(char::is_control) {
        Err("This name holds characters that cannot be shown. Enter another.")
    } else {
        Ok(SensitiveString::new(name.to_owned()))
    }
}

fn session_in(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = values.flat_map(|value| value.split(';'));
    cookies.find_map(|cookie| cookie.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}
