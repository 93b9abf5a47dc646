//! Shapes that the model calls sensitive: what they hold shows in no log.

use super::generate::{good, reachable};
use super::operations;
use crate::model::model;
use campanile::protocol::shapes::{EmailAddress, SensitiveString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Debug;

#[test]
fn a_sensitive_shape_does_not_show_what_it_holds() {
    let mut shapes = BTreeSet::new();
    for operation in operations() {
        let ends = operation.input.iter().chain(&operation.output);
        ends.for_each(|end| reachable(end, &mut shapes));
    }
    let sensitive = shapes.into_iter().filter(|name| model().shapes[*name].sensitive);
    let mut shown = 0;
    for name in sensitive {
        for value in good(&model().shapes[name]) {
            let text = value.as_str().unwrap().to_owned();
            assert_eq!(debug_of(name, value), "***", "{name} {text}");
            shown += 1;
        }
    }
    assert!(shown > 0);
}

/// Writes a value of a shape as a log would.
fn debug_of(shape: &str, value: Value) -> String {
    fn debug<T: DeserializeOwned + Debug>(value: Value) -> String {
        format!("{:?}", serde_json::from_value::<T>(value).unwrap())
    }
    match shape {
        "EmailAddress" => debug::<EmailAddress>(value),
        "SensitiveString" => debug::<SensitiveString>(value),
        other => panic!("{other} is sensitive: it needs a line here"),
    }
}
