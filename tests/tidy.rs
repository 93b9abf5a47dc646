//! What reviewers would otherwise have to look for: layering, lengths, lists that have to be
//! complete, links, and what must not be in a file.

use campanile::operations::table;
use std::fs;
use std::path::{Path, PathBuf};

/// What is not the project's own text.
const SKIPPED: [&str; 6] =
    [".git", ".tools", "target", "node_modules", "campanile-data", "__pycache__"];
const LOCK_FILES: [&str; 2] = ["Cargo.lock", "package-lock.json"];
const LINES_MAX: usize = 500;
/// What the service model of botocore has.
const MODELLED_OPERATIONS: usize = 62;

/// Which modules a module may name. Those that are not here may name any.
const MAY_NAME: [(&str, &[&str]); 7] = [
    ("clock", &[]),
    // Whoever does something counts it: what is counted is a leaf, which knows of time alone.
    ("metrics", &["clock"]),
    ("store", &["metrics", "store"]),
    ("access", &["access", "clock", "metrics", "store"]),
    (
        "operations",
        &[
            "access",
            "clock",
            "operations",
            "protocol::decode",
            "protocol::error",
            "protocol::shapes",
            "store",
        ],
    ),
    ("protocol", &["access", "clock", "metrics", "operations", "protocol", "store"]),
    (
        "transfer",
        &[
            "client",
            "clock",
            "operations::transfer",
            "protocol::decode",
            "protocol::shapes",
            "store",
            "transfer",
        ],
    ),
];

/// A text of the project, with its path from the project's folder.
pub struct Text {
    pub path: String,
    pub text: String,
}

impl Text {
    fn is_under(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|it| it == extension)
    }

    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }

    /// Returns the module of the crate that a file of `src` belongs to.
    fn module(&self) -> &str {
        let path = self.path.strip_prefix("src/").unwrap();
        path.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// Returns the lines that are no comments, each with its number.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns all texts of the project.
fn texts() -> Vec<Text> {
    let mut texts = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let (entry, path) =
                entry.map(|entry| (entry.file_type().unwrap(), entry.path())).unwrap();
            let name = path.file_name().unwrap().to_str().unwrap();
            if SKIPPED.contains(&name) {
                continue;
            }
            if entry.is_dir() {
                folders.push(path);
            } else if let Some(text) =
                entry.is_file().then(|| fs::read_to_string(&path).ok()).flatten()
            {
                let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                texts.push(Text { path, text });
            }
        }
    }
    assert!(texts.iter().any(|text| text.path == "src/lib.rs"), "the project's texts are found");
    texts
}

pub fn sources() -> Vec<Text> {
    texts().into_iter().filter(|text| text.is_under("src/") && text.is_rust()).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fails with all that is wrong at once.
pub fn check(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Returns the paths that a line names inside the crate, the parts of a `use …::{…}` apart.
fn named_paths(line: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for rest in line.split("crate::").skip(1) {
        let end = rest.find(|it: char| !(it.is_alphanumeric() || "_:".contains(it)));
        let (path, rest) = rest.split_at(end.unwrap_or(rest.len()));
        match (path.strip_suffix("::"), rest.strip_prefix('{')) {
            (Some(path), Some(rest)) => {
                let parts = rest.trim_end_matches(['}', ';']).split(',');
                paths.extend(parts.map(|part| format!("{path}::{}", part.trim())));
            }
            _ => paths.push(path.to_owned()),
        }
    }
    paths
}

fn is_within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn modules_name_only_those_below_them() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let Some((module, allowed)) = MAY_NAME.iter().find(|(it, _)| *it == source.module()) else {
            continue;
        };
        for (number, line) in source.code() {
            for path in named_paths(line) {
                if !allowed.iter().any(|it| is_within(&path, it)) {
                    let at = format!("{}:{number}", source.path);
                    wrong.push(format!("{at}: {module} may not know crate::{path}"));
                }
            }
        }
    }
    check(&wrong);
}

