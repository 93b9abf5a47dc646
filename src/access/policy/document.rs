//! A policy document: its elements, which of them go together, and what each kind of policy has.

use super::condition::Condition;
use super::json::{Path, Value, shown};
use super::pattern::Pattern;
use super::principal::Principals;
use super::{DOCUMENT_BYTES_MAX, Effect, Fault, Kind, Listed, Policy, Statement, operand};
use std::collections::HashSet;

impl Policy {
    /// Parses and compiles a document; refuses a malformed one with the path to the fault.
    pub fn parse(document: &str, kind: Kind) -> Result<Self, Fault> {
        let path = Path::Document;
        if document.len() > DOCUMENT_BYTES_MAX {
            let length = document.len();
            let fault = format!("is {length} bytes long: {DOCUMENT_BYTES_MAX} are the most");
            return Err(path.fault(fault));
        }
        let value = Value::read(document)?;
        let (mut variables, mut statements) = (false, None);
        for (name, value) in value.members(&path)? {
            let path = path.member(name);
            match name.as_str() {
                "Version" => variables = has_variables(value, &path)?,
                "Id" => _ = value.string(&path)?,
                "Statement" => statements = Some(value),
                _ => return Err(path.fault("is no element of a policy")),
            }
        }
        let statements = statements.ok_or_else(|| path.fault("has no Statement"))?;
        let mut sids = HashSet::new();
        let statements = statements.each(&path.member("Statement"), |value, path| {
            let elements = Elements::read(value, path)?;
            if let Some(sid) = elements.sid.filter(|sid| !sid.is_empty())
                && !sids.insert(sid.to_owned())
            {
                let fault = format!("is '{}', as that of a statement before it", shown(sid));
                return Err(path.member("Sid").fault(fault));
            }
            elements.compile(path, kind, variables)
        })?;
        Ok(Self { statements })
    }
}

/// Tells whether documents of a version have policy variables. Those that do not say their version are
/// of the older one (`reference_policies_elements_version`).
fn has_variables(version: &Value, path: &Path<'_>) -> Result<bool, Fault> {
    match version.string(path)? {
        "2012-10-17" => Ok(true),
        "2008-10-17" => Ok(false),
        other => Err(path.fault(format!(
            "must be 2012-10-17, or 2008-10-17, which has no policy variables, not '{}'",
            shown(other)
        ))),
    }
}

/// The elements of a statement, as they stand there.
#[derive(Default)]
struct Elements<'v> {
    sid: Option<&'v str>,
    effect: Option<Effect>,
    principal: Option<&'v Value>,
    not_principal: Option<&'v Value>,
    action: Option<&'v Value>,
    not_action: Option<&'v Value>,
    resource: Option<&'v Value>,
    not_resource: Option<&'v Value>,
    condition: Option<&'v Value>,
}

impl<'v> Elements<'v> {
    fn read(value: &'v Value, path: &Path<'_>) -> Result<Self, Fault> {
        let mut elements = Self::default();
        for (name, value) in value.members(path)? {
            let path = path.member(name);
            match name.as_str() {
                "Sid" => elements.sid = Some(read_sid(value, &path)?),
                "Effect" => elements.effect = Some(read_effect(value, &path)?),
                "Principal" => elements.principal = Some(value),
                "NotPrincipal" => elements.not_principal = Some(value),
                "Action" => elements.action = Some(value),
                "NotAction" => elements.not_action = Some(value),
                "Resource" => elements.resource = Some(value),
                "NotResource" => elements.not_resource = Some(value),
                "Condition" => elements.condition = Some(value),
                _ => return Err(path.fault("is no element of a statement")),
            }
        }
        Ok(elements)
    }

