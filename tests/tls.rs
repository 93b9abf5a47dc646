//! HTTPS on the command line: where the server starts with it and without, what it says then, every
//! file that cannot be used, and the commands that call it.

use crate::harness::process::{Ended, Process, campanile, run, with_root};
use crate::harness::tls::Authority;
use crate::harness::{ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY};
use std::fs;
use std::path::Path;
use std::process::Command;

const USAGE: Option<i32> = Some(252);
const GENERAL: Option<i32> = Some(255);

fn serve(listen: &str) -> Command {
    let mut command = campanile();
    command.args(["serve", "--store", "memory:", "--listen", listen]);
    command
}

fn serve_with(listen: &str, cert: &Path, key: &Path) -> Command {
    let mut command = serve(listen);
    command.env("CAMPANILE_TLS_CERT", cert).env("CAMPANILE_TLS_KEY", key);
    command
}

#[test]
fn other_machines_reach_plain_http_only_by_the_flag() {
    let mut insecure = serve("0.0.0.0:0");
    insecure.arg("--insecure-http");
    let ended = Process::start_with(with_root(&mut insecure)).stop();
    let words = "without TLS, as --insecure-http says";
    assert!(ended.code == Some(0) && ended.stderr.contains(words), "{ended:?}");

    let authority = Authority::new();
    let mut secure = serve_with("0.0.0.0:0", &authority.cert(), &authority.key());
    let ended = Process::start_with(with_root(&mut secure)).stop();
    assert!(ended.code == Some(0) && !ended.stderr.contains("WARN"), "{ended:?}");

    for loopback in ["127.0.0.1:0", "127.9.9.9:0", "[::ffff:127.0.0.1]:0"] {
        let ended = Process::start_with(with_root(&mut serve(loopback))).stop();
        assert!(ended.code == Some(0) && !ended.stderr.contains("WARN"), "{ended:?}");
    }
    let ended = run(&mut serve("[::ffff:10.0.0.1]:0"));
    assert!(ended.stderr.contains("--insecure-http"), "{ended:?}");
}

#[test]
fn help_names_the_settings() {
    let settings = ["tls-cert", "tls-key", "insecure-http", "SIGHUP"];
    let help = run(campanile().args(["serve", "--help"])).stdout;
    for setting in settings {
        assert!(help.contains(setting), "no {setting} in {help}");
    }
    for command in ["call", "import", "export"] {
        let help = run(campanile().args([command, "--help"])).stdout;
        assert!(help.contains("AWS_CA_BUNDLE"), "{help}");
    }
}

