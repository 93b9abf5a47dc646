//! Reads what the AWS CLI printed: any number of documents one after another, each streamed.

use super::progress::Progress;
use super::staging::{Kind, Owner, Saved, Staging, Unowned};
use super::{TransferError, staging};
use crate::clock::Timestamp;
use crate::operations::transfer::{accounts, users};
use crate::protocol::decode::Fault;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

/// How many documents, or elements of a list, are staged together.
const STAGED_TOGETHER: usize = 512;
/// How many bytes may stand between the ends of two elements of a document.
const ELEMENT_BYTES_MAX: usize = 1 << 20;
const READ_BYTES: usize = 64 << 10;
/// The members that are instants, as each of the AWS CLIs writes them in its own way.
const INSTANTS: [&str; 6] = [
    "ClaimedTimestamp",
    "CreatedTimestamp",
    "InitiateDeletionTimestamp",
    "InvitedOn",
    "RegisteredOn",
    "VerifiedTimestamp",
];
/// The members of a document that say nothing about the directory.
const IGNORED: [&str; 3] = ["$metadata", "NextToken", "ResponseMetadata"];

/// Takes documents in, file by file.
#[derive(Debug)]
pub(super) struct Intake<'a> {
    staging: &'a Staging,
    progress: &'a mut Progress,
    waiting: Vec<(Owner, Saved)>,
    waiting_unowned: Vec<Unowned>,
    /// How many documents without an id there were.
    unowned: u64,
    file: String,
    words: Vec<String>,
    /// The number of the document in its file, from 1.
    document: usize,
    account: Option<Owner>,
    user: Option<Owner>,
    failed: Option<TransferError>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(staging: &'a Staging, progress: &'a mut Progress) -> Self {
        Self {
            staging,
            progress,
            waiting: Vec::new(),
            waiting_unowned: Vec::new(),
            unowned: 0,
            file: String::new(),
            words: Vec::new(),
            document: 0,
            account: None,
            user: None,
            failed: None,
        }
    }

    /// Reads a file, or standard input if there is no path, to its end or its first fault of form.
    pub(super) fn read(
        &mut self,
        path: Option<&Path>,
        input: impl Read,
    ) -> Result<(), TransferError> {
        self.file =
            path.map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
        self.words = path.map(words).unwrap_or_default();
        (self.document, self.account, self.user) = (0, None, None);
        let left = Rc::new(Cell::new(ELEMENT_BYTES_MAX));
        let bounded = Bounded { input, left: Rc::clone(&left) };
        let mut input = BufReader::with_capacity(READ_BYTES, bounded);
        if let Err(fault) = skip_mark(&mut input) {
            let at = self.file.clone();
            self.progress.fault(&at, &fault);
            return Ok(());
        }
        let mut json = serde_json::Deserializer::from_reader(input);
        while json.end().is_err() {
            self.document += 1;
            let read = Document { intake: self, left: &left }.deserialize(&mut json);
            if let Some(failed) = self.failed.take() {
                return Err(failed);
            }
            if let Err(error) = read {
                let at = self.file.clone();
                self.progress.fault(&at, &error.to_string());
                break;
            }
        }
        self.flush()
    }

    /// Stages what waits.
    fn flush(&mut self) -> Result<(), TransferError> {
        let owned = std::mem::take(&mut self.waiting);
        let unowned = std::mem::take(&mut self.waiting_unowned);
        self.progress.add(owned.len() + unowned.len());
        for staging::Located { at, fault } in self.staging.add(owned, unowned)? {
            self.progress.fault(&at, &fault);
        }
        Ok(())
    }

    /// Returns how people find a place of the document that is read.
    fn at(&self, path: &str) -> String {
        match self.document {
            1 => format!("{}: {path}", self.file),
            document => format!("{}: document {document}: {path}", self.file),
        }
    }

    fn add(&mut self, owner: Owner, saved: Saved) {
        self.waiting.push((owner, saved));
        self.flush_if_many();
    }

    fn flush_if_many(&mut self) {
        if self.waiting.len() + self.waiting_unowned.len() >= STAGED_TOGETHER
            && let Err(error) = self.flush()
        {
            self.failed = Some(error);
        }
    }

    fn faults(&mut self, path: &str, part: &str, faults: &[Fault]) {
        for Fault { member, fault } in faults {
            let rest = member.strip_prefix(part).unwrap_or_default();
            let at = self.at(&format!("{path}{rest}"));
            self.progress.fault(&at, fault);
        }
    }

    /// Takes in an account or a user; answers whose it is, if there is no fault in it.
    fn thing(&mut self, kind: Kind, path: &str, json: &RawValue) -> Option<Owner> {
        let members = self.members(kind, path, json)?;
        let id = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let missing = |name: &str| format!("{path}.{name}");
        let Some(account_id) = id("AccountId") else {
            let at = self.at(&missing("AccountId"));
            self.progress.fault(&at, "Member must not be null");
            return None;
        };
        let user_id = id("UserId");
        if kind == Kind::User && user_id.is_none() {
            let at = self.at(&missing("UserId"));
            self.progress.fault(&at, "Member must not be null");
            return None;
        }
        let owner = Owner { account_id, user_id: user_id.filter(|_| kind == Kind::User) };
        let source = self.at(path);
        self.add(owner.clone(), Saved { kind, members, source });
        Some(owner)
    }

    /// Takes in what belongs to the account or the user before it, or to one named by the path.
    fn belonging(&mut self, kind: Kind, members: Map<String, Value>) {
        let before = if kind == Kind::UserSettings { &self.user } else { &self.account };
        let source = self.at(&kind.name());
        let saved = Saved { kind, members, source };
        if let Some(owner) = before.clone() {
            self.add(owner, saved);
        } else {
            self.unowned += 1;
            let words = self.words.clone();
            self.waiting_unowned.push(Unowned { saved, words, number: self.unowned });
            self.flush_if_many();
        }
    }

    /// Reads the members of a part and holds them against its shape.
    fn members(&mut self, kind: Kind, path: &str, json: &RawValue) -> Option<Map<String, Value>> {
        let mut members = match serde_json::from_str::<Members>(json.get()) {
            Ok(Members(members)) => members,
            Err(error) => {
                let fault = error.to_string();
                let at = self.at(path);
                self.progress.fault(&at, fault.split(" at line ").next().unwrap_or(&fault));
                return None;
            }
        };
        let faults = check(kind, &mut members);
        let part = if kind == Kind::Domains { "Domains[0]".to_owned() } else { kind.name() };
        self.faults(path, &part, &faults);
        if !faults.is_empty() {
            return None;
        }
        for name in INSTANTS {
            if let Some(value @ Value::String(_)) = members.get_mut(name) {
                let instant = value.as_str().and_then(|text| Timestamp::exactly(text).ok());
                if let Some(instant) = instant {
                    *value = Value::String(instant.to_string());
                }
            }
        }
        Some(members)
    }

    /// Takes in the claims of `ListDomains`, which say whose they are.
    fn domains(&mut self, json: &RawValue) {
        let Ok(domains) = serde_json::from_str::<Vec<&RawValue>>(json.get()) else {
            let at = self.at("Domains");
            return self.progress.fault(&at, "it must be a list");
        };
        for (index, domain) in domains.into_iter().enumerate() {
            let path = format!("Domains[{index}]");
            let Some(members) = self.members(Kind::Domains, &path, domain) else { continue };
            let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
            let (Some(account_id), Some(name)) = (text("AccountId"), text("DomainName")) else {
                let at = self.at(&format!("{path}.AccountId"));
                self.progress.fault(&at, "Member must not be null");
                continue;
            };
            let members = Map::from_iter([(name, Value::Object(members))]);
            let owner = Owner { account_id, user_id: None };
            let source = self.at(&path);
            self.add(owner, Saved { kind: Kind::Domains, members, source });
        }
    }

    /// Takes in what a document says besides its lists.
    fn document(&mut self, name: &str, json: &RawValue, deletion: Option<Box<RawValue>>) {
        match name {
            "Account" => {
                self.account = self.thing(Kind::Account, name, json);
                self.user = None;
            }
            "User" => self.user = self.thing(Kind::User, name, json),
            "Domains" => self.domains(json),
            "RetentionSettings" => self.retention(json, deletion),
            "AccountSettings" | "OpenIdConfig" | "UserSettings" => {
                let kind = match name {
                    "AccountSettings" => Kind::AccountSettings,
                    "OpenIdConfig" => Kind::OpenIdConfig,
                    _ => Kind::UserSettings,
                };
                if let Some(members) = self.members(kind, name, json) {
                    self.belonging(kind, members);
                }
            }
            _ => {
                let at = self.at(name);
                self.progress.fault(
                    &at,
                    "this is nothing that can be imported: that are Account, Accounts, \
                     AccountSettings, RetentionSettings, OpenIdConfig, Domains, User, Users and \
                     UserSettings",
                );
            }
        }
    }

    fn retention(&mut self, json: &RawValue, deletion: Option<Box<RawValue>>) {
        let value = |json: &RawValue| serde_json::from_str::<Value>(json.get()).unwrap_or_default();
        let mut members = Map::new();
        members.insert("RetentionSettings".to_owned(), value(json));
        if let Some(deletion) = deletion {
            members.insert("InitiateDeletionTimestamp".to_owned(), value(&deletion));
        }
        if let Err(faults) = accounts::check(&Value::Object(members.clone())) {
            for Fault { member, fault } in faults {
                let at = self.at(&member);
                self.progress.fault(&at, &fault);
            }
            return;
        }
        if let Some(instant) = members.get_mut("InitiateDeletionTimestamp") {
            let exact = instant.as_str().and_then(|text| Timestamp::exactly(text).ok());
            *instant = exact.map_or(Value::Null, |exact| Value::String(exact.to_string()));
        }
        self.belonging(Kind::RetentionSettings, members);
    }
}

