//! What AWS documents, row by row. Each row begins with the page of the IAM User Guide that says it,
//! without `reference_policies_`.

use super::*;
use Decision::{Allowed, ExplicitDeny, ImplicitDeny};

/// Conditions, with what the request's context has, and whether they hold.
type ConditionRow = (&'static str, &'static str, &'static Entries<'static>, bool);

#[rustfmt::skip]
const CONDITIONS: &[ConditionRow] = &[
    // Strings.
    ("operators", r#"{"StringEquals": {"aws:username": "ann"}}"#, &[("aws:username", &["ann"])], true),
    ("operators", r#"{"StringEquals": {"aws:username": "ann"}}"#, &[("aws:username", &["Ann"])], false),
    ("operators", r#"{"StringEquals": {"aws:username": "a*"}}"#, &[("aws:username", &["ann"])], false),
    ("operators", r#"{"StringEquals": {"aws:username": "a*"}}"#, &[("aws:username", &["a*"])], true),
    ("operators", r#"{"StringNotEquals": {"aws:username": "ann"}}"#, &[("aws:username", &["ann"])], false),
    ("operators", r#"{"StringNotEquals": {"aws:username": "ann"}}"#, &[("aws:username", &["bob"])], true),
    ("operators", r#"{"StringEqualsIgnoreCase": {"aws:username": "aNN"}}"#, &[("aws:username", &["Ann"])], true),
    ("operators", r#"{"StringEqualsIgnoreCase": {"aws:username": "MÜLLER"}}"#, &[("aws:username", &["müller"])], true),
    ("operators", r#"{"StringEqualsIgnoreCase": {"aws:username": "ann"}}"#, &[("aws:username", &["anna"])], false),
    ("operators", r#"{"StringNotEqualsIgnoreCase": {"aws:username": "aNN"}}"#, &[("aws:username", &["Ann"])], false),
    ("operators", r#"{"StringLike": {"aws:username": "a?n*"}}"#, &[("aws:username", &["ann"])], true),
    ("operators", r#"{"StringLike": {"aws:username": "a?n*"}}"#, &[("aws:username", &["an"])], false),
    ("operators", r#"{"StringLike": {"aws:username": "ann"}}"#, &[("aws:username", &["anna"])], false),
    ("operators", r#"{"StringLike": {"aws:username": "A*"}}"#, &[("aws:username", &["ann"])], false),
    ("operators", r#"{"StringNotLike": {"aws:username": "a*"}}"#, &[("aws:username", &["ann"])], false),
    ("operators", r#"{"StringNotLike": {"aws:username": "a*"}}"#, &[("aws:username", &["bob"])], true),
    // Numbers.
    ("operators", r#"{"NumericEquals": {"s3:max-keys": "10"}}"#, &[("s3:max-keys", &["10.0"])], true),
    ("grammar", r#"{"NumericEquals": {"s3:max-keys": 10}}"#, &[("s3:max-keys", &["10"])], true),
    ("operators", r#"{"NumericNotEquals": {"s3:max-keys": 10}}"#, &[("s3:max-keys", &["10"])], false),
    ("operators", r#"{"NumericLessThan": {"s3:max-keys": 10}}"#, &[("s3:max-keys", &["10"])], false),
    ("operators", r#"{"NumericLessThan": {"s3:max-keys": 10}}"#, &[("s3:max-keys", &["9.5"])], true),
    ("operators", r#"{"NumericLessThan": {"s3:max-keys": 10}}"#, &[("s3:max-keys", &["-3"])], true),
    ("operators", r#"{"NumericLessThanEquals": {"s3:max-keys": "10"}}"#, &[("s3:max-keys", &["10"])], true),
    ("operators", r#"{"NumericGreaterThan": {"s3:max-keys": 10}}"#, &[("s3:max-keys", &["10"])], false),
    ("operators", r#"{"NumericGreaterThanEquals": {"s3:max-keys": 10}}"#, &[("s3:max-keys", &["10"])], true),
    ("operators", r#"{"NumericEquals": {"s3:max-keys": 10}}"#, &[("s3:max-keys", &["ten"])], false),
    ("operators", r#"{"NumericNotEquals": {"s3:max-keys": 10}}"#, &[("s3:max-keys", &["ten"])], true),
    // Times.
    ("operators", r#"{"DateEquals": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}"#, &[("aws:CurrentTime", &["2020-01-01T01:00:00+01:00"])], true),
    ("operators", r#"{"DateEquals": {"aws:CurrentTime": "1577836800"}}"#, &[("aws:CurrentTime", &["2020-01-01T00:00Z"])], true),
    ("operators", r#"{"DateEquals": {"aws:EpochTime": 1577836800}}"#, &[("aws:EpochTime", &["1577836800"])], true),
    ("operators", r#"{"DateEquals": {"aws:CurrentTime": "2020-01-01"}}"#, &[("aws:CurrentTime", &["2020-01-01T00:00:00.000Z"])], true),
    ("operators", r#"{"DateEquals": {"aws:CurrentTime": ["2020-01", "2021"]}}"#, &[("aws:CurrentTime", &["2021-01-01T00:00:00Z"])], true),
    ("operators", r#"{"DateNotEquals": {"aws:CurrentTime": "2020-01-01"}}"#, &[("aws:CurrentTime", &["2020-01-01T00:00:00Z"])], false),
    ("operators", r#"{"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:01Z"}}"#, &[("aws:CurrentTime", &["2020-01-01T00:00:00.999Z"])], true),
    ("operators", r#"{"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:01Z"}}"#, &[("aws:CurrentTime", &["2020-01-01T00:00:01Z"])], false),
    ("operators", r#"{"DateLessThanEquals": {"aws:CurrentTime": "2020-01-01T00:00:01Z"}}"#, &[("aws:CurrentTime", &["2020-01-01T00:00:01Z"])], true),
    ("operators", r#"{"DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}}"#, &[("aws:TokenIssueTime", &["2020-01-02T00:00:00Z"])], true),
    ("operators", r#"{"DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}}"#, &[("aws:TokenIssueTime", &["2020-01-01T00:00:01Z"])], false),
    ("operators", r#"{"DateGreaterThanEquals": {"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}}"#, &[("aws:TokenIssueTime", &["2020-01-01T00:00:01Z"])], true),
    ("operators", r#"{"DateGreaterThan": {"aws:TokenIssueTime": "2020-01-01T00:00:01Z"}}"#, &[("aws:TokenIssueTime", &["soon"])], false),
    // Booleans and bytes.
    ("operators", r#"{"Bool": {"aws:SecureTransport": "false"}}"#, &[("aws:SecureTransport", &["false"])], true),
    ("grammar", r#"{"Bool": {"aws:SecureTransport": true}}"#, &[("aws:SecureTransport", &["true"])], true),
    ("operators", r#"{"Bool": {"aws:SecureTransport": true}}"#, &[("aws:SecureTransport", &["false"])], false),
    ("operators", r#"{"BinaryEquals": {"key:x": "QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}"#, &[("key:x", &["QmluYXJ5VmFsdWVJbkJhc2U2NA=="])], true),
    ("operators", r#"{"BinaryEquals": {"key:x": "QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}"#, &[("key:x", &["qmluYXJ5VmFsdWVJbkJhc2U2NA=="])], false),
    // Addresses.
    ("operators", r#"{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}"#, &[("aws:SourceIp", &["203.0.113.255"])], true),
    ("operators", r#"{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}"#, &[("aws:SourceIp", &["203.0.114.0"])], false),
    ("operators", r#"{"IpAddress": {"aws:SourceIp": "203.0.113.7"}}"#, &[("aws:SourceIp", &["203.0.113.7"])], true),
    ("operators", r#"{"IpAddress": {"aws:SourceIp": "203.0.113.7"}}"#, &[("aws:SourceIp", &["203.0.113.8"])], false),
    ("operators", r#"{"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:DB8:1234:5678::/64"]}}"#, &[("aws:SourceIp", &["2001:db8:1234:5678:ffff::1"])], true),
    ("operators", r#"{"IpAddress": {"aws:SourceIp": "2001:DB8:1234:5678::/64"}}"#, &[("aws:SourceIp", &["2001:db8:1234:5679::"])], false),
    ("operators", r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#, &[("aws:SourceIp", &["2001:db8::1"])], false),
    ("operators", r#"{"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "203.0.113.0/24"]}}"#, &[("aws:SourceIp", &["203.0.113.1"])], false),
    ("operators", r#"{"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "203.0.113.0/24"]}}"#, &[("aws:SourceIp", &["198.51.100.1"])], true),
    // Our own: an IPv4 address in IPv6's clothes is the IPv4 address.
    ("ours", r#"{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}"#, &[("aws:SourceIp", &["::ffff:203.0.113.9"])], true),
    ("ours", r#"{"IpAddress": {"aws:SourceIp": "::ffff:203.0.113.0/120"}}"#, &[("aws:SourceIp", &["203.0.113.9"])], true),
    ("ours", r#"{"IpAddress": {"aws:SourceIp": "::/0"}}"#, &[("aws:SourceIp", &["203.0.113.9"])], false),
    // ARNs.
    ("operators", r#"{"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:user/a?n"}}"#, &[("aws:PrincipalArn", &["arn:aws:iam::111122223333:user/ann"])], true),
    ("operators", r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/Ann"}}"#, &[("aws:PrincipalArn", &["arn:aws:iam::111122223333:user/ann"])], false),
    ("operators", r#"{"ArnLike": {"aws:SourceArn": "arn:aws:someservice:*:111122223333:finance/*"}}"#, &[("aws:SourceArn", &["arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"])], false),
    ("operators", r#"{"StringLike": {"aws:SourceArn": "arn:aws:someservice:*:111122223333:finance/*"}}"#, &[("aws:SourceArn", &["arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"])], true),
    ("operators", r#"{"ArnLike": {"aws:SourceArn": "arn:aws:logs:*:*:group:*"}}"#, &[("aws:SourceArn", &["arn:aws:logs:eu:1:group:a:b"])], true),
    ("operators", r#"{"ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}}"#, &[("aws:PrincipalArn", &["arn:aws:iam::111122223333:user/ann"])], false),
    ("operators", r#"{"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}}"#, &[("aws:PrincipalArn", &["arn:aws:iam::111122223333:role/r"])], true),
    ("operators", r#"{"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/*"}}"#, &[("aws:PrincipalArn", &["nobody"])], false),
    // Keys have no case.
    ("condition-keys", r#"{"StringEquals": {"AWS:UserName": "ann"}}"#, &[("aws:username", &["ann"])], true),
    // A key that is not there.
    ("operators", r#"{"StringEquals": {"aws:username": "ann"}}"#, &[], false),
    ("operators", r#"{"StringLike": {"aws:username": "*"}}"#, &[], false),
    ("operators", r#"{"StringNotEquals": {"aws:username": "ann"}}"#, &[], true),
    ("operators", r#"{"StringNotEqualsIgnoreCase": {"aws:username": "ann"}}"#, &[], true),
    ("operators", r#"{"StringNotLike": {"aws:username": "*"}}"#, &[], true),
    ("operators", r#"{"NumericLessThan": {"s3:max-keys": 10}}"#, &[], false),
    ("operators", r#"{"NumericNotEquals": {"s3:max-keys": 10}}"#, &[], true),
    ("operators", r#"{"DateLessThan": {"aws:TokenIssueTime": "2030"}}"#, &[], false),
    ("operators", r#"{"DateNotEquals": {"aws:TokenIssueTime": "2030"}}"#, &[], true),
    ("operators", r#"{"Bool": {"aws:MultiFactorAuthPresent": "false"}}"#, &[], false),
    ("operators", r#"{"BinaryEquals": {"key:x": "aGk="}}"#, &[], false),
    ("operators", r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#, &[], false),
    ("operators", r#"{"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#, &[], true),
    ("operators", r#"{"ArnLike": {"aws:SourceArn": "*"}}"#, &[], false),
    ("operators", r#"{"ArnNotLike": {"aws:SourceArn": "*"}}"#, &[], true),
    ("operators", r#"{"ArnNotEquals": {"aws:SourceArn": "arn:aws:iam::1:x"}}"#, &[], true),
    // IfExists.
    ("operators", r#"{"StringLikeIfExists": {"ec2:InstanceType": ["t1.*", "t2.*", "m3.*"]}}"#, &[], true),
    ("operators", r#"{"StringLikeIfExists": {"ec2:InstanceType": ["t1.*", "t2.*", "m3.*"]}}"#, &[("ec2:InstanceType", &["t2.big"])], true),
    ("operators", r#"{"StringLikeIfExists": {"ec2:InstanceType": ["t1.*", "t2.*", "m3.*"]}}"#, &[("ec2:InstanceType", &["t2"])], false),
    ("operators", r#"{"StringNotEqualsIfExists": {"aws:username": "ann"}}"#, &[], true),
    ("operators", r#"{"StringNotEqualsIfExists": {"aws:username": "ann"}}"#, &[("aws:username", &["ann"])], false),
    ("operators", r#"{"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}"#, &[], true),
    ("operators", r#"{"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}}"#, &[("aws:SourceIp", &["11.0.0.0"])], false),
    ("operators", r#"{"StringLikeIfExists": {"a:b": "x"}, "StringEquals": {"c:d": "x"}}"#, &[], false),
    // Null.
    ("operators", r#"{"Null": {"aws:TokenIssueTime": "true"}}"#, &[], true),
    ("operators", r#"{"Null": {"aws:TokenIssueTime": "true"}}"#, &[("aws:TokenIssueTime", &["2020"])], false),
    ("operators", r#"{"Null": {"aws:TokenIssueTime": false}}"#, &[], false),
    ("operators", r#"{"Null": {"aws:TokenIssueTime": false}}"#, &[("aws:TokenIssueTime", &["2020"])], true),
    ("single-vs-multi", r#"{"Null": {"aws:TagKeys": true}}"#, &[("aws:TagKeys", &[])], true),
    // Many values in the policy are alternatives; with a negated operator, none may match.
    ("condition-logic", r#"{"StringEquals": {"aws:username": ["ann", "bob"]}}"#, &[("aws:username", &["bob"])], true),
    ("condition-logic", r#"{"StringNotEquals": {"aws:username": ["ann", "bob"]}}"#, &[("aws:username", &["bob"])], false),
    ("condition-logic", r#"{"StringNotEquals": {"aws:username": ["ann", "bob"]}}"#, &[("aws:username", &["eve"])], true),
    // Many keys and many operators must all hold.
    ("condition-logic", r#"{"StringEquals": {"a:b": "x", "c:d": "y"}}"#, &[("a:b", &["x"]), ("c:d", &["y"])], true),
    ("condition-logic", r#"{"StringEquals": {"a:b": "x", "c:d": "y"}}"#, &[("a:b", &["x"]), ("c:d", &["z"])], false),
    ("condition-logic", r#"{"StringEquals": {"a:b": "x"}, "StringNotEquals": {"c:d": "y"}}"#, &[("a:b", &["x"]), ("c:d", &["y"])], false),
    ("condition-logic", r#"{"StringEquals": {"a:b": "x"}, "StringNotEquals": {"c:d": "y"}}"#, &[("a:b", &["x"])], true),
    ("grammar", "{}", &[], true),
    // Many values in the request.
    ("single-vs-multi", r#"{"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "b"]}}"#, &[("aws:TagKeys", &["a1", "a2", "b"])], true),
    ("single-vs-multi", r#"{"ForAllValues:StringLike": {"aws:TagKeys": ["a*", "b"]}}"#, &[("aws:TagKeys", &["a1", "c"])], false),
    ("single-vs-multi", r#"{"ForAllValues:StringLike": {"aws:TagKeys": "a*"}}"#, &[], true),
    ("single-vs-multi", r#"{"ForAllValues:StringLike": {"aws:TagKeys": "a*"}}"#, &[("aws:TagKeys", &[])], true),
    ("single-vs-multi", r#"{"ForAllValues:StringEquals": {"aws:TagKeys": "a"}, "Null": {"aws:TagKeys": "false"}}"#, &[], false),
    ("single-vs-multi", r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#, &[("aws:TagKeys", &["x", "b"])], true),
    ("single-vs-multi", r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#, &[("aws:TagKeys", &["x", "y"])], false),
    ("single-vs-multi", r#"{"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}"#, &[], false),
    ("single-vs-multi", r#"{"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}"#, &[], false),
    ("single-vs-multi", r#"{"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}"#, &[("aws:TagKeys", &["a", "c"])], true),
    ("single-vs-multi", r#"{"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}"#, &[("aws:TagKeys", &["a", "b"])], false),
    ("single-vs-multi", r#"{"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}"#, &[("aws:TagKeys", &["c", "b"])], false),
    ("single-vs-multi", r#"{"ForAllValues:StringNotEquals": {"aws:TagKeys": ["a", "b"]}}"#, &[("aws:TagKeys", &["c", "d"])], true),
    ("single-vs-multi", r#"{"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": "a"}}"#, &[], true),
    ("single-vs-multi", r#"{"ForAllValues:ArnLike": {"a:arns": "arn:aws:iam::*:user/*"}}"#, &[("a:arns", &["arn:aws:iam::1:user/a", "arn:aws:iam::1:role/a"])], false),
    ("single-vs-multi", r#"{"ForAnyValue:NumericLessThan": {"a:numbers": 3}}"#, &[("a:numbers", &["5", "2"])], true),
    ("single-vs-multi", r#"{"ForAnyValue:IpAddress": {"a:addresses": "10.0.0.0/8"}}"#, &[("a:addresses", &["11.0.0.1", "10.0.0.1"])], true),
    // Ours: a negated operator stays the negation where AWS says that a set operator is needed.
    ("ours", r#"{"StringEquals": {"aws:TagKeys": "a"}}"#, &[("aws:TagKeys", &["a", "b"])], true),
    ("ours", r#"{"StringNotEquals": {"aws:TagKeys": "a"}}"#, &[("aws:TagKeys", &["a", "b"])], false),
    // Variables.
    ("variables", r#"{"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/"]}}"#, &[("s3:prefix", &["home/ann/"]), ("aws:username", &["ann"])], true),
    ("variables", r#"{"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/"]}}"#, &[("s3:prefix", &["home/bob/"]), ("aws:username", &["ann"])], false),
    ("variables", r#"{"StringEquals": {"a:b": "${AWS:UserName}"}}"#, &[("a:b", &["ann"]), ("aws:username", &["ann"])], true),
    ("variables", r#"{"StringEquals": {"a:b": "x${aws:username, 'anonymous'}"}}"#, &[("a:b", &["xanonymous"])], true),
    ("variables", r#"{"StringEquals": {"a:b": "x${aws:username,'anonymous'}"}}"#, &[("a:b", &["xann"]), ("aws:username", &["ann"])], true),
    ("variables", r#"{"StringEquals": {"a:b": "${aws:username, ''}"}}"#, &[("a:b", &[""])], true),
    ("variables", r#"{"StringEquals": {"a:b": "${aws:PrincipalTag/cost center}"}}"#, &[("a:b", &["7"]), ("aws:principaltag/cost center", &["7"])], true),
    ("variables", r#"{"StringEqualsIgnoreCase": {"a:b": "${aws:username}"}}"#, &[("a:b", &["ANN"]), ("aws:username", &["ann"])], true),
    ("variables", r#"{"StringLike": {"a:b": "${*}${?}${$}{x}*"}}"#, &[("a:b", &["*?${x}y"])], true),
    ("variables", r#"{"StringLike": {"a:b": "${*}${?}${$}{x}*"}}"#, &[("a:b", &["ab${x}y"])], false),
    ("variables", r#"{"StringEquals": {"a:b": "${*}"}}"#, &[("a:b", &["*"])], true),
    ("variables", r#"{"StringEquals": {"a:b": "$5 {x}"}}"#, &[("a:b", &["$5 {x}"])], true),
    ("variables", r#"{"ArnLike": {"a:arn": "arn:aws:sns:*:${aws:PrincipalAccount}:${aws:username}-*"}}"#, &[("a:arn", &["arn:aws:sns:eu:1:ann-x"]), ("aws:PrincipalAccount", &["1"]), ("aws:username", &["ann"])], true),
    ("variables", r#"{"ArnLike": {"a:arn": "arn:aws:sns:*:${aws:PrincipalAccount}:${aws:username}-*"}}"#, &[("a:arn", &["arn:aws:sns:eu:2:ann-x"]), ("aws:PrincipalAccount", &["1"]), ("aws:username", &["ann"])], false),
    ("variables", r#"{"StringLike": {"a:b": "x${aws:username}"}}"#, &[("a:b", &["x"])], false),
    ("variables", r#"{"StringLike": {"a:b": ["x${aws:username}", "x"]}}"#, &[("a:b", &["x"])], true),
    ("single-vs-multi", r#"{"StringEquals": {"a:b": "${aws:TagKeys}"}}"#, &[("a:b", &["x"]), ("aws:TagKeys", &["x", "y"])], false),
    // Ours: what a variable stands for has no wildcards.
    ("ours", r#"{"StringLike": {"a:b": "${aws:username}"}}"#, &[("a:b", &["ann"]), ("aws:username", &["*"])], false),
    ("ours", r#"{"StringLike": {"a:b": "${aws:username}"}}"#, &[("a:b", &["*"]), ("aws:username", &["*"])], true),
];

#[test]
fn conditions_hold_as_documented() {
    for (page, condition, entries, holds) in CONDITIONS {
        let parsed = serde_json::from_str(condition).unwrap();
        let held = condition_holds(&parsed, entries);
        assert_eq!(held, [*holds; 2], "{page}: {condition} with {entries:?}");
    }
}

#[test]
fn every_operator_is_in_the_matrix() {
    for family in [
        "StringEquals",
        "StringNotEquals",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
        "StringLike",
        "StringNotLike",
        "NumericEquals",
        "NumericNotEquals",
        "NumericLessThan",
        "NumericLessThanEquals",
        "NumericGreaterThan",
        "NumericGreaterThanEquals",
        "DateEquals",
        "DateNotEquals",
        "DateLessThan",
        "DateLessThanEquals",
        "DateGreaterThan",
        "DateGreaterThanEquals",
        "Bool",
        "BinaryEquals",
        "IpAddress",
        "NotIpAddress",
        "ArnEquals",
        "ArnLike",
        "ArnNotEquals",
        "ArnNotLike",
        "Null",
    ] {
        let name = format!("\"{family}\"");
        assert!(CONDITIONS.iter().any(|row| row.1.contains(&name)), "{family}");
        // Every operator but Null can be qualified.
        for qualified in [format!("{family}IfExists"), format!("ForAnyValue:{family}")] {
            let condition = json!({ &qualified: {"a:b": value_for(family)} });
            let document = json!({"Statement":
                {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}});
            let policy = Policy::parse(&document.to_string(), Kind::Identity);
            assert_eq!(policy.is_ok(), family != "Null", "{qualified}");
        }
    }
}

fn value_for(family: &str) -> &'static str {
    match family {
        _ if family.starts_with("Arn") => "*",
        _ if family.starts_with("Bool") => "true",
        _ if family.ends_with("IpAddress") => "10.0.0.0/8",
        _ => "2020",
    }
}

#[test]
fn what_a_variable_without_a_value_decides() {
    // variables: what is matched with it fails, and the statement can be invalid. Nothing is allowed
    // by it, and what denies all else denies.
    let condition = json!({"StringNotEquals": {"a:b": "x${aws:username}"}});
    assert_eq!(condition_holds(&condition, &[("a:b", &["y"])]), [false, true]);
    for (effect, decision) in [("Allow", ImplicitDeny), ("Deny", ExplicitDeny)] {
        let statement = json!({"Effect": effect, "Action": "*",
            "NotResource": "arn:aws:iam::111122223333:user/${aws:username}"});
        assert_eq!(ask_one(&statement, "iam:GetUser", ANN), decision);
        let statement = json!({"Effect": effect, "Action": "*",
            "Resource": ["arn:aws:iam::111122223333:user/${aws:username}"]});
        assert_eq!(ask_one(&statement, "iam:GetUser", ANN), ImplicitDeny);
    }
}

#[test]
fn versions_decide_whether_there_are_variables() {
    // variables: before 2012-10-17, and where nothing is said, ${…} means itself.
    for (version, value, decision) in [
        (Some("2012-10-17"), "ann", Allowed),
        (Some("2008-10-17"), "ann", ImplicitDeny),
        (None, "ann", ImplicitDeny),
        (Some("2008-10-17"), "${aws:username}", Allowed),
        (None, "${aws:username}", Allowed),
    ] {
        let mut document = json!({"Id": "cd3ad3d9-2776", "Statement": {"Sid": "1", "Effect": "Allow",
            "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"a:b": "${aws:username}"}}}});
        if let Some(version) = version {
            document["Version"] = version.into();
        }
        let policy = Policy::parse(&document.to_string(), Kind::Identity).unwrap();
        let entries: &Entries<'_> = &[("a:b", &[value]), ("aws:username", &["ann"])];
        assert_eq!(ask(&[policy], "a:b", "*", entries), decision, "{version:?} {value}");
    }
}

#[test]
fn actions_match_as_documented() {
    #[rustfmt::skip]
    let rows = [
        ("elements_action", json!("chime:ListAccounts"), "chime:ListAccounts", true),
        ("elements_action", json!("CHIME:listaccounts"), "chime:ListAccounts", true),
        ("elements_action", json!("chime:List*"), "chime:ListAccounts", true),
        ("elements_action", json!("chime:list*"), "chime:ListAccounts", true),
        ("elements_action", json!("iam:*AccessKey*"), "iam:CreateAccessKey", true),
        ("elements_action", json!("iam:*AccessKey*"), "iam:ListAccessKeys", true),
        ("elements_action", json!("iam:*AccessKey*"), "iam:CreateUser", false),
        ("elements_action", json!("chime:Get?ser"), "chime:GetUser", true),
        ("elements_action", json!("chime:Get?ser"), "chime:GetUsers", false),
        ("elements_action", json!(["chime:GetUser", "iam:*"]), "iam:GetUser", true),
        ("elements_action", json!("*"), "sts:AssumeRole", true),
        ("elements_action", json!("*:*"), "sts:AssumeRole", true),
        ("elements_action", json!("chime:*"), "campanile:ClaimDomain", false),
        ("elements_action", json!("chime:ListAccounts"), "chime:ListAccount", false),
    ];
    for (page, action, asked, matches) in rows {
        let allow = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
        let decision = if matches { Allowed } else { ImplicitDeny };
        assert_eq!(ask_one(&allow, asked, "*"), decision, "{page}: {action} {asked}");
        // elements_notaction: everything but those.
        let others = json!({"Effect": "Allow", "NotAction": action, "Resource": "*"});
        let decision = if matches { ImplicitDeny } else { Allowed };
        assert_eq!(ask_one(&others, asked, "*"), decision, "{page}: not {action} {asked}");
    }
}

#[test]
fn resources_match_as_documented() {
    #[rustfmt::skip]
    let rows = [
        ("elements_resource", "*", "*", true),
        ("elements_resource", "*", ANN, true),
        ("elements_resource", ANN, ANN, true),
        ("elements_resource", "arn:aws:iam::111122223333:user/Ann", ANN, false),
        ("elements_resource", "arn:aws:iam::111122223333:user/*", ANN, true),
        ("elements_resource", "arn:aws:iam::111122223333:user/*", "arn:aws:iam::111122223333:user/accounting/ann", true),
        ("elements_resource", "arn:aws:iam::111122223333:user/accounting/*", ANN, false),
        ("elements_resource", "arn:aws:iam::111122223333:*", ANN, true),
        ("elements_resource", "arn:aws:iam::*:user/ann", ANN, true),
        ("elements_resource", "arn:aws:iam::1111????3333:user/a?n", ANN, true),
        ("elements_resource", "arn:aws:iam::????:user/ann", ANN, false),
        ("elements_resource", "arn:*:iam::*:user/ann", ANN, true),
        ("elements_resource", "arn:aws:iam::444455556666:user/ann", ANN, false),
        ("elements_resource", "arn:aws:sts::*:*", ANN, false),
        // A wildcard stays in its part of the ARN, but at the part's end it goes on.
        ("elements_resource", "arn:aws:iam::*", ANN, true),
        ("elements_resource", "arn:aws:iam:*", ANN, true),
        ("elements_resource", "arn:aws:iam::1111*", ANN, true),
        ("elements_resource", "arn:aws:iam::1*3:user/ann", ANN, true),
        ("elements_resource", "arn:aws:iam::1*n:user/ann", "arn:aws:iam::1:user/n:user/ann", false),
        ("elements_resource", "arn:aws:iam::1*:user/ann", "arn:aws:iam::1:user/n:user/ann", true),
        // What is asked for no resource is in no ARN.
        ("elements_resource", "arn:aws:chime:*", "*", false),
        ("elements_resource", "arn:aws:chime:us-east-1:*:*", "*", false),
    ];
    for (page, resource, asked, matches) in rows {
        let allow = json!({"Effect": "Allow", "Action": "*", "Resource": [resource]});
        let decision = if matches { Allowed } else { ImplicitDeny };
        assert_eq!(ask_one(&allow, "iam:GetUser", asked), decision, "{page}: {resource} {asked}");
        // elements_notresource: everything but those.
        let others = json!({"Effect": "Allow", "Action": "*", "NotResource": resource});
        let decision = if matches { ImplicitDeny } else { Allowed };
        assert_eq!(ask_one(&others, "iam:GetUser", asked), decision, "{page}: not {resource}");
    }
}

#[test]
fn resources_have_variables() {
    // variables: each user may do this to their own keys.
    let statement = json!({"Effect": "Allow", "Action": "iam:*AccessKey*",
        "Resource": "arn:aws:iam::*:user/${aws:username}"});
    let entries: &Entries<'_> = &[("aws:username", &["ann"])];
    let policies = [identity(&statement)];
    assert_eq!(ask(&policies, "iam:CreateAccessKey", ANN, entries), Allowed);
    let bob = "arn:aws:iam::111122223333:user/bob";
    assert_eq!(ask(&policies, "iam:CreateAccessKey", bob, entries), ImplicitDeny);
    // A name with a wildcard is that of one user.
    let entries: &Entries<'_> = &[("aws:username", &["*"])];
    assert_eq!(ask(&policies, "iam:CreateAccessKey", ANN, entries), ImplicitDeny);
}

#[test]
fn statements_decide_as_documented() {
    let allow = json!({"Effect": "Allow", "Action": "chime:*", "Resource": "*"});
    let deny = json!({"Effect": "Deny", "Action": "chime:Delete*", "Resource": "*"});
    let rows = [
        ("evaluation-logic", json!([allow]), "chime:GetUser", Allowed),
        ("evaluation-logic", json!([allow]), "iam:GetUser", ImplicitDeny),
        ("evaluation-logic", json!([deny]), "chime:GetUser", ImplicitDeny),
        ("evaluation-logic", json!([deny]), "chime:DeleteAccount", ExplicitDeny),
        ("evaluation-logic", json!([allow, deny]), "chime:DeleteAccount", ExplicitDeny),
        ("evaluation-logic", json!([deny, allow]), "chime:DeleteAccount", ExplicitDeny),
        ("evaluation-logic", json!([deny, allow]), "chime:GetUser", Allowed),
    ];
    for (page, statements, action, decision) in rows {
        assert_eq!(ask_one(&statements, action, "*"), decision, "{page}: {statements} {action}");
    }
    // evaluation-logic: what no policy says is denied, and a denial in one outweighs all others.
    assert_eq!(ask(&[], "chime:GetUser", "*", &[]), ImplicitDeny);
    let policies = [identity(&allow), identity(&deny)];
    assert_eq!(ask(&policies, "chime:DeleteAccount", "*", &[]), ExplicitDeny);
    assert_eq!(ask(&policies, "chime:GetUser", "*", &[]), Allowed);
}

#[test]
fn keys_have_no_case_in_a_context() {
    let mut context = ConditionContext::new();
    context.insert("aws:TagKeys", "a");
    context.insert_all("AWS:tagkeys", vec!["b".to_owned(), "c".to_owned()]);
    assert_eq!(context.get("aws:TAGKEYS"), ["b", "c"]);
    assert!(context.get("aws:username").is_empty());
    context.insert_all("aws:tagKeys", Vec::new());
    assert!(context.get("aws:TagKeys").is_empty());
}
