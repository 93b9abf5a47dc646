//! Secrets at rest: each is sealed under the deployment's data key, and that under the master key.
//!
//! So the master key is never stored beside what it protects, and another takes its place by sealing
//! one small thing anew. What is sealed says what it is for: it opens for nothing else, so that no
//! two secrets can change places.

use super::Secret;
use crate::store::{Error, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The first byte of what is sealed; another cipher or form takes the next number.
const VERSION: u8 = 1;
/// How many bytes a key has.
pub const KEY_BYTES: usize = 32;
/// How many random bytes each sealing takes.
pub const NONCE_BYTES: usize = NONCE_LEN;
const DATA_KEY: &str = "data-key";

/// The key that stands before all secrets of a deployment, and is kept apart from them.
#[derive(Clone, Eq, PartialEq)]
pub struct MasterKey([u8; KEY_BYTES]);

impl MasterKey {
    /// Takes a key in.
    pub fn new(key: [u8; KEY_BYTES]) -> Self {
        Self(key)
    }

    /// Reads a key as it is written for people and files, base64 of its bytes; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// Returns the key as [`MasterKey::parse`] reads it.
    pub fn text(&self) -> Secret {
        Secret::new(BASE64_STANDARD.encode(self.0))
    }

    /// Tells whether a data key was sealed under this key.
    pub fn opens(&self, data_key: &Sealed) -> bool {
        self.unwrap_key(data_key).is_some()
    }

    /// Seals a data key.
    pub(super) fn wrap(&self, data_key: &[u8; KEY_BYTES], nonce: [u8; NONCE_BYTES]) -> Sealed {
        Seal::new(&self.0).seal_bytes(DATA_KEY, data_key, nonce)
    }

    /// Opens a data key; `None` if it was sealed under another master key.
    pub(super) fn unwrap_key(&self, data_key: &Sealed) -> Option<[u8; KEY_BYTES]> {
        Seal::new(&self.0).open_bytes(DATA_KEY, data_key)?.try_into().ok()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A key in use: it seals secrets, and opens what it sealed.
///
/// The same nonce must not seal two different things. Random ones do for 2^32 sealings.
#[derive(Clone)]
pub struct Seal(LessSafeKey);

impl Seal {
    /// Takes a data key into use.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("a key of AES-256 has 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Seals a secret for one purpose, such as `access-key:AKIA…`.
    pub fn seal(&self, purpose: &str, secret: &Secret, nonce: [u8; NONCE_BYTES]) -> Sealed {
        self.seal_bytes(purpose, secret.expose().as_bytes(), nonce)
    }

    /// Opens a secret that was sealed for this purpose.
    pub fn open(&self, purpose: &str, sealed: &Sealed) -> Result<Secret> {
        let bytes = self.open_bytes(purpose, sealed);
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        text.map(Secret::new).ok_or_else(|| {
            Error::Corrupt(format!("the secret of {purpose} is not what was sealed for it"))
        })
    }

    /// Seals bytes for one purpose.
    pub fn seal_bytes(&self, purpose: &str, bytes: &[u8], nonce: [u8; NONCE_BYTES]) -> Sealed {
        let mut content = bytes.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                context(purpose),
                &mut content,
            )
            .expect("what is sealed is far below 64 gigabytes");
        Sealed(BASE64_STANDARD.encode([&[VERSION][..], &nonce, &content].concat()))
    }

    /// Opens bytes; `None` unless this key sealed them for this purpose.
    pub fn open_bytes(&self, purpose: &str, sealed: &Sealed) -> Option<Vec<u8>> {
        let bytes = BASE64_STANDARD.decode(&sealed.0).ok()?;
        let (&version, rest) = bytes.split_first()?;
        let (&nonce, content) = rest.split_first_chunk()?;
        if version != VERSION {
            return None;
        }
        let nonce = Nonce::assume_unique_for_key(nonce);
        let mut content = content.to_vec();
        let opened = self.0.open_in_place(nonce, context(purpose), &mut content).ok()?.len();
        content.truncate(opened);
        Some(content)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What is sealed together with the content, and not stored.
fn context(purpose: &str) -> Aad<Vec<u8>> {
    Aad::from([&[VERSION], purpose.as_bytes()].concat())
}

/// What was sealed: base64 of a version, the nonce, the ciphertext and its tag.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Sealed(String);

impl Sealed {
    /// Takes in what may have been sealed.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows that there is something: what it looks like helps nobody who reads a log.
impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sealed")
    }
}

/// A secret, or what may hold one, as a record holds it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum StoredSecret {
    /// As the releases before secrets were sealed wrote it, which a start seals before it answers; or
    /// what holds no secret.
    Clear(Secret),
    /// Sealed under the data key.
    Sealed(Sealed),
}

impl StoredSecret {
    /// Returns the secret.
    pub fn open(&self, seal: &Seal, purpose: &str) -> Result<Secret> {
        match self {
            Self::Clear(secret) => Ok(secret.clone()),
            Self::Sealed(sealed) => seal.open(purpose, sealed),
        }
    }

    /// Returns the secret sealed, as it is if it was.
    #[must_use]
    pub fn sealed(self, seal: &Seal, purpose: &str, nonce: [u8; NONCE_BYTES]) -> Self {
        match self {
            Self::Clear(secret) => Self::Sealed(seal.seal(purpose, &secret, nonce)),
            sealed @ Self::Sealed(_) => sealed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn seal() -> Seal {
        Seal::new(&[7; KEY_BYTES])
    }

    fn sealed() -> Sealed {
        seal().seal("access-key:A", &Secret::new(SECRET.to_owned()), [9; NONCE_BYTES])
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_under_its_key_alone() {
        let opened = seal().open("access-key:A", &sealed()).unwrap();
        assert_eq!(opened.expose(), SECRET);
        let error = seal().open("access-key:B", &sealed()).unwrap_err().to_string();
        assert!(error.contains("access-key:B") && !error.contains(SECRET), "{error}");
        assert!(Seal::new(&[8; KEY_BYTES]).open("access-key:A", &sealed()).is_err());
        let cases: [&[u8]; 3] = [b"", b"\0", &[0xff; 100]];
        for bytes in cases {
            let sealed = seal().seal_bytes("a", bytes, [1; NONCE_BYTES]);
            assert_eq!(seal().open_bytes("a", &sealed).unwrap(), bytes);
        }
    }

    #[test]
    fn the_stored_form_is_version_nonce_ciphertext_and_tag() {
        let bytes = BASE64_STANDARD.decode(sealed().as_str()).unwrap();
        assert_eq!(bytes[..13], [[VERSION].as_slice(), &[9; NONCE_BYTES]].concat());
        assert_eq!(bytes.len(), 13 + SECRET.len() + 16);
        assert_eq!(sealed(), sealed(), "a second run writes the same");
    }

    #[test]
    fn no_bit_can_change() {
        let bytes = BASE64_STANDARD.decode(sealed().as_str()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = Sealed::new(BASE64_STANDARD.encode(bytes));
            assert!(seal().open("access-key:A", &changed).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            let cut = Sealed::new(BASE64_STANDARD.encode(&bytes[..length]));
            assert!(seal().open("access-key:A", &cut).is_err(), "{length} bytes");
        }
        assert!(seal().open("access-key:A", &Sealed::new("no base64".to_owned())).is_err());
    }

    #[test]
    fn a_master_key_opens_the_data_keys_that_it_sealed() {
        let (key, other) = (MasterKey::new([1; KEY_BYTES]), MasterKey::new([2; KEY_BYTES]));
        let wrapped = key.wrap(&[3; KEY_BYTES], [4; NONCE_BYTES]);
        assert_eq!(key.unwrap_key(&wrapped), Some([3; KEY_BYTES]));
        assert!(key.opens(&wrapped) && !other.opens(&wrapped));
        assert_eq!(MasterKey::parse(key.text().expose()), Some(key));
        for text in ["", "AAAA", "not base64", &BASE64_STANDARD.encode([0; 33])] {
            assert_eq!(MasterKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_is_shown_of_keys_and_secrets() {
        let key = MasterKey::new([1; KEY_BYTES]);
        let stored = StoredSecret::Sealed(sealed());
        let clear = StoredSecret::Clear(Secret::new(SECRET.to_owned()));
        let printed = format!("{key:?} {:?} {stored:?} {clear:?}", seal());
        assert_eq!(printed, "*** *** Sealed(sealed) Clear(***)");
    }
}