#[test]
fn only_the_edges_name_sockets_runtimes_and_http() {
    let edges: &[&str] = &["server", "client", "store"];
    // Waiting for a time is the clock's, so that tests can move it.
    let runtimes: &[&str] = &["server", "client", "store", "clock"];
    let http: &[&str] = &["server", "client", "protocol"];
    let rules = [
        ("tokio::", runtimes),
        ("hyper::", edges),
        ("hyper_util::", edges),
        ("ureq::", edges),
        ("lettre::", edges),
        ("rustls::", edges),
        ("tokio_rustls::", edges),
        ("hickory_resolver::", edges),
        ("TcpStream", edges),
        ("TcpListener", edges),
        ("prometheus_client::", &["metrics"]),
        ("opentelemetry", &["server"]),
        ("http::", http),
        ("StatusCode", http),
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        for (number, line) in source.code() {
            for (name, modules) in &rules {
                let is_named = named(line, name) && !modules.contains(&source.module());
                // A line of the table has a method, and that is all that operations know of HTTP.
                if is_named
                    && !(source.path == "src/operations/mod.rs" && line == "use http::Method;")
                {
                    wrong.push(format!("{}:{number} names {name}", source.path));
                }
            }
        }
    }
    check(&wrong);
}

/// Tells whether a line names this, and not something that ends in the same letters.
fn named(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
    })
}

#[test]
fn sources_are_introduced_and_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !source.text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with what is in it: //! …", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LINES_MAX && !source.is_test() {
            wrong.push(format!("{} has {lines} lines; {LINES_MAX} are the most", source.path));
        }
    }
    check(&wrong);
}

#[test]
fn every_rust_file_is_compiled() {
    let texts = texts();
    let rust = texts.iter().filter(|text| text.is_rust());
    // The Rust client's tests are a package of their own, whose files cargo finds by itself.
    let ours = rust.filter(|text| {
        text.is_under("src/") || text.is_under("tests/") && !text.is_under("tests/clients/")
    });
    let mut wrong = Vec::new();
    for text in ours {
        let path = Path::new(&text.path);
        let roots = ["src/lib.rs", "src/main.rs", "tests/main.rs"];
        if roots.iter().any(|it| Path::new(it) == path) {
            continue;
        }
        let parent = path.parent().unwrap();
        let (name, folder) = if path.file_name().unwrap() == "mod.rs" {
            (parent.file_name().unwrap(), parent.parent().unwrap())
        } else {
            (path.file_stem().unwrap(), parent)
        };
        let declaration = format!("mod {};", name.to_str().unwrap());
        let declaring = ["mod.rs", "lib.rs", "main.rs"].map(|file| folder.join(file));
        // A module that is one file keeps its own modules in the folder of its name.
        let named = PathBuf::from(format!("{}.rs", folder.display()));
        let declared = texts
            .iter()
            .filter(|text| declaring.iter().chain([&named]).any(|it| it == Path::new(&text.path)))
            .any(|text| text.code().any(|(_, line)| line.trim_start().ends_with(&declaration)));
        if !declared {
            wrong.push(format!("{} is in no module: nothing compiles it", text.path));
        }
    }
    check(&wrong);
}

#[test]
fn what_is_left_to_do_has_an_issue() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut wrong = Vec::new();
    // Lock files hold hashes, in which any letters may stand.
    let is_lock = |path: &str| LOCK_FILES.iter().any(|name| path.ends_with(name));
    for text in texts().iter().filter(|text| !is_lock(&text.path)) {
        for (index, line) in text.text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| named(line, mark)) {
                if !line.contains(&format!("{mark}(#")) {
                    let at = format!("{}:{}", text.path, index + 1);
                    wrong.push(format!(
                        "{at}: {mark} without the number of an issue, as in {mark}(#1)"
                    ));
                }
            }
        }
    }
    check(&wrong);
}

#[test]
fn every_operation_is_tested_and_in_the_readme() {
    let readme = read("README.md");
    let works = readme.split("\n## ").find(|it| it.starts_with("What works")).unwrap();
    let texts = texts();
    let is_tests = |text: &&Text| text.is_under("tests/operations/");
    let behaviour: Vec<_> = texts.iter().filter(is_tests).collect();
    let mut wrong = Vec::new();
    for operation in table() {
        // IAM's may be called by their bare names where Chime has none of the same name.
        let name = operation.name.split(':').next_back().unwrap();
        let quoted = [format!("\"{name}\""), format!("\"iam:{name}\"")];
        if !behaviour.iter().any(|text| quoted.iter().any(|it| text.text.contains(it))) {
            wrong.push(format!("{name} occurs in no file of tests/operations"));
        }
        if !works.lines().any(|line| line.starts_with('|') && named_whole(line, name)) {
            wrong.push(format!("{name} is not in the table 'What works' of README.md"));
        }
    }
    let ours = table().iter().filter(|line| line.action().starts_with("chime:")).count();
    let others = format!("the other {} operations", MODELLED_OPERATIONS - ours);
    if ours < MODELLED_OPERATIONS && !works.contains(&others) {
        wrong.push(format!("the table 'What works' of README.md should say '{others}'"));
    }
    check(&wrong);
}

