//! The pages themselves: HTML from the folder `templates`, where every value is escaped, and the
//! headers that keep a browser from doing more with it than showing it.

use super::super::answer;
use crate::operations::users::invites::OpenInvite;
use crate::protocol::shapes::TEXT_CHARACTERS_MAX;
use askama::Template;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use ring::digest::{SHA256, digest};
use std::sync::LazyLock;

/// The style of all pages.
pub(super) const STYLE: &str = include_str!("../../../templates/page.css");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Allows the one style, and forms that come here; nothing else, and no page around these.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("a policy is ASCII")
});

/// Where a person accepts.
#[derive(Template)]
#[template(path = "invitation.html")]
pub(super) struct Invitation<'a> {
    account: &'a str,
    email: &'a str,
    display_name: &'a str,
    characters_max: usize,
    fault: Option<&'static str>,
    expires: String,
}

impl<'a> Invitation<'a> {
    /// Shows an invite, with a name in the form, and with what is wrong with that name.
    pub(super) fn of(
        invite: &'a OpenInvite,
        display_name: &'a str,
        fault: Option<&'static str>,
    ) -> Self {
        Self {
            account: &invite.account.name,
            email: invite.user.primary_email.as_deref().unwrap_or_default(),
            display_name,
            characters_max: TEXT_CHARACTERS_MAX,
            fault,
            expires: invite.expires.for_people(),
        }
    }
}

/// Who is signed in.
#[derive(Template)]
#[template(path = "welcome.html")]
pub(super) struct Welcome<'a> {
    pub(super) name: &'a str,
    pub(super) account: &'a str,
    pub(super) email: &'a str,
    pub(super) pin: &'a str,
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "notice.html")]
pub(super) struct Notice<'a> {
    pub(super) title: &'a str,
    pub(super) text: &'a str,
}

/// Answers with a page.
pub(super) fn answered(
    status: StatusCode,
    request_id: &str,
    page: &impl Template,
) -> Response<Bytes> {
    let body = page.render().expect("a page of texts is written into memory");
    let mut response = answer(status, request_id, HTML, body.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    // The address of a page is what lets somebody in.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
