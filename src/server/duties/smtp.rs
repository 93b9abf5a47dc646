//! Mail over SMTP: what it says, how it is sent, and what a refusal means.

use crate::access::Secret;
use crate::clock::Timestamp;
use crate::operations::users::outbox::Mail;
use askama::Template;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How long a mail server may take for one mail.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of what a mail server says is logged, in characters.
const REASON_CHARACTERS_MAX: usize = 300;
/// Replies that say that we are not let in (RFC 4954, 6): a fault of our settings, which the mails
/// can wait out.
const NOT_LET_IN: [&str; 4] = ["530", "534", "535", "538"];

/// How mail is sent: `--smtp-url` and `--mail-from`.
#[derive(Clone)]
pub struct MailSettings {
    builder: AsyncSmtpTransportBuilder,
    from: Mailbox,
    /// Whether the password goes to the mail server without TLS.
    pub(in super::super) password_is_in_clear: bool,
}

impl MailSettings {
    /// Checks the settings. What it says of the URL does not hold the password.
    pub fn new(smtp_url: &Secret, mail_from: &str) -> Result<Self, String> {
        let wrong = |fault: String| {
            format!(
                "the value of --smtp-url, or CAMPANILE_SMTP_URL, cannot be: {fault}. Write \
                 smtps://USER:PASSWORD@HOST:PORT, or smtp://…?tls=required for STARTTLS, or \
                 smtp://HOST:PORT for no TLS; other characters than letters and digits in a \
                 password are written as %XX"
            )
        };
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp_url.expose());
        let builder = transport.map_err(|error| wrong(error.to_string()))?;
        // The library would log in as nobody.
        if user_of(smtp_url.expose()).is_some_and(|user| !user.contains(':')) {
            return Err(wrong("it has a user and no password".to_owned()));
        }
        let from = mail_from.parse().map_err(|error| {
            format!(
                "the value of --mail-from, or CAMPANILE_MAIL_FROM, is '{mail_from}': {error}. \
                 Write an address, as in chime@example.com, or 'Name <chime@example.com>'"
            )
        })?;
        let builder = builder.timeout(Some(SEND_TIMEOUT));
        Ok(Self { builder, from, password_is_in_clear: is_in_clear(smtp_url.expose()) })
    }
}

/// Tells whether a URL has a user and asks for no TLS.
fn is_in_clear(smtp_url: &str) -> bool {
    let rest = smtp_url.strip_prefix("smtp://");
    rest.is_some_and(|rest| rest.contains('@') && !rest.contains("tls="))
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest holds the password.
        f.debug_struct("MailSettings").field("from", &self.from).finish_non_exhaustive()
    }
}

/// Why a mail was not sent. It reads alone, and names no address.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It may be sent later.
    ForNow(String),
    /// It will never be.
    ForGood(String),
}

/// The mail server that takes our mail.
pub(super) struct Smtp {
    /// Keeps the connections that can be used again.
    transport: Mutex<AsyncSmtpTransport<Tokio1Executor>>,
    settings: MailSettings,
}

impl Smtp {
    /// Connects when there is mail, and not before.
    pub(super) fn new(settings: MailSettings) -> Self {
        Self { transport: Mutex::new(settings.builder.clone().build()), settings }
    }

    /// Sends an invite's mail.
    pub(super) async fn send(
        &self,
        mail: &Mail,
        link: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let message = self.message(mail, link, now).map_err(Refusal::ForGood)?;
        let transport = self.transport.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut conversation = Conversation { smtp: self, is_over: false };
        let sent = tokio::time::timeout(SEND_TIMEOUT, transport.send(message)).await;
        conversation.is_over = sent.is_ok();
        match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refusal(&error)),
            Err(_) => Err(Refusal::ForNow(format!(
                "the mail server took longer than {} seconds",
                SEND_TIMEOUT.as_secs()
            ))),
        }
    }

    fn message(&self, mail: &Mail, link: &str, now: Timestamp) -> Result<Message, String> {
        // It came as a text that is at most like an address; and what is wrong with it may hold it.
        let to =
            mail.to.trim().parse().map_err(|_| "it is to nothing that is an address".to_owned())?;
        let account = one_line(&mail.account_name);
        let subject = format!("Your invitation to {account}");
        let expires = mail.expires.for_people();
        let (account, subject, expires) = (&*account, &*subject, &*expires);
        let plain = InvitePlain { account, link, expires }.render();
        let html = InviteHtml { account, link, expires, subject }.render();
        let body = MultiPart::alternative_plain_html(
            plain.map_err(|error| error.to_string())?,
            html.map_err(|error| error.to_string())?,
        );
        Message::builder()
            .from(self.settings.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .date(SystemTime::from(jiff::Timestamp::from(now)))
            .message_id(None)
            .header(AutoSubmitted)
            .multipart(body)
            .map_err(|error| error.to_string())
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("from", &self.settings.from).finish_non_exhaustive()
    }
}

/// A mail that is being sent. Where that ends before its time, lettre would use the connection again
/// all the same, and take the answers to this mail for those to the next: so all connections go.
struct Conversation<'a> {
    smtp: &'a Smtp,
    is_over: bool,
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let transport = self.smtp.settings.builder.clone().build();
            *self.smtp.transport.lock().unwrap_or_else(PoisonError::into_inner) = transport;
        }
    }
}

#[derive(Template)]
#[template(path = "invite_mail.txt")]
struct InvitePlain<'a> {
    account: &'a str,
    link: &'a str,
    expires: &'a str,
}

#[derive(Template)]
#[template(path = "invite_mail.html")]
struct InviteHtml<'a> {
    account: &'a str,
    link: &'a str,
    expires: &'a str,
    subject: &'a str,
}

/// `Auto-Submitted: auto-generated` (RFC 3834): no vacation answers it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Returns what stands before the host in a URL.
fn user_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

/// Makes one line of a name, which may hold anything.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn refusal(error: &Error) -> Refusal {
    let reason = without_addresses(&error.to_string());
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    if error.is_permanent() && !NOT_LET_IN.contains(&&*code) {
        Refusal::ForGood(reason)
    } else {
        Refusal::ForNow(reason)
    }
}

/// Takes out the addresses that a mail server repeats, and shortens what is long.
fn without_addresses(reason: &str) -> String {
    let words = reason.split_whitespace();
    let words = words.map(|word| if word.contains('@') { "***" } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(REASON_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_in_clear_where_nothing_asks_for_tls() {
        assert!(is_in_clear("smtp://user:password@mail.example.com:587"));
        for url in [
            "smtp://user:password@mail.example.com?tls=required",
            "smtps://user:password@mail.example.com",
            "smtp://mail.example.com:25",
        ] {
            assert!(!is_in_clear(url), "{url}");
        }
    }
}