#[test]
fn what_is_printed_says_https() {
    let authority = Authority::new();
    let process =
        Process::start_with(&mut serve_with("127.0.0.1:0", &authority.cert(), &authority.key()));
    let url = format!("https://{}", process.address);
    let line = format!(
        "export AWS_ENDPOINT_URL_CHIME={url} AWS_ENDPOINT_URL_STS={url}\nexport AWS_ENDPOINT_URL_IAM={url}\n"
    );
    assert!(process.printed.contains(&line), "{}", process.printed);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let (cert, key) = (authority.cert(), authority.key());
    let secret = fs::read_to_string(&key).unwrap().lines().nth(1).unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let refused = |cert: &Path, key: &Path, words: &[&str]| {
        let ended = run(&mut serve_with("127.0.0.1:0", cert, key));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
        for word in words {
            assert!(ended.stderr.contains(word), "no '{word}' in {ended:?}");
        }
        let told = ["panicked", secret.as_str()];
        assert!(!told.iter().any(|it| ended.stderr.contains(it)), "{ended:?}");
    };
    let (of_cert, of_key) = ("CAMPANILE_TLS_CERT", "CAMPANILE_TLS_KEY");
    let missing = folder.path().join("missing.pem");
    let its_path = missing.to_str().unwrap();
    refused(&missing, &key, &["--tls-cert", of_cert, its_path, "No such file"]);
    refused(&cert, &missing, &["--tls-key", of_key, its_path, "No such file"]);
    refused(folder.path(), &key, &[of_cert, "directory"]);
    refused(&cert, folder.path(), &[of_key, "directory"]);
    let text = file("text", "no PEM");
    refused(&text, &key, &[of_cert, text.to_str().unwrap(), "PEM"]);
    refused(&cert, &text, &[of_key, text.to_str().unwrap(), "PEM"]);
    refused(&key, &cert, &[of_cert, "BEGIN CERTIFICATE"]);
    refused(&cert, &cert, &[of_key, "BEGIN PRIVATE KEY"]);
    // A key in one line: what is wrong with it is said without it.
    let line = fs::read_to_string(&key).unwrap().replace('\n', "");
    refused(&cert, &file("line", &line), &[of_key, "PEM"]);
    let cut = fs::read_to_string(&cert).unwrap().replace("-----END", "");
    refused(&file("cut", &cut), &key, &[of_cert, "PEM"]);
    let long = file("long", &"x".repeat((1 << 20) + 1));
    refused(&long, &key, &[of_cert, "more than 1048576 bytes"]);
    let malformed = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    refused(&file("bad", malformed), &key, &[of_cert, "malformed"]);
    let malformed = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    refused(&cert, &file("bad", malformed), &[of_key, "RSA, ECDSA"]);
    let encrypted = malformed.replace("PRIVATE", "ENCRYPTED PRIVATE");
    refused(&cert, &file("encrypted", &encrypted), &[of_key, "encrypted", "openssl pkey"]);
    let other = Authority::new();
    refused(&cert, &other.key(), &[of_cert, of_key, "does not fit", other.key().to_str().unwrap()]);
}

#[test]
fn the_debug_print_of_a_certificate_has_no_key() {
    let authority = Authority::new();
    let printed = format!("{:?}", authority.tls());
    let begin = "Tls { cert: \"";
    assert!(printed.starts_with(begin) && printed.ends_with(", .. }"), "{printed}");
    assert!(printed.contains("key.pem") && printed.len() < 300, "{printed}");
}

#[test]
fn the_commands_believe_the_authorities_of_aws_ca_bundle() {
    let authority = Authority::new();
    let mut server = serve_with("127.0.0.1:0", &authority.cert(), &authority.key());
    let process = Process::start_with(with_root(&mut server));
    let call = |bundle: Option<&Path>| -> Ended {
        let mut command = campanile();
        command
            .args(["call", "CreateAccount", r#"{"Name":"a"}"#])
            .env("AWS_ENDPOINT_URL_CHIME", format!("https://{}", process.address))
            .env("AWS_ACCESS_KEY_ID", ROOT_ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", ROOT_SECRET_ACCESS_KEY);
        run(command.envs(bundle.map(|bundle| ("AWS_CA_BUNDLE", bundle))))
    };
    let ended = call(Some(&authority.bundle()));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let refused = |bundle: Option<&Path>, code: Option<i32>, words: &[&str]| {
        let ended = call(bundle);
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{ended:?}");
        for word in words {
            assert!(ended.stderr.contains(word), "no '{word}' in {ended:?}");
        }
    };
    let failed = "SSL validation failed for https://";
    refused(None, GENERAL, &[failed, "UnknownIssuer", "AWS_CA_BUNDLE"]);
    let stranger = Authority::new();
    refused(Some(&stranger.bundle()), GENERAL, &[failed, "AWS_CA_BUNDLE"]);
    let missing = stranger.bundle().with_file_name("missing.pem");
    refused(Some(&missing), USAGE, &["AWS_CA_BUNDLE", "missing.pem", "No such file"]);
    refused(Some(&authority.key()), USAGE, &["AWS_CA_BUNDLE", "key.pem", "BEGIN CERTIFICATE"]);
}
