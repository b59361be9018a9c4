//! Which files make a thing model.

use std::path::PathBuf;

use super::Files;

const MAIN: &str = include_str!("../../models/lamp.json");
const MODULE: &str = include_str!("../../models/testFb.json");

/// Writes files, and reads them as one thing model.
fn read<T: AsRef<[u8]>>(files: &[(&str, T)]) -> (tempfile::TempDir, anyhow::Result<Files>) {
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
    let services: Vec<_> = files.parse().expect("right").0.services().map(|(id, _)| id.to_string()).collect();
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
    let lines = files.lines(files.parsed().expect_err("wrong").iter());
    let file = folder.path().join("b.json").display().to_string();
    assert!(lines.iter().any(|line| line.starts_with(&file) && line.contains("callType")), "{lines:?}");
}

#[test]
fn a_file_in_another_encoding_is_told_which() {
    let utf16: Vec<u8> = MAIN.encode_utf16().flat_map(u16::to_le_bytes).collect();
    // "lamp" in Chinese, as GBK has it.
    let gbk = [br#"{"services":[{"name":""#.as_slice(), &[0xb5, 0xc6], br#""}]}"#].concat();
    let marked = [&[0xff, 0xfe], utf16.as_slice()].concat();
    for (bytes, name) in [(utf16, "UTF-16"), (marked, "UTF-16"), (gbk, "GBK"), (b"{\"\xff\"".to_vec(), "not UTF-8")] {
        let (_folder, files) = read(&[("a.json", bytes)]);
        let error = files.expect_err("refused").to_string();
        assert!(error.contains("a.json") && error.contains(name) && error.contains("save it as UTF-8"), "{error}");
    }
}

#[test]
fn a_byte_order_mark_hides_no_module() {
    let (_folder, files) = read(&[("a.json", format!("\u{feff}{MAIN}")), ("b.json", format!("\u{feff}{MODULE}"))]);
    assert_eq!(files.expect("one model").parse().expect("right").0.services().count(), 3);
}

#[test]
fn a_trailing_comma_is_told_and_not_a_second_default_module() {
    let (_folder, files) = read(&[("a.json", MAIN), ("b.json", r#"{"functionBlockId":"b","services":[],}"#)]);
    let error = files.expect_err("refused").to_string();
    assert!(error.contains("b.json: line 1") && error.contains("trailing comma"), "{error}");
}
