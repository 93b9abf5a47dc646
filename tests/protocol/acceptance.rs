//! The pages of a person who was invited: the link of the mail, and where it is signed in then.

use crate::harness::http::Connection;
use crate::harness::smtp::SmtpPeer;
use crate::harness::{Answer, Client, Options, Server, exchange};
use campanile::operations::users::links::LinkKey;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;

const EMAIL: &str = "jane.doe@example.com";
const DAY: i64 = 24 * 60 * 60 * 1000;
const HOUR: i64 = 60 * 60 * 1000;
const FORM: &str = "application/x-www-form-urlencoded";

/// A server with a mail server, an account, and a person who was invited.
struct Invited {
    server: Server,
    peer: SmtpPeer,
    account_id: String,
    link: String,
}

impl Invited {
    fn start() -> Self {
        Self::start_with("My & <Söhne>", None)
    }

    fn start_with(account: &str, public_url: Option<&'static str>) -> Self {
        let peer = SmtpPeer::start();
        let smtp_url = Some(peer.url());
        let options = Options { smtp_url, public_url, ..Options::default() };
        let server = Server::start_with(options, |_| Ok(()));
        let account_id = server.client().create_account(account);
        invite(&server.client(), &account_id);
        let link = peer.take().link();
        Self { server, peer, account_id, link }
    }

    fn client(&self) -> Client {
        self.server.client()
    }

    fn show(&self) -> Answer {
        get(self.server.address, &self.link, "")
    }

    fn accept(&self) -> Answer {
        accept(self.server.address, &self.link, "display_name=Jane+Doe")
    }

    /// Accepts, and returns the cookie.
    fn signed_in(&self) -> String {
        let accepted = self.accept();
        assert_eq!(accepted.status, 303, "{accepted:?}");
        let cookie = accepted.header("set-cookie").unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    fn welcome(&self, cookie: &str) -> Answer {
        get(self.server.address, "/welcome", &format!("Cookie: other=1; {cookie}; last=2\r\n"))
    }

    /// Calls an operation on the account, with more members.
    fn change(&self, operation: &str, members: Value) {
        let mut all = json!({"AccountId": self.account_id});
        all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        self.client().ok(operation, all);
    }

    fn user_id(&self) -> Value {
        self.user()["UserId"].clone()
    }

    fn user(&self) -> Value {
        let users = self.client().ok("ListUsers", json!({"AccountId": self.account_id}));
        let id = users["Users"][0]["UserId"].clone();
        let members = json!({"AccountId": self.account_id, "UserId": id});
        self.client().ok("GetUser", members)["User"].clone()
    }
}

fn invite(client: &Client, account_id: &str) -> Value {
    let members = json!({"AccountId": account_id, "UserEmailList": [EMAIL]});
    client.ok("InviteUsers", members)["Invites"][0].clone()
}

/// Asks for a page, with headers more. What holds for every page is asserted on each.
fn get(address: SocketAddr, path: &str, headers: &str) -> Answer {
    page(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n"))
}

fn accept(address: SocketAddr, path: &str, form: &str) -> Answer {
    post(address, path, FORM, form)
}

fn post(address: SocketAddr, path: &str, content_type: &str, body: &str) -> Answer {
    let length = body.len();
    page(
        address,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {content_type}\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ),
    )
}

fn page(address: SocketAddr, request: &str) -> Answer {
    let answer = exchange(address, request.as_bytes());
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{answer:?}");
    }
    let policy = answer.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part) && !policy.contains("unsafe"), "{policy}");
    }
    for part in ["<!DOCTYPE html>", "<html lang=\"en\">", "<title>", "name=\"viewport\"", "<h1>"] {
        assert!(answer.body.contains(part), "no {part} in {answer:?}");
    }
    assert!(!answer.body.contains("<script") && !answer.body.contains("style="), "{answer:?}");
    answer
}

#[track_caller]
fn assert_shows(answer: &Answer, status: u16, texts: &[&str]) {
    assert_eq!(answer.status, status, "{answer:?}");
    for text in texts {
        assert!(answer.body.contains(text), "no '{text}' in {}", answer.body);
    }
}

#[track_caller]
fn assert_does_not_work(answer: &Answer) {
    assert_shows(answer, 404, &["This invitation does not work"]);
    assert_eq!(answer.header("set-cookie"), None);
    assert!(!answer.body.contains("example.com") && !answer.body.contains("hne"), "{answer:?}");
}

