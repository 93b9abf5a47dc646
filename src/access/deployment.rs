//! What a deployment knows about itself: its root, and the secrets that it made for itself.

use super::{
    AccessKeyRecord, Caller, Credential, Grants, KEY_BYTES, MasterKey, NONCE_BYTES, Principal,
    Seal, Sealed, Secret, StoredSecret,
};
use crate::clock::Timestamp;
use crate::store::copy::refuse_incomplete;
use crate::store::{Error, Key, Record, Result, Store, Table, Tx};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rand::Rng;
use rand::distr::{Distribution, StandardUniform};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

const TOKEN_SECRET: &str = "token-secret";

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
    /// What seals the secrets that are stored.
    pub seal: Seal,
    /// Whether this start made the root's access key.
    pub root_is_new: bool,
    /// Which entries beside its records the store has, and which of its secrets are sealed;
    /// [`LAYOUT`] once it is as this release writes it.
    pub layout: u32,
}

/// The layout that this release writes. Raise it with a change to what a record's keys are, and teach
/// `operations::layout` to write what older stores lack.
pub const LAYOUT: u32 = 3;

/// The parts of the root credential that the settings fix.
#[derive(Clone, Debug, Default)]
pub struct RootSettings {
    /// The access key id with its secret.
    pub access_key: Option<(String, Secret)>,
    /// The AWS account, 12 digits.
    pub aws_account_id: Option<String>,
}

impl Deployment {
    /// Reads what is stored, and makes what is missing. Settings go before what is stored. Refuses a
    /// store that was sealed under another master key.
    pub async fn open(
        store: &Store,
        settings: RootSettings,
        master_key: MasterKey,
        now: Timestamp,
    ) -> Result<Self> {
        // Made before the transaction, which must give the same when it is run again.
        let random = rand::random();
        store.write(move |tx| Self::open_in(tx, settings.clone(), &master_key, now, &random)).await
    }

    fn open_in(
        mut tx: Tx<'_>,
        settings: RootSettings,
        master_key: &MasterKey,
        now: Timestamp,
        random: &Randomness,
    ) -> Result<Self> {
        refuse_incomplete(&tx)?;
        let stored = tx.get::<DeploymentRecord>(&deployment_key())?;
        let mut record = stored.clone().unwrap_or_else(|| DeploymentRecord::generate(random));
        let was_sealed = record.data_key.is_some();
        let seal = record.seal(master_key, random)?;
        let aws_account_id =
            settings.aws_account_id.unwrap_or_else(|| record.root_aws_account_id.clone());
        let root_is_new = settings.access_key.is_none() && record.root.is_none();
        if root_is_new {
            let (key, _) =
                AccessKeyRecord::generate(aws_account_id.clone(), None, now, &random.root, &seal);
            record.root = Some(key.into());
        }
        if root_is_new || stored.is_none() {
            record.root_aws_account_id.clone_from(&aws_account_id);
        }
        match &stored {
            None => tx.insert(&record)?,
            Some(stored) if root_is_new || !was_sealed => tx.update(stored, &record)?,
            Some(_) => {}
        }
        let (root_access_key_id, root_secret_access_key) = match (settings.access_key, record.root)
        {
            (Some(access_key), _) => access_key,
            (None, Some(root)) => {
                let secret = root.secret(&seal)?;
                (root.access_key_id, secret)
            }
            (None, None) => return Err(Error::Corrupt("the deployment has no root".to_owned())),
        };
        Ok(Self {
            root_access_key_id,
            root_secret_access_key,
            root_aws_account_id: aws_account_id,
            token_secret: record.token_secret.open(&seal, TOKEN_SECRET)?,
            seal,
            root_is_new,
            layout: record.layout,
        })
    }

    /// Returns the data key that the secrets of a store are sealed under, as it is stored; `None` if
    /// they are not sealed yet, or there are none. Refuses a copy that is not complete, whose key
    /// nobody needs yet.
    pub fn data_key(store: &Store) -> Result<Option<Sealed>> {
        let record = store.read_blocking(|tx| {
            refuse_incomplete(&tx)?;
            tx.get::<DeploymentRecord>(&deployment_key())
        })?;
        Ok(record.and_then(|record| record.data_key))
    }

    /// Seals the data key of a store under another master key, in one commit. Waits for it.
    pub fn change_master_key(store: &Store, old: MasterKey, new: MasterKey) -> Result<()> {
        let nonce = rand::random();
        store.write_blocking(move |mut tx: Tx<'_>| {
            let record = existing(&tx)?;
            let data_key = record.data_key(&old)?;
            let data_key = data_key.map(|data_key| new.wrap(&data_key, nonce));
            tx.update(&record, &DeploymentRecord { data_key, ..record.clone() })
        })
    }

    /// Notes that the store has all of today's entries, and no secret that is not sealed.
    pub async fn laid_out(store: &Store) -> Result<()> {
        let note = |mut tx: Tx<'_>| {
            let old = existing(&tx)?;
            tx.update(&old, &DeploymentRecord { layout: LAYOUT, ..old.clone() })
        };
        store.write(note).await
    }

    /// Returns the root's credential.
    pub fn root(&self) -> Credential {
        let root = Caller::root(self.root_aws_account_id.clone(), self.root_access_key_id.clone());
        Credential {
            caller: Arc::new(Caller { principal: Principal::DeploymentRoot, ..root }),
            secret_access_key: self.root_secret_access_key.clone(),
            grants: Grants::All,
        }
    }
}

