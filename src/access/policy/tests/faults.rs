//! Everything that a document is refused for, with the path to it and what it says.

use super::*;

fn refused(document: &str, kind: Kind) -> Fault {
    match Policy::parse(document, kind) {
        Err(fault) => fault,
        Ok(policy) => panic!("{document} is taken: {policy:?}"),
    }
}

/// Puts members in the place of those of a good statement; null takes one away.
fn statement(kind: Kind, changes: &Value) -> Value {
    let mut statement = match kind {
        Kind::Identity => json!({"Effect": "Allow", "Action": "*", "Resource": "*"}),
        Kind::Trust => json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*"}),
    };
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(statement.as_object_mut().unwrap().remove(name)),
            _ => statement[name] = value.clone(),
        }
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

#[track_caller]
fn check(kind: Kind, rows: &[(Value, &str, &str)]) {
    for (changes, path, fault) in rows {
        let document = statement(kind, changes).to_string();
        let refusal = refused(&document, kind);
        let at = format!("Statement[0]{path}");
        assert_eq!(refusal.path, at, "{document}: {refusal}");
        assert!(refusal.fault.contains(fault), "{document}: {refusal}");
    }
}

#[test]
fn documents_that_are_no_policies() {
    #[rustfmt::skip]
    let rows = [
        ("", "", "is not JSON: EOF"),
        ("{", "", "is not JSON"),
        ("{} {}", "", "is not JSON: trailing characters"),
        ("[]", "", "must be an object, not a list"),
        ("null", "", "must be an object, not null"),
        ("{}", "", "has no Statement"),
        (r#"{"Statement": []}"#, "Statement", "is an empty list"),
        (r#"{"Statement": "x"}"#, "Statement", "must be an object, not a string"),
        (r#"{"Statement": {"Effect": "Deny", "Action": "*"}}"#, "Statement", "has neither Resource nor NotResource"),
        (r#"{"statement": []}"#, "statement", "is no element of a policy"),
        (r#"{"Version": 2012}"#, "Version", "must be a string, not a number"),
        (r#"{"Version": "2012-10-18", "Statement": []}"#, "Version", "must be 2012-10-17"),
        (r#"{"Id": true, "Statement": []}"#, "Id", "must be a string, not a boolean"),
        (r#"{"Version": "2012-10-17", "Version": "2012-10-17"}"#, "Version", "stands there twice"),
        (r#"{"Statement": [{"Effect": "Deny", "Effect": "Allow"}]}"#, "Statement[0].Effect", "stands there twice"),
        (r#"{"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"a:b": true, "a:b": false}}}}"#,
            "Statement.Condition.Bool.a:b", "stands there twice"),
        (r#"{"Statement": [{"Sid": "a", "Effect": "Deny", "Action": "*", "Resource": "*"}, {"Sid": "a", "Effect": "Deny", "Action": "*", "Resource": "*"}]}"#,
            "Statement[1].Sid", "is 'a', as that of a statement before it"),
    ];
    for (document, path, fault) in rows {
        let refusal = refused(document, Kind::Identity);
        assert_eq!(refusal.path, path, "{document}: {refusal}");
        assert!(refusal.fault.contains(fault), "{document}: {refusal}");
        // What is not of a statement is refused of both kinds.
        if !document.contains("Effect") {
            assert_eq!(refused(document, Kind::Trust), refusal);
        }
    }
    let twice = refused(rows.last().unwrap().0, Kind::Identity);
    assert_eq!(twice.to_string(), "Statement[1].Sid is 'a', as that of a statement before it");
    assert_eq!(refused("{}", Kind::Trust).to_string(), "The policy has no Statement");
}

#[test]
fn statements_that_are_malformed() {
    #[rustfmt::skip]
    check(Kind::Identity, &[
        (json!({"Effect": null}), "", "has no Effect"),
        (json!({"Effect": "allow"}), ".Effect", "must be Allow or Deny, not 'allow'"),
        (json!({"Effect": ["Allow"]}), ".Effect", "must be a string, not a list"),
        (json!({"effect": "Allow"}), ".effect", "is no element of a statement"),
        (json!({"Sid": "an id"}), ".Sid", "'an id' must have only the characters"),
        (json!({"Action": null}), "", "has neither Action nor NotAction"),
        (json!({"NotAction": "*"}), "", "has both Action and NotAction"),
        (json!({"Action": []}), ".Action", "is an empty list"),
        (json!({"Action": 5}), ".Action", "must be a string, not a number"),
        (json!({"Action": ["iam:*", "ListAccounts"]}), ".Action[1]", "'ListAccounts' is no action"),
        (json!({"Action": "chime:"}), ".Action", "is no action"),
        (json!({"Action": "ch*:x"}), ".Action", "is no action"),
        (json!({"Action": "chime:x y"}), ".Action", "is no action"),
        (json!({"Action": "chime:${aws:username}"}), ".Action", "is no action"),
        (json!({"Action": "**"}), ".Action", "is no action"),
        (json!({"Action": ""}), ".Action", "is no action"),
        (json!({"Resource": null}), "", "has neither Resource nor NotResource"),
        (json!({"NotResource": "*"}), "", "has both Resource and NotResource"),
        (json!({"Resource": []}), ".Resource", "is an empty list"),
        (json!({"Resource": {}}), ".Resource", "must be a string, not an object"),
        (json!({"Resource": ["*", "x"]}), ".Resource[1]", "'x' is no ARN"),
        (json!({"Resource": ""}), ".Resource", "is no ARN"),
        (json!({"Resource": "**"}), ".Resource", "is no ARN"),
        (json!({"Resource": "arn:aws:iam::1"}), ".Resource", "is no ARN"),
        (json!({"Resource": "arn:aws:*"}), ".Resource", "is no ARN"),
        (json!({"Resource": "arn:aws:i*m::1:user/x"}), ".Resource", "is no ARN"),
        (json!({"Resource": "arn:aws:::1:user/x"}), ".Resource", "is no ARN"),
        (json!({"Resource": "arn::iam::1:user/x"}), ".Resource", "is no ARN"),
        (json!({"Resource": "a*:aws:iam::1:user/x"}), ".Resource", "is no ARN"),
        (json!({"Resource": format!("arn:aws:iam::{}:user/x", "1".repeat(65))}), ".Resource", "is no ARN"),
        (json!({"Resource": "arn:aws:iam::${aws:PrincipalAccount}:user/x"}), ".Resource", "before the ARN's fifth colon"),
        (json!({"Resource": "arn:aws:iam::1:user/${aws:username"}), ".Resource", "a policy variable without an end"),
        (json!({"Resource": "arn:aws:iam::1:user/${username}"}), ".Resource", "'${username}', which is no condition key"),
        (json!({"Resource": "arn:aws:iam::1:user/${}"}), ".Resource", "which is no condition key"),
        (json!({"Resource": "arn:aws:iam::1:user/${aws:username, x}"}), ".Resource", "single quotation marks"),
        (json!({"Principal": "*"}), ".Principal", "must not be here"),
        (json!({"NotPrincipal": "*"}), ".NotPrincipal", "must not be here"),
        (json!({"Condition": []}), ".Condition", "must be an object, not a list"),
        (json!({"Condition": "x"}), ".Condition", "must be an object, not a string"),
    ]);
}

#[test]
fn conditions_that_are_malformed() {
    let condition =
        |operator: &str, key: &str, value: Value| json!({"Condition": {operator: {key: value}}});
    #[rustfmt::skip]
    let operators = ["stringEquals", "StringEquals ", "StringMatches", "NullIfExists", "ForAnyValue:Null", "ForAllValues:",
        "ForEachValue:StringEquals", "StringEqualsIfExistsIfExists", "IfExistsStringEquals", "IfExists", "", "ForAnyValue:ForAnyValue:Bool",
        "BinaryNotEquals", "BinaryLike", "NotBool", "StringEqualsIfexists"];
    for operator in operators {
        let rows = [(
            condition(operator, "aws:username", json!("x")),
            &*format!(".Condition.{operator}"),
            "is no condition operator",
        )];
        check(Kind::Identity, &rows);
    }
    #[rustfmt::skip]
    check(Kind::Identity, &[
        (json!({"Condition": {"StringEquals": {}}}), ".Condition.StringEquals", "is empty"),
        (json!({"Condition": {"StringEquals": "x"}}), ".Condition.StringEquals", "must be an object"),
        (condition("StringEquals", "username", json!("x")), ".Condition.StringEquals.username", "is no condition key"),
        (condition("StringEquals", "aws:", json!("x")), ".Condition.StringEquals.aws:", "is no condition key"),
        (condition("StringEquals", "aws:username", json!([])), ".Condition.StringEquals.aws:username", "is an empty list"),
        (condition("StringEquals", "aws:username", json!(null)), ".Condition.StringEquals.aws:username", "not null"),
        (condition("StringEquals", "aws:username", json!(["x", ["y"]])), ".Condition.StringEquals.aws:username[1]", "not a list"),
        (condition("StringEquals", "aws:username", json!("${")), ".Condition.StringEquals.aws:username", "without an end"),
        (condition("NumericEquals", "a:b", json!(["1", "one"])), ".Condition.NumericEquals.a:b[1]", "must be a number, such as 10, not 'one'"),
        (condition("NumericEquals", "a:b", json!("nan")), ".Condition.NumericEquals.a:b", "must be a number"),
        (condition("NumericEquals", "a:b", json!("inf")), ".Condition.NumericEquals.a:b", "must be a number"),
        (condition("NumericEquals", "a:b", json!("${aws:EpochTime}")), ".Condition.NumericEquals.a:b", "must be a number"),
        (condition("NumericEquals", "a:b", json!(true)), ".Condition.NumericEquals.a:b", "not 'true'"),
        (condition("DateEquals", "a:b", json!("yesterday")), ".Condition.DateEquals.a:b", "must be a time"),
        (condition("DateEquals", "a:b", json!("")), ".Condition.DateEquals.a:b", "must be a time"),
        (condition("DateEquals", "a:b", json!("2020-13-01")), ".Condition.DateEquals.a:b", "must be a time"),
        (condition("DateEquals", "a:b", json!("2020-01-01T00:00:00")), ".Condition.DateEquals.a:b", "must be a time"),
        (condition("DateEquals", "a:b", json!("2020-01-01T25:00:00Z")), ".Condition.DateEquals.a:b", "must be a time"),
        (condition("DateEquals", "a:b", json!("99999999999999999999")), ".Condition.DateEquals.a:b", "must be a time"),
        (condition("DateEquals", "a:b", json!("2020-*")), ".Condition.DateEquals.a:b", "must be a time"),
        (condition("Bool", "a:b", json!("yes")), ".Condition.Bool.a:b", "must be true or false"),
        (condition("Bool", "a:b", json!(1)), ".Condition.Bool.a:b", "must be true or false"),
        (condition("Null", "a:b", json!("maybe")), ".Condition.Null.a:b", "must be true or false"),
        (condition("BinaryEquals", "a:b", json!("?")), ".Condition.BinaryEquals.a:b", "must be bytes in base64"),
        (condition("IpAddress", "a:b", json!("10.0.0.0/33")), ".Condition.IpAddress.a:b", "must be an address"),
        (condition("IpAddress", "a:b", json!("10.0.0")), ".Condition.IpAddress.a:b", "must be an address"),
        (condition("IpAddress", "a:b", json!("*")), ".Condition.IpAddress.a:b", "must be an address"),
        (condition("NotIpAddress", "a:b", json!("2001:db8::/129")), ".Condition.NotIpAddress.a:b", "must be an address"),
        (condition("ArnEquals", "a:b", json!("ann")), ".Condition.ArnEquals.a:b", "'ann' is no ARN"),
        (condition("ArnEquals", "a:b", json!(7)), ".Condition.ArnEquals.a:b", "must be a string"),
        (condition("ArnLike", "a:b", json!("arn:aws:iam::*")), ".Condition.ArnLike.a:b", "with all six parts"),
        (condition("ArnNotLike", "a:b", json!("arn:aws:*:::x")), ".Condition.ArnNotLike.a:b", "is no ARN"),
        (condition("ArnLike", "a:b", json!("${aws:PrincipalArn}")), ".Condition.ArnLike.a:b", "is no ARN"),
    ]);
}

#[test]
fn trust_policies_that_are_malformed() {
    #[rustfmt::skip]
    check(Kind::Trust, &[
        (json!({"Principal": null}), "", "has neither Principal nor NotPrincipal"),
        (json!({"Effect": "Deny", "NotPrincipal": "*"}), "", "has both Principal and NotPrincipal"),
        (json!({"Principal": null, "NotPrincipal": "*"}), ".NotPrincipal", "only stand with the Effect Deny"),
        (json!({"Principal": "ann"}), ".Principal", "must be '*' or an object"),
        (json!({"Principal": ["*"]}), ".Principal", "must be an object, not a list"),
        (json!({"Principal": {}}), ".Principal", "must have AWS"),
        (json!({"Principal": {"AWS": []}}), ".Principal.AWS", "is an empty list"),
        (json!({"Principal": {"aws": "*"}}), ".Principal.aws", "is no kind of principals"),
        (json!({"Principal": {"Service": "ec2.amazonaws.com"}}), ".Principal.Service", "that Campanile does not have"),
        (json!({"Principal": {"AWS": ["*", "12345"]}}), ".Principal.AWS[1]", "'12345' is no principal"),
        (json!({"Principal": {"AWS": "arn:aws:iam::111122223333:user/*"}}), ".Principal.AWS", "is no principal"),
        (json!({"Principal": {"AWS": "arn:aws:iam::111122223333:user/"}}), ".Principal.AWS", "is no principal"),
        (json!({"Principal": {"AWS": "arn:aws:iam::111122223333:group/x"}}), ".Principal.AWS", "is no principal"),
        (json!({"Principal": {"AWS": "arn:aws:iam::aws:policy/x"}}), ".Principal.AWS", "is no principal"),
        (json!({"Principal": {"AWS": 111_122_223_333_u64}}), ".Principal.AWS", "must be a string"),
        (json!({"Resource": "*"}), ".Resource", "must not be here"),
        (json!({"NotResource": "*"}), ".NotResource", "must not be here"),
        (json!({"Action": "*"}), ".Action", "is no action of a trust policy"),
        (json!({"Action": ["sts:AssumeRole", "chime:GetUser"]}), ".Action[1]", "is no action of a trust policy"),
    ]);
}

#[test]
fn documents_are_limited() {
    let good = |spaces: usize| {
        format!(
            r#"{{"Statement": {{"Effect": "Deny", "Action": "*", "Resource": "*"}}{}}}"#,
            " ".repeat(spaces)
        )
    };
    let short = good(0);
    assert_eq!(characters(&short), 59);
    let longest = good(DOCUMENT_BYTES_MAX - short.len());
    assert_eq!(characters(&longest), 59);
    Policy::parse(&longest, Kind::Identity).unwrap();
    let fault = refused(&good(DOCUMENT_BYTES_MAX - short.len() + 1), Kind::Identity);
    assert_eq!(fault.to_string(), "The policy is 131073 bytes long: 131072 are the most");
    // How deep a document goes is limited too.
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(refused(&deep, Kind::Identity).fault.contains("recursion limit"));
    // Nor does a fault repeat all that it is about.
    let long = statement(Kind::Identity, &json!({"Action": "ü".repeat(9_000)})).to_string();
    let fault = refused(&long, Kind::Identity).to_string();
    assert!(fault.len() < 600 && fault.contains("ü…"), "{fault}");
    let long = statement(Kind::Identity, &json!({"ü".repeat(9_000): 1})).to_string();
    assert!(refused(&long, Kind::Identity).to_string().len() < 600);
}