#[test]
fn the_link_shows_who_invites_whom_and_changes_nothing() {
    let invited = Invited::start();
    let before = invited.user();
    let escaped = "My &#38; &#60;Söhne&#62;";
    let form = "<label for=\"display-name\">";
    for _ in 0..2 {
        let shown = invited.show();
        assert_shows(&shown, 200, &[escaped, EMAIL, form, "value=\"Jane Doe\"", "method=\"post\""]);
        assert_eq!(shown.header("set-cookie"), None);
    }
    // A mail program may add to a link what tells it who followed it.
    let tracked = get(invited.server.address, &format!("{}?utm_source=x", invited.link), "");
    assert_shows(&tracked, 200, &[form]);
    assert_eq!(invited.user(), before);
    assert_eq!(before["UserRegistrationStatus"], "Unregistered");
    assert_eq!((&before["PersonalPIN"], &before["RegisteredOn"]), (&Value::Null, &Value::Null));
}

#[test]
fn accepting_registers_and_signs_in() {
    let invited = Invited::start();
    let accepted = invited.accept();
    assert_eq!((accepted.status, accepted.header("location")), (303, Some("/welcome")));
    let cookie = accepted.header("set-cookie").unwrap();
    let rest = "; Path=/welcome; Max-Age=43200; HttpOnly; SameSite=Strict";
    assert!(cookie.ends_with(rest), "{cookie}");

    let user = invited.user();
    assert_eq!(user["UserRegistrationStatus"], "Registered");
    assert_eq!(user["UserInvitationStatus"], "Accepted");
    assert_eq!(user["DisplayName"], "Jane Doe");
    assert!(user["RegisteredOn"].is_string(), "{user}");
    let pin = user["PersonalPIN"].as_str().unwrap();
    assert!(pin.len() == 10 && pin.bytes().all(|digit| digit.is_ascii_digit()), "{pin}");

    let cookie = cookie.split(';').next().unwrap();
    let welcome = invited.welcome(cookie);
    let texts = ["Jane Doe", EMAIL, "My &#38; &#60;Söhne&#62;", pin, "You are signed in"];
    assert_shows(&welcome, 200, &texts);

    let events = invited.server.client().ok("LookupEvents", json!({}));
    let names: Vec<_> =
        events["Events"].as_array().unwrap().iter().map(|it| &it["EventName"]).collect();
    assert_eq!(names, ["CreateAccount", "InviteUsers", "AcceptInvite"]);
    let event = events["Events"][2]["CloudTrailEvent"].as_str().unwrap();
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["userIdentity"]["type"], "Unknown", "an invitee is no caller");
    assert_eq!(event["requestParameters"]["userId"], user["UserId"]);
    assert!(!event.to_string().contains("Jane") && !event.to_string().contains(EMAIL), "{event}");
}

#[test]
fn behind_tls_the_cookie_never_goes_without_it() {
    let invited = Invited::start_with("My", Some("https://chime.example.com"));
    let accepted = invited.accept();
    let cookie = accepted.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
}

#[test]
fn a_link_is_used_once() {
    let invited = Invited::start();
    invited.signed_in();
    let user = invited.user();
    assert_does_not_work(&invited.show());
    assert_does_not_work(&accept(invited.server.address, &invited.link, "display_name=Mallory"));
    assert_eq!(invited.user(), user);
    // Who is in already is not invited again.
    assert_eq!(invite(&invited.client(), &invited.account_id)["Status"], "Accepted");
    assert_does_not_work(&invited.show());
    invited.peer.assert_no_more();
}

#[test]
fn of_those_who_accept_at_once_one_is_let_in() {
    let invited = Invited::start();
    let callers = 8;
    let barrier = Barrier::new(callers);
    let accept_as = |caller: usize| {
        let form = format!("display_name=Caller+{caller}");
        barrier.wait();
        (caller, accept(invited.server.address, &invited.link, &form).status)
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..callers).map(|caller| scope.spawn(move || accept_as(caller))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let let_in: Vec<_> = answers.iter().filter(|(_, status)| *status == 303).collect();
    assert_eq!(let_in.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|(_, status)| [303, 404].contains(status)), "{answers:?}");
    assert_eq!(invited.user()["DisplayName"], format!("Caller {}", let_in[0].0));
}

