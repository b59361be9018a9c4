//! What is written for a new plugin. That it builds and passes its own test is seen in the tests of the whole program.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::files::{self, File};
use super::{Language, checked, written};

fn text(language: Language, name: &str, path: &str) -> String {
    let found = written(language, name).into_iter().find(|file| file.path == Path::new(path));
    found.unwrap_or_else(|| panic!("{path} is written")).text
}

#[test]
fn a_name_is_put_wherever_the_templates_was() {
    for language in [Language::Rust, Language::C] {
        for file in written(language, "water-meter2") {
            let all = format!("{}{}", file.path.display(), file.text);
            for template in ["my-plugin", "my_plugin", "myPlugin", "MyPlugin"] {
                assert!(!all.contains(template), "{}: {template}", file.path.display());
            }
        }
    }
    let source = text(Language::C, "water-meter2", "water-meter2.c");
    assert!(source.contains(r#"THINGCALL_MANIFEST("water-meter2", "0.1.0", "[\"waterMeter2:*\"]")"#), "{source}");
}

#[test]
fn a_name_that_cannot_be_one_is_refused() {
    for name in ["", "9to5", "-x", "Meter", "a_b", "a/b", "../x", "test", "thingcall-plugin", &"a".repeat(41)] {
        assert!(checked(name).is_err(), "{name}");
    }
    assert!(checked("a").is_ok() && checked(&"a".repeat(40)).is_ok());
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder, without those that building leaves.
fn listed(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).expect("below").to_owned());
            }
        }
    }
    found
}

fn named(files: &[File], below: &str) -> BTreeSet<PathBuf> {
    files.iter().filter_map(|file| Path::new(file.path).strip_prefix(below).ok().map(Path::to_owned)).collect()
}

#[test]
fn the_lists_name_every_file() {
    for (files, below, folder) in [
        (files::RUST, "", "templates/plugin-rust"),
        (files::C, "", "templates/plugin-c"),
        (files::HEADER, "", "../thingcall-plugin/include"),
        (files::SDK, "thingcall-plugin/src", "../thingcall-plugin/src"),
        (files::SDK_MANIFEST, "thingcall-plugin", "templates/sdk"),
    ] {
        let mut there = listed(&here().join(folder));
        // The copy is without its tests.
        let test = |path: &Path| path.ends_with("tests.rs") || path.iter().any(|part| part == "tests");
        there.retain(|path| !folder.ends_with("thingcall-plugin/src") || !test(path));
        assert_eq!(named(files, below), there, "{folder}");
    }
}

fn toml(path: &str) -> toml::Table {
    let text = std::fs::read_to_string(here().join(path)).expect("a file");
    text.parse().unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A dependency as a table, whichever way it is written.
fn table(dependency: &toml::Value) -> toml::Table {
    let plain = |version: &str| toml::Table::from_iter([("version".to_owned(), version.into())]);
    dependency.as_table().cloned().unwrap_or_else(|| plain(dependency.as_str().expect("a version")))
}

#[test]
fn the_copy_of_the_crate_depends_on_what_the_crate_does() {
    let (copy, original) = (toml("templates/sdk/Cargo.toml"), toml("../thingcall-plugin/Cargo.toml"));
    let root = toml("../../Cargo.toml");
    let mut expected = toml::Table::new();
    for (name, dependency) in original["dependencies"].as_table().expect("dependencies") {
        let mut resolved = table(&root["workspace"]["dependencies"][name]);
        resolved.extend(table(dependency).into_iter().filter(|(key, _)| key != "workspace"));
        expected.insert(name.clone(), resolved.into());
    }
    let copied = copy["dependencies"].as_table().expect("dependencies");
    let copied: toml::Table = copied.iter().map(|(name, one)| (name.clone(), table(one).into())).collect();
    assert_eq!(copied, expected);
    assert_eq!(copy.get("features"), original.get("features"));
    for key in ["name", "edition", "rust-version"] {
        assert_eq!(copy["package"][key], original["package"][key], "{key}");
    }
    assert_eq!(copy["package"]["version"], root["workspace"]["package"]["version"]);
}
