//! Where documents meet before anything is sent: a store of its own in a temporary folder.
//!
//! The same thing may stand in several documents, and a thing's parts anywhere; so all is staged,
//! merged and compared on disk, however much it is.

use crate::protocol::shapes::{DomainName, EmailAddress};
use crate::store::{self, Error, Key, Location, Page, Position, Record, Store, Table, Tx};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use tempfile::TempDir;

/// A part of an account or a user: what one kind of document says about it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(super) enum Kind {
    Account,
    AccountSettings,
    Domains,
    OpenIdConfig,
    RetentionSettings,
    User,
    UserSettings,
}

impl Kind {
    /// Returns the member of a document that it is known by.
    pub(super) fn name(self) -> String {
        format!("{self:?}")
    }
}

/// What a document says about one thing.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Saved {
    pub(super) kind: Kind,
    pub(super) members: Map<String, Value>,
    /// The file and the path in it.
    pub(super) source: String,
}

/// Whose a document is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Owner {
    pub(super) account_id: String,
    pub(super) user_id: Option<String>,
}

/// A document without an id, and the words of its path, of which one may be the id.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Unowned {
    pub(super) saved: Saved,
    pub(super) words: Vec<String>,
    pub(super) number: u64,
}

/// An account or a user with all that is known of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Staged {
    pub(super) account_id: String,
    pub(super) user_id: Option<String>,
    parts: BTreeMap<Kind, Part>,
}

/// The members of a part, and where they come from.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Part {
    members: Map<String, Value>,
    sources: Vec<String>,
    /// Which of the sources has a member, where that is not the first.
    later: BTreeMap<String, usize>,
}

impl Part {
    fn source(&self, member: &str) -> &str {
        let index = self.later.get(member).copied().unwrap_or_default();
        self.sources.get(index).map_or("", String::as_str)
    }

    /// Takes in what another document says; answers the members in which it disagrees.
    fn merge(&mut self, saved: Saved) -> Vec<Disagreement> {
        let source = self.sources.len();
        let mut disagreements = Vec::new();
        let mut is_new = self.sources.is_empty();
        for (name, value) in saved.members {
            match self.members.get(&name) {
                Some(there) if *there == value || value.is_null() => {}
                Some(there) if !there.is_null() => {
                    let other = self.source(&name).to_owned();
                    disagreements.push(Disagreement { member: name, other });
                }
                _ => {
                    is_new = true;
                    if source > 0 {
                        self.later.insert(name.clone(), source);
                    }
                    self.members.insert(name, value);
                }
            }
        }
        if is_new {
            self.sources.push(saved.source);
        }
        disagreements
    }
}

struct Disagreement {
    member: String,
    other: String,
}

impl Staged {
    fn key_of(owner: &Owner) -> Key {
        match &owner.user_id {
            None => Key::of(Table::Accounts).string(&owner.account_id),
            Some(user_id) => Key::of(Table::Users).string(&owner.account_id).string(user_id),
        }
    }

    fn owner(&self) -> Owner {
        Owner { account_id: self.account_id.clone(), user_id: self.user_id.clone() }
    }

    /// Tells whether the thing itself was found, and not only what is set of it.
    pub(super) fn is_whole(&self) -> bool {
        self.parts.contains_key(&Kind::Account) || self.parts.contains_key(&Kind::User)
    }

    /// Returns the AWS account that an account's document names.
    pub(super) fn aws_account_id(&self) -> Option<&str> {
        self.parts.get(&Kind::Account)?.members.get("AwsAccountId")?.as_str()
    }

    /// Returns the item that the import operations take.
    pub(super) fn item(&self) -> Value {
        let mut item = Map::new();
        for (kind, part) in &self.parts {
            match kind {
                // These two stand beside each other in their document.
                Kind::RetentionSettings => item.extend(part.members.clone()),
                Kind::Domains => {
                    item.insert(kind.name(), part.members.values().cloned().collect());
                }
                _ => {
                    item.insert(kind.name(), Value::Object(part.members.clone()));
                }
            }
        }
        Value::Object(item)
    }

