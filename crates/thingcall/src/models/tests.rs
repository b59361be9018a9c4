//! Which files make a thing model.

use std::path::PathBuf;

use super::Files;

const MAIN: &str = include_str!("../../models/lamp.json");
const MODULE: &str = include_str!("../../models/testFb.json");

/// Writes files, and reads them as one thing model.
fn read(files: &[(&str, &str)]) -> (tempfile::TempDir, anyhow::Result<Files>) {
    let folder = tempfile::tempdir().expect("a folder");
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        })
        .collect();
    let files = Files::read(&paths);
    (folder, files)
}

#[test]
fn the_order_of_files_does_not_matter() {
    let (_folder, files) = read(&[("b.json", MODULE), ("a.json", MAIN)]);
    let files = files.expect("one model");
    let services: Vec<_> = files.parse().expect("right").services().map(|(id, _)| id.to_string()).collect();
    assert_eq!(services, ["Measure", "SetScene", "testFb:testService"]);
    assert_eq!((files.name().as_str(), files.product_key().expect("named").as_str()), ("a", "a1DemoLamp0"));
}

#[test]
fn two_default_modules_are_not_one_model() {
    let (_folder, files) = read(&[("a.json", MAIN), ("b.json", MAIN)]);
    let error = files.expect_err("refused").to_string();
    assert!(error.contains("a.json and") && error.contains("b.json are default modules"), "{error}");
}

#[test]
fn a_problem_names_the_file_it_is_in() {
    let wrong = MODULE.replace(r#""callType": "sync""#, r#""callType": "now""#);
    let (folder, files) = read(&[("a.json", MAIN), ("b.json", &wrong)]);
    let files = files.expect("one model");
    let lines = files.lines(&files.parsed().expect_err("wrong"));
    let file = folder.path().join("b.json").display().to_string();
    assert!(lines.iter().any(|line| line.starts_with(&file) && line.contains("callType")), "{lines:?}");
}