#[test]
fn a_name_that_cannot_be_is_asked_for_again() {
    let invited = Invited::start();
    let address = invited.server.address;
    let long = format!("display_name={}", "x".repeat(257));
    for (form, fault) in [
        ("", "Enter the name"),
        ("name=Jane", "Enter the name"),
        ("display_name=", "Enter the name"),
        ("display_name=+%09+%E2%80%83", "Enter the name"),
        ("display_name=Jane%00", "cannot be shown"),
        ("display_name=Jane%0ADoe", "cannot be shown"),
        (&*long, "too long"),
    ] {
        let asked = accept(address, &invited.link, form);
        assert_shows(&asked, 400, &[fault, "aria-invalid=\"true\"", "role=\"alert\"", "<form"]);
        assert_eq!(asked.header("set-cookie"), None);
    }
    let json = post(address, &invited.link, "application/json", "display_name=Jane");
    assert_shows(&json, 400, &["Enter the name"]);
    assert_eq!(invited.user()["UserRegistrationStatus"], "Unregistered");
    // What a person typed is not lost, and 256 characters are not too many.
    let longest = "ü".repeat(256);
    let form = format!("display_name=+{}+&other=1", "%C3%BC".repeat(256));
    assert_eq!(post(address, &invited.link, &format!("{FORM}; charset=utf-8"), &form).status, 303);
    assert_eq!(invited.user()["DisplayName"], longest);
}

#[test]
fn hostile_names_are_shown_as_they_are() {
    let hostile = "<script>alert(1)</script>\"'&";
    let shown = "&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;&#38;";
    let invited = Invited::start_with(hostile, None);
    assert_shows(&invited.show(), 200, &[shown]);
    let address = invited.server.address;
    let name = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    let refused = accept(address, &invited.link, &format!("display_name={name}%00"));
    assert_shows(&refused, 400, &["value=\"&#34;&#62;&#60;script&#62;"]);
    let accepted = accept(address, &invited.link, &format!("display_name={name}"));
    let cookie = accepted.header("set-cookie").unwrap().split(';').next().unwrap();
    assert_shows(&invited.welcome(cookie), 200, &["Welcome, &#34;&#62;&#60;script&#62;", shown]);
}

