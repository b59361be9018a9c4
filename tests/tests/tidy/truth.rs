//! What `crates/README.md` claims of the code as a whole: invariants have tests, and those that only its text can show are
//! shown by it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{root, rust_files};

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).expect("a file can be read")
}

fn invariants() -> String {
    let readme = read(&root().join("crates/README.md"));
    let (_, rest) = readme.split_once("\n## Invariants\n").expect("the section");
    rest.split("\n## ").next().unwrap_or_default().to_owned()
}

/// Files of these crates that are built into the program.
fn sources(crates: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let all = root().join("crates");
    let of_program = |file: &PathBuf| {
        let path = file.strip_prefix(&all).ok()?;
        let mut parts = path.iter().map(|part| part.to_string_lossy());
        let package = parts.next().is_some_and(|package| crates(&package)) && parts.next()? == "src";
        Some(package && parts.all(|part| !part.starts_with("test")))
    };
    rust_files().into_iter().filter(|file| of_program(file).unwrap_or(false)).collect()
}

/// The lines of a file that are code, up to its own tests.
fn code(file: &Path) -> String {
    let text = read(file);
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_invariant_names_tests_that_exist() {
    let invariants = invariants();
    let mut wrong = Vec::new();
    let entries: Vec<_> = invariants.split("\n- ").skip(1).collect();
    assert!(entries.len() > 15, "the invariants are found");
    for entry in entries {
        let named: Vec<_> = entry.split('`').filter_map(|word| word.split_once("::")).collect();
        let named: Vec<_> = named.into_iter().filter(|(package, _)| package.starts_with("thingcall")).collect();
        if named.is_empty() {
            wrong.push(format!("no test is named: {entry}"));
        }
        for (package, name) in named {
            let folder = if package == "thingcall-tests" { "tests".into() } else { format!("crates/{package}") };
            let folder = root().join(folder);
            let (plain, asynchronous) = (format!("\nfn {name}("), format!("\nasync fn {name}("));
            let within = format!("    fn {name}(");
            let stands = |file: &PathBuf| {
                let text = read(file);
                [&plain, &asynchronous, &within].into_iter().any(|head| text.contains(head.as_str()))
            };
            if !rust_files().iter().filter(|file| file.starts_with(&folder)).any(stands) {
                wrong.push(format!("{package} has no test {name}"));
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn words_of_callers_and_devices_stand_in_their_crates() {
    let knowing = |crates: &dyn Fn(&str) -> bool, words: &[&str]| {
        let files = sources(crates).into_iter();
        files.filter(|file| words.iter().any(|word| code(file).contains(word))).collect::<BTreeSet<_>>()
    };
    // The program has commands that call as a caller does, and plays devices.
    let inner = |package: &str| package.starts_with("thingcall-");
    let allowed = [
        "thingcall-transport/src/probe.rs",
        "thingcall-core/src/dropped.rs",
        "thingcall-subscription/src/words/result.rs",
    ];

    let of_callers = knowing(&|package| inner(package) && package != "thingcall-api", &["\"Signature", "\"Action\""]);
    // They write requests as callers do.
    let samples = root().join("crates/thingcall-console/src/samples");
    let of_callers: Vec<_> = of_callers.iter().filter(|file| !file.starts_with(&samples)).collect();
    let of_devices = knowing(
        &|package| inner(package) && package != "thingcall-alink" && package != "thingcall-amqp",
        &["\"/sys/{", "\"/ext/rrpc/{", "\"method\":\"thing.", "\"thing.service."],
    );
    let of_devices: Vec<_> = of_devices.iter().filter(|file| !allowed.iter().any(|one| file.ends_with(one))).collect();

    assert!(of_callers.is_empty() && of_devices.is_empty(), "{of_callers:?} {of_devices:?}");
    assert!(!sources(|package| package == "thingcall-alink").is_empty(), "files are found");
}

#[test]
fn pages_change_nothing_but_through_their_seat() {
    let files = sources(|package| package == "thingcall-console");
    let asks = |file: &&PathBuf| {
        let code: String = code(file).split_whitespace().collect();
        ["perform(", "change(", "change_key(", "change_log("]
            .iter()
            .any(|way| code.contains(&format!("operations.{way}")))
    };
    let asking: Vec<_> = files.iter().filter(asks).filter_map(|file| file.file_name()).collect();

    assert_eq!(asking, ["seat.rs"], "what is changed there is noted in the audit log");
}

#[test]
fn crates_of_words_do_no_io() {
    let files = sources(|package| ["thingcall-core", "thingcall-tsl", "thingcall-alink"].contains(&package));
    assert!(files.len() > 20, "the files are found");
    let io = ["std::fs", "std::net", "std::io", "std::thread", "std::process", "tokio::", "block_on"];
    let wrong: Vec<_> = files.into_iter().filter(|file| io.iter().any(|word| code(file).contains(word))).collect();

    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn unsafe_code_is_at_the_plugins_boundary_alone() {
    let allowed =
        ["thingcall-plugin", "thingcall-boundary", "thingcall-loader"].map(|name| root().join("crates").join(name));
    let may = |file: &PathBuf| allowed.iter().any(|folder| file.starts_with(folder));
    let crates = root().join("crates");
    let files: Vec<_> = rust_files().into_iter().filter(|file| file.starts_with(&crates)).collect();
    let excepted = |file: &PathBuf| read(file).replace("forbid(unsafe_code", "").contains("(unsafe_code");
    let unsafe_code: Vec<_> = files.into_iter().filter(excepted).collect();
    assert!(unsafe_code.len() > 5, "the lint's exceptions are found");

    let wrong: Vec<_> = unsafe_code.into_iter().filter(|file| !may(file)).collect();

    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn pages_that_contributing_names_exist() {
    let contributing = read(&root().join(".github/CONTRIBUTING.md"));
    let named = contributing.split('`').filter(|word| word.ends_with(".md") || word.ends_with(".rs"));
    let missing: Vec<_> = named.clone().filter(|path| !path.contains("foo") && !root().join(path).is_file()).collect();
    assert!(named.count() > 8, "pages are found");
    assert!(missing.is_empty(), "{missing:?}");
}
