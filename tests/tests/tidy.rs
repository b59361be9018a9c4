//! What keeps the code in order: who may know whom, how long a file may be, and what the README must name.

mod circles;
mod modules;
mod truth;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Longer files are cut in two.
const LINES_MAX: usize = 400;

/// Whom each crate may know; the program and these tests may know all. `crates/README.md` draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("thingcall-core", &[]),
    ("thingcall-metrics", &[]),
    ("thingcall-tsl", &["thingcall-core"]),
    ("thingcall-alink", &["thingcall-core"]),
    ("thingcall-engine", &["thingcall-tsl", "thingcall-core", "thingcall-metrics"]),
    ("thingcall-cluster", &["thingcall-core", "thingcall-metrics"]),
    ("thingcall-transport", &["thingcall-alink", "thingcall-core", "thingcall-metrics"]),
    ("thingcall-mqtt", &["thingcall-transport", "thingcall-alink", "thingcall-core"]),
    ("thingcall-amqp", &["thingcall-transport", "thingcall-alink", "thingcall-core"]),
    ("thingcall-broker", &["thingcall-transport", "thingcall-alink", "thingcall-core", "thingcall-metrics"]),
    ("thingcall-redis", &["thingcall-core"]),
    ("thingcall-subscription", &["thingcall-core"]),
    (
        "thingcall-consumers",
        &["thingcall-subscription", "thingcall-listen", "thingcall-transport", "thingcall-core", "thingcall-metrics"],
    ),
    ("thingcall-traces", &["thingcall-transport", "thingcall-core", "thingcall-metrics"]),
    ("thingcall-webhook", &["thingcall-subscription", "thingcall-transport", "thingcall-core", "thingcall-metrics"]),
    ("thingcall-listen", &["thingcall-metrics"]),
    ("thingcall-console", &["thingcall-listen", "thingcall-core", "thingcall-metrics"]),
    ("thingcall-gate", &["thingcall-listen", "thingcall-alink", "thingcall-core", "thingcall-metrics"]),
    ("thingcall-plugin", &[]),
    ("thingcall-boundary", &["thingcall-plugin", "thingcall-alink", "thingcall-core", "thingcall-metrics"]),
    ("thingcall-loader", &["thingcall-boundary", "thingcall-plugin", "thingcall-core", "thingcall-metrics"]),
    ("test-fb", &["thingcall-plugin"]),
    ("virtual-device", &["thingcall-plugin"]),
    (
        "instructions",
        &[
            "thingcall-core",
            "thingcall-tsl",
            "thingcall-alink",
            "thingcall-engine",
            "thingcall-api",
            "thingcall-listen",
            "thingcall-loader",
        ],
    ),
    ("bench", BENCH),
    ("test-ports", &[]),
    ("test-postgres", &[]),
    ("echo", &["thingcall-plugin"]),
    ("odd", &["thingcall-plugin"]),
    ("panics", &["thingcall-plugin"]),
    ("thingcall-store", &["thingcall-tsl", "thingcall-core", "thingcall-metrics"]),
    (
        "thingcall-api",
        &[
            "thingcall-listen",
            "thingcall-engine",
            "thingcall-subscription",
            "thingcall-tsl",
            "thingcall-core",
            "thingcall-metrics",
        ],
    ),
];

/// What the benchmark measures and compares, and what it registers and signs with.
const BENCH: &[&str] = &[
    "thingcall-core",
    "thingcall-tsl",
    "thingcall-alink",
    "thingcall-engine",
    "thingcall-loader",
    "thingcall-broker",
    "thingcall-store",
    "thingcall-api",
];

/// What may stand at the top, beside files whose names begin with a dot.
const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "crates",
    "plugins",
    "deploy",
    "tests",
    "target",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

#[test]
fn crates_know_only_whom_they_may() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > ARROWS.len(), "cargo metadata lists the workspace");

    for package in packages {
        let name = package["name"].as_str().expect("a name");
        if name == "thingcall" || name == "thingcall-tests" {
            continue;
        }
        let (_, allowed) = ARROWS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} is new"));
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let dependency = dependency["name"].as_str().expect("a name");
            let own = dependency.starts_with("thingcall");
            assert!(!own || allowed.contains(&dependency), "{name} may not know {dependency}");
        }
    }
}

#[test]
fn rust_files_say_what_they_are_and_are_short() {
    let files = rust_files();
    assert!(files.len() > 100, "the files are found");

    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file can be read");
        if !text.starts_with("//!") {
            wrong.push(format!("{}: the first line is no `//!`", file.display()));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines, at most {LINES_MAX}", file.display()));
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders: Vec<_> = ["crates", "plugins", "tests"].iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

#[test]
fn sections_of_the_protocol_that_are_cited_exist() {
    let page = std::fs::read_to_string(root().join("crates/PROTOCOL.md")).expect("the page of facts");
    // In two, so that this file cites nothing.
    let citation = ["`PROTOCOL", ".md` "].concat();
    let mut cited = 0;
    for file in rust_files() {
        let text = std::fs::read_to_string(&file).expect("a file can be read");
        for section in text
            .split(&citation)
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_ascii_digit() && c != '.').next())
        {
            let section = section.trim_end_matches('.');
            cited += 1;
            assert!(page.contains(&format!("**{section}")), "{}: no section {section}", file.display());
        }
    }
    assert!(cited > 5, "the citations are found");
}

#[test]
fn nothing_new_stands_at_the_top() {
    let found: BTreeSet<_> = std::fs::read_dir(root())
        .expect("the workspace can be read")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str()))
        .collect();

    assert!(found.is_empty(), "{found:?}");
}

/// The actions that the README's table names, in its order.
pub(crate) fn actions_of_the_readme() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let (_, table) = readme.split_once("### The actions\n").expect("the section");
    let table = table.split("\n#").next().expect("its text");
    table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).map(str::to_owned).collect()
}

#[test]
fn readme_names_every_action_in_its_table() {
    let source = root().join("crates/thingcall-api/src/actions.rs");
    let source = std::fs::read_to_string(source).expect("the table of actions");
    let line = |line: &str| {
        let (name, what) = line.trim().strip_suffix(',')?.split_once(" => ")?;
        let (name, _about) = name.split_once(": ")?;
        (what.contains("::") && name.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| name.to_owned())
    };
    let actions: BTreeSet<_> = source.lines().filter_map(line).collect();
    assert!(actions.len() > 20, "the actions are found");

    let rows = actions_of_the_readme();

    assert!(rows.iter().cloned().collect::<BTreeSet<_>>() == actions, "README: {rows:?}; code: {actions:?}");
    assert_eq!(rows.len(), actions.len(), "each once");
}

#[test]
fn readme_names_every_error_code() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("the README");
    let source = root().join("crates/thingcall-core/src/error.rs");
    let source = std::fs::read_to_string(source).expect("the list of codes");
    let codes: Vec<_> = source.split('"').filter(|text| text.starts_with("iot.")).collect();
    assert!(codes.len() > 15, "the codes are found");

    let missing: Vec<_> = codes.iter().filter(|code| !readme.contains(&format!("`{code}`"))).collect();
    let named = readme.split('`').filter(|text| text.starts_with("iot.") && !text.contains(' '));
    let gone: Vec<_> = named.filter(|code| !codes.contains(code)).collect();

    assert!(missing.is_empty() && gone.is_empty(), "{missing:?} {gone:?}");
}