    /// Returns the file and the path of a member of the item; of the thing, if none is named.
    pub(super) fn source(&self, member: Option<&str>) -> String {
        let path = member.unwrap_or_default();
        let (part, rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
        let found = self.parts.iter().find(|(kind, _)| kind.name() == part);
        let Some((kind, part)) = found.or_else(|| self.parts.iter().next()) else {
            return String::new();
        };
        let name = match kind {
            Kind::RetentionSettings | Kind::Domains => "",
            _ => rest.trim_start_matches('.').split(['.', '[']).next().unwrap_or_default(),
        };
        format!("{}{rest}", part.source(name))
    }

    fn unique(&self) -> Vec<(&'static str, Key)> {
        let mut keys = Vec::new();
        if let Some(user) = self.parts.get(&Kind::User) {
            let text = |name: &str| user.members.get(name).and_then(Value::as_str);
            let key = |table, text: &str| Key::of(table).string(text);
            keys.extend(text("UserId").map(|id| ("UserId", key(Table::UsersByType, id))));
            let email = user.members.get("PrimaryEmail").map(EmailAddress::deserialize);
            let email = email.and_then(Result::ok).map(|email| email.mailbox());
            keys.extend(email.map(|it| ("PrimaryEmail", key(Table::UsersByEmail, &it))));
            keys.extend(
                text("PersonalPIN").map(|pin| ("PersonalPIN", key(Table::UsersByPersonalPin, pin))),
            );
        }
        if let Some(domains) = self.parts.get(&Kind::Domains) {
            let held = domains.members.iter().filter(|(_, domain)| {
                domain.get("DomainStatus") != Some(&json!("PendingVerification"))
            });
            let names = held
                .filter_map(|(_, domain)| DomainName::deserialize(domain.get("DomainName")?).ok());
            keys.extend(
                names.map(|name| ("DomainName", Key::of(Table::VerifiedDomains).string(&name))),
            );
        }
        keys
    }
}

impl Record for Staged {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Self::key_of(&self.owner())
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }

    fn unique_keys(&self) -> Vec<Key> {
        self.unique().into_iter().map(|(_, key)| key).collect()
    }
}

impl Record for Unowned {
    const VERSION: u32 = 1;

    fn key(&self) -> Key {
        Key::of(Table::Outbox).number(self.number)
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }
}

/// A fault, and where it is.
#[derive(Clone, Debug)]
pub(super) struct Located {
    pub(super) at: String,
    pub(super) fault: String,
}

/// The staging store, gone with its folder when it is dropped.
#[derive(Debug)]
pub(super) struct Staging {
    store: Store,
    _folder: TempDir,
}

impl Staging {
    pub(super) fn open() -> store::Result<Self> {
        let unavailable = |error: std::io::Error| Error::Unavailable(error.to_string());
        let folder =
            tempfile::Builder::new().prefix("campanile-import-").tempdir().map_err(unavailable)?;
        let store = Store::open(&Location::Embedded(folder.path().join("staging")))?;
        Ok(Self { store, _folder: folder })
    }

    /// Takes documents in, and keeps those without an id until all ids are known; answers what
    /// contradicts another.
    pub(super) fn add(
        &self,
        owned: Vec<(Owner, Saved)>,
        unowned: Vec<Unowned>,
    ) -> store::Result<Vec<Located>> {
        self.store.write_blocking(move |mut tx| {
            let mut faults = Vec::new();
            for (owner, saved) in &owned {
                stage(&mut tx, owner, saved.clone(), &mut faults)?;
            }
            for unowned in &unowned {
                tx.insert(unowned)?;
            }
            Ok(faults)
        })
    }