/// Holds members against the shape of their part.
fn check(kind: Kind, members: &mut Map<String, Value>) -> Vec<Fault> {
    let name = kind.name();
    let part = Value::Object(std::mem::take(members));
    let part = if kind == Kind::Domains { vec![part].into() } else { part };
    let mut item = Value::Object(Map::from_iter([(name.clone(), part)]));
    let checked = match kind {
        Kind::User | Kind::UserSettings => users::check(&item),
        _ => accounts::check(&item),
    };
    let mut part = item.get_mut(&name);
    if kind == Kind::Domains {
        part = part.and_then(|list| list.get_mut(0));
    }
    if let Some(Value::Object(checked)) = part {
        *members = std::mem::take(checked);
    }
    checked.err().unwrap_or_default()
}

/// Returns the words of a path that could be ids: those of the file's name, then of the folders,
/// the nearest first.
fn words(path: &Path) -> Vec<String> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let folders = path.parent().into_iter().flat_map(Path::components).rev();
    let folders = folders.map(|it| it.as_os_str().to_string_lossy().into_owned());
    stem.into_iter().chain(folders).flat_map(|name| words_of(&name)).collect()
}

/// Returns a name, its parts, and what looks like a UUID in it.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![name.to_owned()];
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '-';
    words.extend(name.split(|letter| !is_part(letter)).map(str::to_owned));
    let uuid = |text: &&[u8]| {
        let is_dash = |index: usize| [8, 13, 18, 23].contains(&index);
        text.iter().enumerate().all(|(index, byte)| {
            if is_dash(index) { *byte == b'-' } else { byte.is_ascii_alphanumeric() }
        })
    };
    let uuids = name.as_bytes().windows(36).filter(uuid);
    words.extend(uuids.map(|uuid| String::from_utf8_lossy(uuid).into_owned()));
    words.dedup();
    words
}

