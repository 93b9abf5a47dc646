//! The service model of AWS, as botocore ships it: what the API must be, read when tests run.
//!
//! Beside it stand the extension operations, which AWS never had, in the same form
//! (`extensions.json`), so that whatever is tested by the model is tested of them.
//!
//! It is an oracle and never a part of the server. A test without it would prove nothing, so that
//! its absence fails every test that asks it.

mod answer;
pub mod aws;

pub use answer::{Seen, check, common_error};

use flate2::read::GzDecoder;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Where the model stands in botocore's folder.
const FOLDER: &str = "data/chime/2018-05-01";

/// The model: its operations and its shapes, by their names.
#[derive(Deserialize)]
pub struct Model {
    pub operations: BTreeMap<String, Operation>,
    pub shapes: BTreeMap<String, Shape>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub name: String,
    pub http: Http,
    pub input: Option<Reference>,
    pub output: Option<Reference>,
    /// An extension operation names none: it may answer every error that the model knows.
    #[serde(default)]
    pub errors: Vec<Reference>,
    #[serde(rename = "documentation")]
    _documentation: Option<String>,
    #[serde(rename = "deprecated")]
    _deprecated: Option<bool>,
    #[serde(rename = "deprecatedMessage")]
    _deprecated_message: Option<String>,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Http {
    pub method: String,
    pub request_uri: String,
    #[serde(default = "ok")]
    pub response_code: u16,
}

fn ok() -> u16 {
    200
}

/// A shape. A key that is not read here fails the test: it could be a constraint.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: Kind,
    #[serde(default)]
    pub members: BTreeMap<String, Reference>,
    #[serde(default)]
    pub required: Vec<String>,
    pub member: Option<Reference>,
    #[serde(rename = "enum")]
    pub values: Option<Vec<String>>,
    pub min: Option<usize>,
    pub max: Option<usize>,
    pub pattern: Option<String>,
    #[serde(default)]
    pub sensitive: bool,
    pub timestamp_format: Option<String>,
    pub error: Option<ErrorTrait>,
    #[serde(rename = "exception")]
    _exception: Option<bool>,
    #[serde(rename = "fault")]
    _fault: Option<bool>,
    #[serde(rename = "documentation")]
    _documentation: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Structure,
    List,
    String,
    Integer,
    Boolean,
    Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErrorTrait {
    pub http_status_code: u16,
}

/// A shape where it is used: as a member, a list's element, an input, an output or an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reference {
    #[serde(rename = "shape")]
    pub name: String,
    #[serde(default)]
    pub location: Location,
    pub location_name: Option<String>,
    #[serde(rename = "box")]
    _box: Option<bool>,
    #[serde(rename = "idempotencyToken")]
    _idempotency_token: Option<bool>,
    #[serde(rename = "documentation")]
    _documentation: Option<String>,
}

/// Where a member of a request stands.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    #[default]
    Body,
    Uri,
    QueryString,
}

/// Returns the model, read once.
pub fn model() -> &'static Model {
    static MODEL: LazyLock<Result<Model, String>> = LazyLock::new(read);
    match &*MODEL {
        Ok(model) => model,
        Err(reason) => absent(reason),
    }
}

fn read() -> Result<Model, String> {
    let path = path_of_model()?;
    let fault = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
    let bytes = fs::read(&path).map_err(|error| fault(&error))?;
    let model: Result<Model, _> = if path.extension().is_some_and(|extension| extension == "gz") {
        serde_json::from_reader(GzDecoder::new(bytes.as_slice()))
    } else {
        serde_json::from_slice(&bytes)
    };
    model.map(Model::with_extensions).map_err(|error| fault(&error))
}

impl Operation {
    pub fn is_extension(&self) -> bool {
        self.http.request_uri.starts_with("/campanile/")
    }
}

impl Model {
    /// Adds what Campanile has and AWS has not.
    fn with_extensions(mut self) -> Self {
        let extensions: Self = serde_json::from_str(include_str!("extensions.json")).unwrap();
        self.operations.extend(extensions.operations);
        for (name, shape) in extensions.shapes {
            assert!(self.shapes.insert(name.clone(), shape).is_none(), "AWS has a {name}, too");
        }
        self
    }

    pub fn shape(&self, reference: &Reference) -> &Shape {
        &self.shapes[&reference.name]
    }

    /// Returns the members of an operation's request.
    pub fn input(&self, operation: &Operation) -> Option<&Shape> {
        operation.input.as_ref().map(|input| self.shape(input))
    }

    /// Finds the operation that a request's target means, as the model's URIs have it.
    pub fn operation_at(&self, method: &str, target: &str) -> Option<&Operation> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.strip_prefix("/console").unwrap_or(path);
        let literal = query
            .split('&')
            .find(|pair| pair.starts_with("operation=") || pair.starts_with("type="));
        self.operations.values().find(|operation| {
            let uri = &operation.http.request_uri;
            let (template, query) = uri.split_once('?').unwrap_or((uri, ""));
            operation.http.method == method
                && literal.unwrap_or_default() == query
                && template.split('/').count() == path.split('/').count()
                && template
                    .split('/')
                    .zip(path.split('/'))
                    .all(|(template, segment)| template.starts_with('{') || template == segment)
        })
    }
}

/// Returns the Python that has botocore.
pub fn python() -> PathBuf {
    let environment = project().join(".tools/venv/bin/python");
    match std::env::var_os("TEST_PYTHON") {
        Some(python) => python.into(),
        None if environment.exists() => environment,
        None => "python3".into(),
    }
}

/// Fails a test that needs botocore.
pub fn absent(reason: &str) -> ! {
    panic!(
        "The tests compare the server with the service model of botocore, which is not here: \
         {reason}. `make test` installs it; or set TEST_PYTHON to a Python that has botocore, or \
         TEST_BOTOCORE_MODEL to its {FOLDER}/service-2.json.gz."
    )
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn path_of_model() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("TEST_BOTOCORE_MODEL") {
        return Ok(path.into());
    }
    let environment = fs::read_dir(project().join(".tools/venv/lib")).into_iter().flatten();
    let installed = environment
        .map(|version| version.unwrap().path().join("site-packages/botocore"))
        .find_map(|botocore| model_in(&botocore));
    match installed {
        Some(path) => Ok(path),
        None => imported_model(),
    }
}

/// Asks Python where its botocore is.
fn imported_model() -> Result<PathBuf, String> {
    let python = python();
    let program = "import botocore, os; print(os.path.dirname(botocore.__file__))";
    let output = Command::new(&python)
        .args(["-c", program])
        .output()
        .map_err(|error| format!("{}: {error}", python.display()))?;
    if !output.status.success() {
        return Err(format!("{} has no botocore", python.display()));
    }
    let botocore = String::from_utf8_lossy(&output.stdout);
    model_in(Path::new(botocore.trim())).ok_or_else(|| format!("{botocore} has no {FOLDER}"))
}

fn model_in(botocore: &Path) -> Option<PathBuf> {
    let names = ["service-2.json", "service-2.json.gz"];
    names.map(|name| botocore.join(FOLDER).join(name)).into_iter().find(|path| path.exists())
}