    /// Finds whose the documents without ids are; answers those that nobody owns.
    pub(super) fn settle_unowned(&self) -> store::Result<Vec<Located>> {
        let mut faults = Vec::new();
        let mut after = None;
        loop {
            let page: Page<Unowned> = self
                .store
                .read_blocking(|tx| tx.page(&Key::of(Table::Outbox), after.as_ref(), PAGE))?;
            let mut settled = Vec::new();
            for unowned in page.items {
                match self.owner_of(&unowned)? {
                    Some(owner) => settled.push((owner, unowned.saved)),
                    None => faults.push(Located {
                        at: unowned.saved.source,
                        fault: nobodys(unowned.saved.kind),
                    }),
                }
            }
            faults.extend(self.add(settled, Vec::new())?);
            after = page.next;
            if after.is_none() {
                return Ok(faults);
            }
        }
    }

    fn owner_of(&self, unowned: &Unowned) -> store::Result<Option<Owner>> {
        self.store.read_blocking(|tx| {
            for word in &unowned.words {
                let found: Option<Staged> = match unowned.saved.kind {
                    Kind::UserSettings => tx.find(&Key::of(Table::UsersByType).string(word))?,
                    _ => tx.get(&Key::of(Table::Accounts).string(word))?,
                };
                if let Some(found) = found.filter(Staged::is_whole) {
                    return Ok(Some(found.owner()));
                }
            }
            Ok(None)
        })
    }

    /// Returns an account, if it is among what was read.
    pub(super) fn account(&self, account_id: &str) -> store::Result<Option<Staged>> {
        self.store.read_blocking(|tx| tx.get(&Key::of(Table::Accounts).string(account_id)))
    }

    /// Returns some of the accounts, in the order of their ids.
    pub(super) fn accounts(&self, after: Option<&Position>) -> store::Result<Page<Staged>> {
        self.store.read_blocking(|tx| tx.page(&Key::of(Table::Accounts), after, PAGE))
    }

    /// Returns some of the users, in the order of their accounts and ids.
    pub(super) fn users(&self, after: Option<&Position>) -> store::Result<Page<Staged>> {
        self.store.read_blocking(|tx| tx.page(&Key::of(Table::Users), after, PAGE))
    }
}

/// How many records are read at a time.
const PAGE: usize = 200;

fn stage(
    tx: &mut Tx<'_>,
    owner: &Owner,
    saved: Saved,
    faults: &mut Vec<Located>,
) -> store::Result<()> {
    let old: Option<Staged> = tx.get(&Staged::key_of(owner))?;
    let mut staged = old.clone().unwrap_or_else(|| Staged {
        account_id: owner.account_id.clone(),
        user_id: owner.user_id.clone(),
        parts: BTreeMap::new(),
    });
    let source = saved.source.clone();
    let disagreements = staged.parts.entry(saved.kind).or_default().merge(saved);
    faults.extend(disagreements.into_iter().map(|Disagreement { member, other }| Located {
        at: format!("{source}.{member}"),
        fault: format!("it differs from what {other}.{member} says"),
    }));
    let written = match &old {
        None => tx.insert(&staged),
        Some(old) => tx.update(old, &staged),
    };
    let Err(Error::Taken(key)) = written else { return written };
    let other: Option<Staged> = tx.find(&key)?;
    let name = staged.unique().into_iter().find(|(_, it)| *it == key).map_or("", |(name, _)| name);
    let place = match name {
        "DomainName" => Kind::Domains.name(),
        _ => format!("User.{name}"),
    };
    let other = other.map(|other| other.source(Some(&place))).unwrap_or_default();
    let what = match name {
        "DomainName" => "the domain belongs to another account, too".to_owned(),
        _ => "another user has the same".to_owned(),
    };
    faults.push(Located { at: format!("{source}.{name}"), fault: format!("{what}: {other}") });
    Ok(())
}

fn nobodys(kind: Kind) -> String {
    let (owner, command) = match kind {
        Kind::UserSettings => ("user", "get-user"),
        _ => ("account", "get-account"),
    };
    format!(
        "nothing says whose this is. Put the id of the {owner} into the name of the file or of its \
         folder, or the {owner}'s own document (aws chime {command}) before it in the same file; \
         and import the {owner} with it"
    )
}