    fn compile(self, path: &Path<'_>, kind: Kind, variables: bool) -> Result<Statement, Fault> {
        let effect = self
            .effect
            .ok_or_else(|| path.fault("has no Effect: every statement must say Allow or Deny"))?;
        let principals = Pair::read(path, "Principal", [self.principal, self.not_principal])?;
        let actions = Pair::read(path, "Action", [self.action, self.not_action])?;
        let resources = Pair::read(path, "Resource", [self.resource, self.not_resource])?;
        let (principals, resources) = match kind {
            Kind::Identity => {
                forbid(path, principals, "a policy of a user or a role is about them")?;
                (None, Some(required(path, resources, "Resource")?))
            }
            Kind::Trust => {
                forbid(path, resources, "a trust policy is about its role")?;
                (Some(required(path, principals, "Principal")?), None)
            }
        };
        let principals = principals.map(|it| it.listed(path, Principals::read)).transpose()?;
        if effect == Effect::Allow && principals.as_ref().is_some_and(|it| it.negated) {
            // AWS does not support it (reference_policies_elements_notprincipal).
            let fault = "would allow everybody else: it can only stand with the Effect Deny";
            return Err(path.member("NotPrincipal").fault(fault));
        }
        let actions = required(path, actions, "Action")?.listed(path, |value, path| {
            value.each(path, |value, path| read_action(value, path, kind))
        })?;
        let resources = resources.map(|it| {
            it.listed(path, |value, path| {
                value.each(path, |value, path| {
                    let resource = operand::resource(value.string(path)?, variables);
                    resource.map_err(|fault| path.fault(fault))
                })
            })
        });
        let conditions = self
            .condition
            .map(|value| Condition::read_all(value, &path.member("Condition"), variables));
        Ok(Statement {
            effect,
            principals,
            actions,
            resources: resources.transpose()?,
            conditions: conditions.transpose()?.unwrap_or_default(),
        })
    }
}

/// An element, or its negation.
struct Pair<'v> {
    name: &'static str,
    negated: bool,
    value: &'v Value,
}

impl<'v> Pair<'v> {
    fn read(
        path: &Path<'_>,
        name: &'static str,
        [positive, negative]: [Option<&'v Value>; 2],
    ) -> Result<Option<Self>, Fault> {
        let negation = negation(name);
        match (positive, negative) {
            (Some(_), Some(_)) => {
                Err(path.fault(format!("has both {name} and {negation}: one must go")))
            }
            (Some(value), None) => Ok(Some(Self { name, negated: false, value })),
            (None, Some(value)) => Ok(Some(Self { name: negation, negated: true, value })),
            (None, None) => Ok(None),
        }
    }

    fn listed<T>(
        self,
        path: &Path<'_>,
        read: impl Fn(&Value, &Path<'_>) -> Result<T, Fault>,
    ) -> Result<Listed<T>, Fault> {
        let items = read(self.value, &path.member(self.name))?;
        Ok(Listed { negated: self.negated, items })
    }
}

fn negation(name: &str) -> &'static str {
    match name {
        "Principal" => "NotPrincipal",
        "Action" => "NotAction",
        _ => "NotResource",
    }
}

fn required<'v>(path: &Path<'_>, pair: Option<Pair<'v>>, name: &str) -> Result<Pair<'v>, Fault> {
    pair.ok_or_else(|| path.fault(format!("has neither {name} nor {}", negation(name))))
}

fn forbid(path: &Path<'_>, pair: Option<Pair<'_>>, why: &str) -> Result<(), Fault> {
    match pair {
        Some(pair) => Err(path.member(pair.name).fault(format!("must not be here: {why}"))),
        None => Ok(()),
    }
}

fn read_sid<'v>(value: &'v Value, path: &Path<'_>) -> Result<&'v str, Fault> {
    let sid = value.string(path)?;
    if sid.bytes().all(|it| it.is_ascii_alphanumeric()) {
        return Ok(sid);
    }
    Err(path.fault(format!("'{}' must have only the characters A-Z, a-z and 0-9", shown(sid))))
}

fn read_effect(value: &Value, path: &Path<'_>) -> Result<Effect, Fault> {
    match value.string(path)? {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        other => Err(path.fault(format!("must be Allow or Deny, not '{}'", shown(other)))),
    }
}

fn read_action(value: &Value, path: &Path<'_>, kind: Kind) -> Result<Pattern, Fault> {
    let text = value.string(path)?;
    let action = operand::action(text).map_err(|fault| path.fault(fault))?;
    let service = text.split_once(':').map(|(service, _)| service);
    // IAM refuses trust policies with other services' actions, which no trust policy is asked about.
    if kind == Kind::Trust && !service.is_some_and(|it| it.eq_ignore_ascii_case("sts")) {
        let fault = "'{}' is no action of a trust policy: it must be one of STS, as sts:AssumeRole";
        return Err(path.fault(fault.replace("{}", &shown(text))));
    }
    Ok(action)
}
