//! Whom a trust policy trusts: everybody, AWS accounts, and users and roles by their ARNs.

use super::json::{Path, Value, shown};
use super::{Fault, Principal};

#[derive(Debug)]
pub(super) struct Principals(Vec<Trusted>);

#[derive(Debug)]
enum Trusted {
    Everybody,
    /// All of an AWS account, not only its root (`reference_policies_elements_principal`).
    AwsAccount(String),
    Arn(String),
}

impl Principals {
    pub(super) fn read(value: &Value, path: &Path<'_>) -> Result<Self, Fault> {
        if let Value::String(text) = value {
            return match text.as_str() {
                "*" => Ok(Self(vec![Trusted::Everybody])),
                _ => Err(path.fault(format!(
                    "must be '*' or an object such as {{\"AWS\": \"111122223333\"}}, not '{}'",
                    shown(text)
                ))),
            };
        }
        let mut principals = None;
        for (name, listed) in value.members(path)? {
            let path = path.member(name);
            match name.as_str() {
                "AWS" => principals = Some(listed.each(&path, Trusted::read)?),
                "Service" | "Federated" | "CanonicalUser" => {
                    return Err(path.fault(
                        "is a kind of principals that Campanile does not have: only AWS may be there",
                    ));
                }
                _ => return Err(path.fault("is no kind of principals: only AWS may be there")),
            }
        }
        let principals = principals.ok_or_else(|| path.fault("is empty: it must have AWS"))?;
        Ok(Self(principals))
    }

    pub(super) fn include(&self, principal: &Principal<'_>) -> bool {
        self.0.iter().any(|trusted| match trusted {
            Trusted::Everybody => true,
            Trusted::AwsAccount(id) => id == principal.aws_account_id,
            Trusted::Arn(arn) => principal.arns.contains(&arn.as_str()),
        })
    }
}

impl Trusted {
    fn read(value: &Value, path: &Path<'_>) -> Result<Self, Fault> {
        let text = value.string(path)?;
        let trusted = match text {
            "*" => Some(Self::Everybody),
            _ if is_aws_account_id(text) => Some(Self::AwsAccount(text.to_owned())),
            _ => Self::arn(text),
        };
        trusted.ok_or_else(|| {
            path.fault(format!(
                "'{}' is no principal: it must be '*', the twelve digits of an AWS account, or an ARN \
                 without wildcards, such as arn:aws:iam::111122223333:user/ann",
                shown(text)
            ))
        })
    }

    fn arn(text: &str) -> Option<Self> {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let &["arn", partition, service, "", account, resource] = parts.as_slice() else {
            return None;
        };
        let named = |kind: &str| {
            let name = resource.strip_prefix(kind);
            name.is_some_and(|it| !it.is_empty() && !it.ends_with('/') && !it.contains(['*', '?']))
        };
        if !partition.starts_with("aws") || !is_aws_account_id(account) {
            return None;
        }
        match service {
            "iam" if resource == "root" => Some(Self::AwsAccount(account.to_owned())),
            "iam" if named("user/") || named("role/") => Some(Self::Arn(text.to_owned())),
            "sts" if named("assumed-role/") || named("federated-user/") => {
                Some(Self::Arn(text.to_owned()))
            }
            _ => None,
        }
    }
}

fn is_aws_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|it| it.is_ascii_digit())
}
