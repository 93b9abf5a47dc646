//! The service models of IAM and STS, as botocore ships them: what the operations are held against that
//! are named after theirs.

use super::path_of_model;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::sync::LazyLock;

/// Returns the model of a service, read once.
pub fn service(name: &str) -> &'static Value {
    static IAM: LazyLock<Value> = LazyLock::new(|| read("iam/2010-05-08"));
    static STS: LazyLock<Value> = LazyLock::new(|| read("sts/2011-06-15"));
    match name {
        "iam" => &IAM,
        "sts" => &STS,
        other => panic!("nobody reads the model of {other}"),
    }
}

/// Returns the code and the status of an exception of IAM's.
pub fn iam_error(exception: &str) -> Option<(&'static str, u16)> {
    let error = service("iam")["shapes"].get(exception)?.get("error")?;
    let status = error["httpStatusCode"].as_u64()?.try_into().ok()?;
    Some((error["code"].as_str()?, status))
}

fn read(folder: &str) -> Value {
    let chime = path_of_model().unwrap_or_else(|reason| super::absent(&reason));
    let data = chime.ancestors().nth(3).unwrap();
    let path = data.join(folder).join("service-2.json.gz");
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_reader(GzDecoder::new(file)).unwrap()
}