/// Skips the mark with which Windows lets a text in UTF-8 begin.
fn skip_mark(input: &mut impl BufRead) -> Result<(), String> {
    let begin = input.fill_buf().map_err(|error| error.to_string())?;
    if begin.starts_with(&[0xff, 0xfe]) || begin.starts_with(&[0xfe, 0xff]) {
        return Err("it is UTF-16, as Windows PowerShell writes it. Save it as UTF-8".to_owned());
    }
    let mark = if begin.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
    input.consume(mark);
    Ok(())
}

/// A reader that gives up where an element of a document has no end.
struct Bounded<R> {
    input: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.get() == 0 {
            return Err(io::Error::other(format!(
                "something in it has more than {ELEMENT_BYTES_MAX} bytes"
            )));
        }
        let bytes = self.input.read(buffer)?;
        self.left.set(self.left.get().saturating_sub(bytes));
        Ok(bytes)
    }
}

/// One document, handed on as it is read.
struct Document<'i, 'a> {
    intake: &'i mut Intake<'a>,
    left: &'i Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Document<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object as the AWS CLI prints it, such as {\"Users\": […]}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { intake, left } = self;
        let (mut members, mut deletion) = (Vec::new(), None);
        let mut known = false;
        while let Some(name) = map.next_key::<String>()? {
            left.set(ELEMENT_BYTES_MAX);
            match name.as_str() {
                "Accounts" => map.next_value_seed(List { intake, left, kind: Kind::Account })?,
                "Users" => map.next_value_seed(List { intake, left, kind: Kind::User })?,
                "InitiateDeletionTimestamp" => deletion = Some(map.next_value()?),
                ignored if IGNORED.contains(&ignored) => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
                _ => members.push((name, map.next_value::<Box<RawValue>>()?)),
            }
            known = true;
            if intake.failed.is_some() {
                return Ok(());
            }
        }
        left.set(ELEMENT_BYTES_MAX);
        for (name, json) in members {
            intake.document(&name, &json, deletion.clone());
        }
        if !known {
            let at = intake.at("");
            intake.progress.fault(at.trim_end_matches(": "), "there is nothing in it to import");
        }
        Ok(())
    }
}

/// The list of a document, element by element.
struct List<'i, 'a> {
    intake: &'i mut Intake<'a>,
    left: &'i Cell<usize>,
    kind: Kind,
}

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { intake, left, kind } = self;
        // Whose what follows is, a list does not say.
        (intake.account, intake.user) = (None, None);
        let mut index = 0_usize;
        while let Some(json) = elements.next_element::<Box<RawValue>>()? {
            left.set(ELEMENT_BYTES_MAX);
            intake.thing(kind, &format!("{}s[{index}]", kind.name()), &json);
            if intake.failed.is_some() {
                return Ok(());
            }
            index += 1;
        }
        Ok(())
    }
}

/// The members of an object, each of which may stand in it once.
struct Members(Map<String, Value>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Self)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value()?;
            if members.contains_key(&name) {
                let fault = format_args!("the member '{name}' stands in it twice");
                return Err(serde::de::Error::custom(fault));
            }
            members.insert(name, value);
        }
        Ok(members)
    }
}
