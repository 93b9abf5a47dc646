//! Service quotas: how many of a thing an AWS account may have, by AWS's names and with AWS's values,
//! where a deployment can say another number.

use std::fmt;
use std::str::FromStr;

/// A service quota.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names are those of IAM's service quotas")]
pub enum Quota {
    AccessKeysPerUser,
    CustomerManagedPoliciesPerAccount,
    IamUsersPerAccount,
    ManagedPoliciesPerRole,
    ManagedPoliciesPerUser,
    RolesPerAccount,
    VersionsPerManagedPolicy,
}

/// What is known of a quota.
struct Line {
    quota: Quota,
    /// The name that settings have for it: AWS's, in kebab case. That of users says whose they are,
    /// for Amazon Chime's have no quota.
    name: &'static str,
    /// The name that IAM's errors have for it.
    iam_name: &'static str,
    /// IAM's own value ("IAM and AWS STS quotas" in the IAM User Guide).
    value: u32,
    /// The greatest value that can be set. Each new thing costs a count of those that there are, and
    /// what one record holds is read at once.
    max: u32,
}

const fn line(
    quota: Quota,
    name: &'static str,
    iam_name: &'static str,
    (value, max): (u32, u32),
) -> Line {
    Line { quota, name, iam_name, value, max }
}

/// The quotas in the order of the enum.
#[rustfmt::skip] // A line a quota.
const QUOTAS: [Line; 7] = [
    line(Quota::AccessKeysPerUser, "access-keys-per-user", "AccessKeysPerUser", (2, 100)),
    line(Quota::CustomerManagedPoliciesPerAccount, "customer-managed-policies-per-account", "PoliciesPerAccount", (1500, 100_000)),
    line(Quota::IamUsersPerAccount, "iam-users-per-account", "UsersPerAccount", (5000, 100_000)),
    line(Quota::ManagedPoliciesPerRole, "managed-policies-per-role", "PoliciesPerRole", (10, 100)),
    line(Quota::ManagedPoliciesPerUser, "managed-policies-per-user", "PoliciesPerUser", (10, 100)),
    line(Quota::RolesPerAccount, "roles-per-account", "RolesPerAccount", (1000, 100_000)),
    line(Quota::VersionsPerManagedPolicy, "versions-per-managed-policy", "VersionsPerPolicy", (5, 100)),
];

impl Quota {
    fn line(self) -> &'static Line {
        QUOTAS.get(self as usize).expect("each quota has a line")
    }
}

/// Writes a quota as IAM's errors do.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.line().iam_name)
    }
}

/// Another number for a quota: `roles-per-account=2000`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QuotaSetting {
    quota: Quota,
    value: u32,
}

impl FromStr for QuotaSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |reason: String| {
            let names = QUOTAS.map(|line| format!("{} (1 to {})", line.name, line.max)).join(", ");
            format!("{reason}. The quotas are {names}")
        };
        let (name, value) = text.split_once('=').ok_or_else(|| {
            refused(format!(
                "'{text}' sets no quota; write NAME=VALUE, as in roles-per-account=2000"
            ))
        })?;
        let line = QUOTAS.iter().find(|line| line.name == name);
        let line = line.ok_or_else(|| refused(format!("'{name}' is no quota")))?;
        match value.parse() {
            Ok(value) if (1..=line.max).contains(&value) => Ok(Self { quota: line.quota, value }),
            _ => Err(refused(format!("'{value}' cannot be the quota {name}"))),
        }
    }
}

/// The number of every quota.
#[derive(Clone, Copy, Debug)]
pub struct Quotas([u32; QUOTAS.len()]);

impl Default for Quotas {
    fn default() -> Self {
        Self(QUOTAS.map(|line| line.value))
    }
}

impl Quotas {
    /// Takes over what a deployment says; of two settings of a quota, the later.
    #[must_use]
    pub fn with(mut self, settings: &[QuotaSetting]) -> Self {
        for setting in settings {
            if let Some(value) = self.0.get_mut(setting.quota as usize) {
                *value = setting.value;
            }
        }
        self
    }

    /// Returns how many there may be.
    pub fn get(&self, quota: Quota) -> usize {
        let value = *self.0.get(quota as usize).expect("each quota has a value");
        usize::try_from(value).expect("a number of 32 bits is one of the machine's")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, line) in QUOTAS.into_iter().enumerate() {
            assert_eq!(
                (line.quota as usize, line.quota.to_string().as_str()),
                (index, line.iam_name)
            );
            let setting = format!("{}=7", line.name).parse().unwrap();
            let quotas = Quotas::default().with(&[setting]);
            for other in QUOTAS {
                let value = if other.quota == line.quota { 7 } else { other.value };
                assert_eq!(quotas.get(other.quota), value as usize);
            }
        }
    }

    #[test]
    fn what_cannot_be_a_quota_is_named_with_what_can() {
        for (text, words) in [
            ("rooms-per-account=1", &["'rooms-per-account'"][..]),
            (
                "users-per-account=1",
                &["'users-per-account'", "iam-users-per-account (1 to 100000)"],
            ),
            ("roles-per-account", &["NAME=VALUE"]),
            ("roles-per-account=many", &["quota roles-per-account", "'many'"]),
            ("roles-per-account=-1", &["'-1'"]),
            ("roles-per-account=0", &["'0'", "roles-per-account (1 to 100000)"]),
            ("access-keys-per-user=101", &["'101'", "access-keys-per-user (1 to 100)"]),
            ("=", &["''"]),
        ] {
            let error = text.parse::<QuotaSetting>().unwrap_err();
            let all = words.iter().chain(&["versions-per-managed-policy (1 to 100)"]);
            for word in all {
                assert!(error.contains(word), "{text}: {error}");
            }
        }
    }
}
