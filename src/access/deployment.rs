//! What a deployment knows about itself: its root, and the secret behind its page tokens.

use super::{AccessKeyRecord, Caller, Credential, Grants, Principal, Secret};
use crate::clock::Timestamp;
use crate::store::{Error, Key, Record, Store, Table, Tx};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The root credential and the secrets that the deployment made for itself.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The public half of the root's access key.
    pub root_access_key_id: String,
    /// The secret half.
    pub root_secret_access_key: Secret,
    /// The root's AWS account.
    pub root_aws_account_id: String,
    /// The secret that page tokens are authenticated with.
    pub token_secret: Secret,
    /// Whether this start made the root's access key.
    pub root_is_new: bool,
    /// Which entries beside its records the store has; [`LAYOUT`] once it has all of today's.
    pub layout: u32,
}

/// The entries that this release writes beside records. Raise it with a change to what a record's
/// keys are, and teach `operations::layout` to write what older stores lack.
pub const LAYOUT: u32 = 2;

/// The parts of the root credential that the settings fix.
#[derive(Clone, Debug, Default)]
pub struct RootSettings {
    /// The access key id with its secret.
    pub access_key: Option<(String, Secret)>,
    /// The AWS account, 12 digits.
    pub aws_account_id: Option<String>,
}

impl Deployment {
    /// Reads what is stored, and makes what is missing. Settings go before what is stored.
    pub async fn open(
        store: &Store,
        settings: RootSettings,
        now: Timestamp,
    ) -> Result<Self, Error> {
        // Made before the transaction, which must give the same when it is run again.
        let random = rand::random();
        store.write(move |tx| Self::open_in(tx, settings, now, &random)).await
    }

    fn open_in(
        mut tx: Tx<'_>,
        settings: RootSettings,
        now: Timestamp,
        random: &Randomness,
    ) -> Result<Self, Error> {
        let stored = tx.get::<DeploymentRecord>(&deployment_key())?;
        let mut record = stored.clone().unwrap_or_else(|| DeploymentRecord::generate(random));
        if let Some(aws_account_id) = settings.aws_account_id {
            record.root_aws_account_id = aws_account_id;
        }
        let root_is_new = settings.access_key.is_none() && record.root.is_none();
        if root_is_new {
            let generated = AccessKeyRecord::generate(
                record.root_aws_account_id.clone(),
                None,
                now,
                &random.key,
            );
            record.root = Some(RootAccessKey {
                access_key_id: generated.access_key_id,
                secret_access_key: generated.secret_access_key,
            });
        }
        match &stored {
            None => tx.insert(&record)?,
            Some(stored) if root_is_new => tx.update(stored, &record)?,
            Some(_) => {}
        }
        let (root_access_key_id, root_secret_access_key) = settings
            .access_key
            .or(record.root.map(|root| (root.access_key_id, root.secret_access_key)))
            .ok_or_else(|| Error::Corrupt("the deployment has no root".to_owned()))?;
        Ok(Self {
            root_access_key_id,
            root_secret_access_key,
            root_aws_account_id: record.root_aws_account_id,
            token_secret: record.token_secret,
            root_is_new,
            layout: record.layout,
        })
    }

    /// Notes that the store has all of today's entries.
    pub async fn laid_out(store: &Store) -> Result<(), Error> {
        let note = |mut tx: Tx<'_>| {
            let old = tx.get::<DeploymentRecord>(&deployment_key())?;
            let old = old.ok_or_else(|| Error::Corrupt("there is no deployment".to_owned()))?;
            tx.update(&old, &DeploymentRecord { layout: LAYOUT, ..old.clone() })
        };
        store.write(note).await
    }

    /// Returns the root's credential.
    pub fn root(&self) -> Credential {
        let root = Caller::root(self.root_aws_account_id.clone(), self.root_access_key_id.clone());
        Credential {
            caller: Caller { principal: Principal::DeploymentRoot, ..root },
            secret_access_key: self.root_secret_access_key.clone(),
            grants: Grants::All,
        }
    }
}

/// The random numbers of a first start.
struct Randomness {
    key: [u8; AccessKeyRecord::RANDOM_BYTES],
    token_secret: [u8; 32],
    aws_account: u64,
}

impl rand::distr::Distribution<Randomness> for rand::distr::StandardUniform {
    fn sample<R: rand::Rng + ?Sized>(&self, rng: &mut R) -> Randomness {
        let mut key = [0; AccessKeyRecord::RANDOM_BYTES];
        rng.fill_bytes(&mut key);
        Randomness { key, token_secret: rng.random(), aws_account: rng.random() }
    }
}

/// The deployment as it is stored.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeploymentRecord {
    root_aws_account_id: String,
    /// None as long as every start was told its root credential.
    root: Option<RootAccessKey>,
    token_secret: Secret,
    layout: u32,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RootAccessKey {
    access_key_id: String,
    secret_access_key: Secret,
}

impl DeploymentRecord {
    fn generate(random: &Randomness) -> Self {
        // 12 digits, the first of them not zero, as scripts that lose leading zeros would wish.
        let aws_account = 100_000_000_000 + random.aws_account % 900_000_000_000;
        Self {
            root_aws_account_id: aws_account.to_string(),
            root: None,
            token_secret: Secret::new(BASE64_STANDARD.encode(random.token_secret)),
            layout: LAYOUT,
        }
    }
}

impl Record for DeploymentRecord {
    const VERSION: u32 = 2;

    fn key(&self) -> Key {
        deployment_key()
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }

    /// Version 2 says which layout the store has. A release that does not know users must not open
    /// a store that has them, and its refusal of this version keeps it from it.
    fn upgrade(from: u32, mut record: Value) -> Result<Value, Error> {
        match (from, record.as_object_mut()) {
            (1, Some(members)) => {
                members.insert("Layout".to_owned(), 1.into());
                Ok(record)
            }
            _ => Err(Error::Corrupt(format!("version {from} of the deployment is unknown"))),
        }
    }
}

fn deployment_key() -> Key {
    Key::of(Table::Deployment)
}