fn named_whole(line: &str, name: &str) -> bool {
    line.split(|it: char| !it.is_alphanumeric()).any(|word| word == name)
}

#[test]
fn every_setting_is_in_the_readme() {
    let readme = read("README.md");
    let config = read("src/config/mod.rs");
    let config = config.split("#[cfg(test)]").next().unwrap();
    let settings = config.split('"').filter(|it| {
        let name = it.strip_prefix("CAMPANILE_").unwrap_or_default();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    });
    let wrong: Vec<_> = settings
        .filter(|setting| !readme.contains(&format!("`{setting}`")))
        .map(|setting| format!("README.md does not have the setting {setting}"))
        .collect();
    check(&wrong);
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for text in texts().iter().filter(|text| text.has_extension("md")) {
        let folder = root().join(&text.path);
        let folder = folder.parent().unwrap();
        for rest in text.text.split("](").skip(1) {
            let link = rest.split(')').next().unwrap();
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root().join(&text.path) } else { folder.join(file) };
            let leads = target.exists()
                && (anchor.is_empty() || anchors(&target).contains(&anchor.to_owned()));
            if !leads {
                wrong.push(format!("{}: '{link}' leads nowhere", text.path));
            }
        }
    }
    check(&wrong);
}

/// A claim about security is worth the test that shows it.
#[test]
fn every_claim_about_security_names_a_test_that_there_is() {
    let page = read("docs/security.md");
    let tests = texts();
    let tests: Vec<_> =
        tests.iter().filter(|text| text.is_rust() || text.has_extension("py")).collect();
    let mut wrong = Vec::new();
    for claim in page.split("\n- ").skip(1) {
        let claim = claim.split("\n#").next().unwrap();
        let quoted = claim.split('`').skip(1).step_by(2);
        let is_name = |it: &&str| {
            it.contains('_') && it.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        };
        let names: Vec<_> = quoted.filter(is_name).collect();
        for name in &names {
            let defined = [format!("fn {name}("), format!("def {name}(")];
            if !tests.iter().any(|text| defined.iter().any(|it| text.text.contains(it))) {
                wrong.push(format!("docs/security.md names {name}, which is no test"));
            }
        }
        if names.is_empty()
            && !claim.split_whitespace().collect::<Vec<_>>().join(" ").contains("No test:")
        {
            wrong.push(format!("docs/security.md names no test that shows: {claim}"));
        }
    }
    assert!(page.matches("\n- ").count() > 20, "the claims are found");
    check(&wrong);
}

/// Returns the anchors that a page of Markdown has where it is shown.
fn anchors(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            words.chars().filter(|it| it.is_alphanumeric() || "-_".contains(*it)).collect()
        })
        .collect()
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let folders = ["work", "tmp", "root", "home"].map(|folder| format!("/{folder}/"));
    let mut wrong = Vec::new();
    for text in texts() {
        for (index, line) in text.text.lines().enumerate() {
            for folder in &folders {
                let mut places = line.match_indices(folder);
                if places.any(|(at, _)| {
                    !line[..at].ends_with(|it: char| it.is_alphanumeric() || it == '.')
                }) {
                    wrong.push(format!("{}:{} names {folder}", text.path, index + 1));
                }
            }
        }
    }
    check(&wrong);
}

#[test]
fn packages_of_the_tests_are_pinned() {
    let mut wrong = Vec::new();
    for list in ["tests/clients/python/requirements.txt", "deploy/postgres-ha/requirements.txt"] {
        for line in read(list).lines() {
            if !line
                .split_once("==")
                .is_some_and(|(name, version)| !name.is_empty() && !version.contains('*'))
            {
                wrong.push(format!("{list}: '{line}' is not name==version"));
            }
        }
    }
    // Where packages are fetched from is for whoever fetches them to say.
    if read("tests/clients/js/package-lock.json").contains("\"resolved\"") {
        wrong.push("package-lock.json holds download addresses".to_owned());
    }
    check(&wrong);
}