#[test]
fn links_that_are_not_ours_do_not_work() {
    let invited = Invited::start();
    let address = invited.server.address;
    let (start, token) = invited.link.split_at("/invites/".len());
    let other = LinkKey::new(b"another deployment");
    let unknown = other.invite_token("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
    let mut links = vec![
        unknown,
        "x".to_owned(),
        "%00".to_owned(),
        token[1..].to_owned(),
        token[..token.len() - 1].to_owned(),
        format!("{token}A"),
        format!("{token}="),
        "A".repeat(8000),
    ];
    for at in 0..token.len() {
        let mut changed = token.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        links.push(String::from_utf8(changed).unwrap());
    }
    for link in links {
        assert_does_not_work(&get(address, &format!("{start}{link}"), ""));
        assert_does_not_work(&accept(address, &format!("{start}{link}"), "display_name=Mallory"));
    }
    assert_shows(&invited.show(), 200, &[]);
}

#[test]
fn a_link_expires_after_30_days_and_is_renewed_by_another_invite() {
    let invited = Invited::start();
    invited.server.move_time(30 * DAY - HOUR);
    assert_shows(&invited.show(), 200, &[]);
    invited.server.move_time(HOUR);
    assert_does_not_work(&invited.show());
    assert_does_not_work(&invited.accept());
    assert_eq!(invite(&invited.client(), &invited.account_id)["EmailStatus"], "Sent");
    assert_eq!(invited.peer.take().link(), invited.link, "it is the same invite");
    assert_eq!(invited.accept().status, 303);
}

#[test]
fn a_link_dies_with_its_user() {
    let invited = Invited::start();
    let user_id = invited.user()["UserId"].clone();
    invited.change("BatchSuspendUser", json!({"UserIdList": [user_id]}));
    assert_does_not_work(&invited.show());
    assert_does_not_work(&invited.accept());
    // Who is invited again gets another link, and the old one stays dead.
    invite(&invited.client(), &invited.account_id);
    let link = invited.peer.take().link();
    assert_ne!(link, invited.link);
    assert_does_not_work(&invited.show());
    let accepted = accept(invited.server.address, &link, "display_name=Jane");
    assert_eq!(accepted.status, 303);
}

#[test]
fn a_link_waits_for_a_suspended_account() {
    let invited = Invited::start();
    invited.change("SuspendAccount", json!({}));
    let texts = ["This invitation cannot be accepted now"];
    assert_shows(&invited.show(), 403, &texts);
    assert_shows(&invited.accept(), 403, &texts);
    assert_eq!(invited.user()["UserRegistrationStatus"], "Unregistered");
    invited.change("ActivateAccount", json!({}));
    assert_eq!(invited.accept().status, 303);
}

#[test]
fn a_link_survives_a_restart() {
    let invited = Invited::start();
    if !invited.server.is_durable() {
        return;
    }
    let Invited { server, link, .. } = invited;
    let server = server.restart();
    assert_eq!(accept(server.address, &link, "display_name=Jane").status, 303);
}

/// What ends a session, and what its user may do before it does.
type Ending = fn(&Invited);

#[test]
fn a_session_ends_and_does_not_come_back() {
    let endings: [(&str, Ending); 6] = [
        ("time", |invited| invited.server.move_time(12 * HOUR)),
        ("LogoutUser", |invited| {
            invited.change("LogoutUser", json!({"UserId": invited.user_id()}));
        }),
        ("the user's suspension", |invited| {
            invited.change("ClaimDomain", json!({"DomainName": "example.com"}));
            let users = json!({"UserIdList": [invited.user_id()]});
            invited.change("BatchSuspendUser", users.clone());
            invited.change("BatchUnsuspendUser", users);
        }),
        ("the user's end", |invited| {
            invited.change("BatchSuspendUser", json!({"UserIdList": [invited.user_id()]}));
        }),
        ("the account's suspension", |invited| {
            invited.change("SuspendAccount", json!({}));
            invited.change("ActivateAccount", json!({}));
        }),
        ("the account's deletion", |invited| {
            invited.change("ClaimDomain", json!({"DomainName": "example.com"}));
            invited.change("ReleaseDomain", json!({"DomainName": "example.com"}));
            invited.change("DeleteAccount", json!({}));
            invited.change("RestoreAccount", json!({}));
        }),
    ];
    for (what, end) in endings {
        let invited = Invited::start();
        let cookie = invited.signed_in();
        assert_shows(&invited.welcome(&cookie), 200, &["You are signed in"]);
        end(&invited);
        let ended = invited.welcome(&cookie);
        assert!(ended.body.contains("You are signed out"), "{what}: {ended:?}");
        assert!(!ended.body.contains(EMAIL), "{what}: {ended:?}");
    }
}

#[test]
fn a_session_needs_a_cookie_of_ours() {
    let invited = Invited::start();
    let cookie = invited.signed_in();
    let token = invited.link.strip_prefix("/invites/").unwrap();
    let (name, session) = cookie.split_once('=').unwrap();
    for cookie in [
        String::new(),
        name.to_owned(),
        format!("{name}="),
        format!("{name}={token}"),
        format!("{name}={}", &session[1..]),
        format!("{name}x={session}"),
        format!("x{name}={session}"),
    ] {
        assert_shows(&invited.welcome(&cookie), 200, &["You are signed out"]);
    }
    assert_does_not_work(&get(invited.server.address, &format!("/invites/{session}"), ""));
}

#[test]
fn what_is_no_page_is_an_error_of_the_api() {
    let invited = Invited::start();
    let address = invited.server.address;
    let link = &invited.link;
    for line in [
        format!("PUT {link}"),
        format!("DELETE {link}"),
        format!("GET {link}/"),
        format!("GET {link}/more"),
        "GET /invites".to_owned(),
        "GET /invites/".to_owned(),
        "POST /welcome".to_owned(),
        "GET /welcome/".to_owned(),
    ] {
        let request = format!("{line} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n");
        let answer = exchange(address, request.as_bytes());
        assert_eq!(answer.error().0, "MissingAuthenticationTokenException", "{line}");
    }
}

#[test]
fn the_head_of_a_page_changes_nothing_either() {
    let invited = Invited::start();
    let mut connection = Connection::open(invited.server.address);
    for path in [&*invited.link, "/welcome"] {
        connection.send(format!("HEAD {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes());
        let answer = connection.answer_without_body();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
        assert_eq!(answer.header("set-cookie"), None, "{answer:?}");
    }
    assert_eq!(invited.user()["UserRegistrationStatus"], "Unregistered");
}