/// The random numbers of a first start.
struct Randomness {
    aws_account: u64,
    data_key: ([u8; KEY_BYTES], [u8; NONCE_BYTES]),
    root: [u8; AccessKeyRecord::RANDOM_BYTES],
    /// What an older release's root is sealed with.
    root_nonce: [u8; NONCE_BYTES],
    token_secret: ([u8; 32], [u8; NONCE_BYTES]),
}

impl Distribution<Randomness> for StandardUniform {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> Randomness {
        let mut root = [0; AccessKeyRecord::RANDOM_BYTES];
        rng.fill_bytes(&mut root);
        Randomness {
            aws_account: rng.random(),
            data_key: rng.random(),
            root,
            root_nonce: rng.random(),
            token_secret: rng.random(),
        }
    }
}

/// The deployment as it is stored.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeploymentRecord {
    root_aws_account_id: String,
    /// None as long as every start was told its root credential.
    root: Option<RootAccessKey>,
    token_secret: StoredSecret,
    layout: u32,
    /// What all secrets are sealed under, itself sealed under the master key. None in what an older
    /// release left.
    data_key: Option<Sealed>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RootAccessKey {
    access_key_id: String,
    secret_access_key: StoredSecret,
}

impl RootAccessKey {
    fn secret(&self, seal: &Seal) -> Result<Secret> {
        self.secret_access_key.open(seal, &AccessKeyRecord::purpose(&self.access_key_id))
    }

    fn sealed(self, seal: &Seal, nonce: [u8; NONCE_BYTES]) -> Self {
        let purpose = AccessKeyRecord::purpose(&self.access_key_id);
        Self { secret_access_key: self.secret_access_key.sealed(seal, &purpose, nonce), ..self }
    }
}

impl From<AccessKeyRecord> for RootAccessKey {
    fn from(key: AccessKeyRecord) -> Self {
        Self { access_key_id: key.access_key_id, secret_access_key: key.secret_access_key }
    }
}

impl DeploymentRecord {
    fn generate(random: &Randomness) -> Self {
        // 12 digits, the first of them not zero, as scripts that lose leading zeros would wish.
        let aws_account = 100_000_000_000 + random.aws_account % 900_000_000_000;
        let (token_secret, _) = random.token_secret;
        Self {
            root_aws_account_id: aws_account.to_string(),
            root: None,
            token_secret: StoredSecret::Clear(Secret::new(BASE64_STANDARD.encode(token_secret))),
            layout: LAYOUT,
            data_key: None,
        }
    }

    /// Returns what the secrets are sealed with. What has no data key yet gets one, and its secrets
    /// are sealed.
    fn seal(&mut self, master_key: &MasterKey, random: &Randomness) -> Result<Seal> {
        if let Some(data_key) = self.data_key(master_key)? {
            return Ok(Seal::new(&data_key));
        }
        let ((data_key, nonce), (_, token_nonce)) = (random.data_key, random.token_secret);
        let seal = Seal::new(&data_key);
        self.data_key = Some(master_key.wrap(&data_key, nonce));
        self.token_secret = self.token_secret.clone().sealed(&seal, TOKEN_SECRET, token_nonce);
        self.root = self.root.take().map(|root| root.sealed(&seal, random.root_nonce));
        Ok(seal)
    }

    /// Opens the data key, if there is one.
    fn data_key(&self, master_key: &MasterKey) -> Result<Option<[u8; KEY_BYTES]>> {
        let Some(data_key) = &self.data_key else { return Ok(None) };
        let opened = master_key.unwrap_key(data_key).ok_or_else(|| {
            Error::Corrupt("the store was sealed with another master key".to_owned())
        })?;
        Ok(Some(opened))
    }
}

impl Record for DeploymentRecord {
    const VERSION: u32 = 3;

    fn key(&self) -> Key {
        deployment_key()
    }

    fn index_keys(&self) -> Vec<Key> {
        Vec::new()
    }

    /// Version 2 says which layout the store has. A release that does not know users must not open
    /// a store that has them, and its refusal of this version keeps it from it. Version 3 has a data
    /// key, and says of each secret whether it is sealed; in version 2 none was.
    fn upgrade(from: u32, mut record: Value) -> Result<Value> {
        match (from, record.as_object_mut()) {
            (1, Some(members)) => {
                members.insert("Layout".to_owned(), 1.into());
            }
            (2, Some(members)) => {
                let root = members.get_mut("Root").and_then(|it| it.get_mut("SecretAccessKey"));
                if let Some(secret) = root {
                    *secret = json!({"Clear": secret});
                }
                if let Some(secret) = members.get_mut("TokenSecret") {
                    *secret = json!({"Clear": secret});
                }
                members.insert("DataKey".to_owned(), Value::Null);
            }
            _ => {
                let unknown = format!("version {from} of the deployment is unknown");
                return Err(Error::Corrupt(unknown));
            }
        }
        Ok(record)
    }
}

fn existing(tx: &Tx<'_>) -> Result<DeploymentRecord> {
    let record = tx.get(&deployment_key())?;
    record.ok_or_else(|| Error::Corrupt("there is no deployment".to_owned()))
}

fn deployment_key() -> Key {
    Key::of(Table::Deployment)
}
