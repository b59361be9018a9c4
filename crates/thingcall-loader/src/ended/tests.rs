//! What traces of a process lead to.

use tempfile::TempDir;

use super::*;

fn note(plugin: &str, sha256: &str) -> Note {
    Note {
        plugin: plugin.to_owned(),
        generation: 1,
        file: format!("/{plugin}.so"),
        sha256: sha256.to_owned(),
        signal: None,
        call: None,
    }
}

/// A start on this folder; `words` are what the process before left.
fn start(root: &TempDir, words: &str) -> (Endings, Learned) {
    let file = root.path().join("words");
    std::fs::write(&file, words).unwrap();
    Endings::learn(root.path().canonicalize().unwrap().join("kept"), &file)
}

#[test]
fn mark_that_stands_counts_and_only_once() {
    let root = TempDir::new().unwrap();
    let (endings, _) = start(&root, "");
    endings.entering(&note("a", "00")).unwrap();
    let (endings, learned) = start(&root, "");
    assert_eq!((endings.in_a_row("a", "00"), endings.in_a_row("a", "01"), learned), (1, 0, Learned::All));
    let ended = endings.of("a").unwrap();
    assert_eq!((ended.times, ended.at_load, ended.by), (1, true, None));
    assert_eq!(start(&root, "").0.in_a_row("a", "00"), 1);
}

#[test]
fn mark_that_was_taken_away_counts_nothing() {
    let root = TempDir::new().unwrap();
    let (endings, _) = start(&root, "");
    endings.entering(&note("a", "00")).unwrap();
    endings.entered("a");
    assert_eq!(start(&root, "").0.of("a"), None);
}

#[test]
fn create_that_returns_ends_the_row_and_another_file_begins_its_own() {
    let root = TempDir::new().unwrap();
    for sha256 in ["00", "00", "01"] {
        start(&root, "").0.entering(&note("a", sha256)).unwrap();
    }
    let (endings, _) = start(&root, "");
    assert_eq!((endings.in_a_row("a", "01"), endings.of("a").unwrap().times), (1, 3));
    endings.returned("a");
    assert_eq!(start(&root, "").0.in_a_row("a", "01"), 0);
}

#[test]
fn words_name_one_of_several_that_were_being_loaded() {
    let root = TempDir::new().unwrap();
    let (endings, _) = start(&root, "");
    endings.entering(&note("a", "00")).unwrap();
    endings.entering(&note("b", "00")).unwrap();
    let (endings, learned) =
        start(&root, r#"{"plugin":"b","generation":1,"file":"/b.so","sha256":"00","signal":11,"call":9}"#);
    assert_eq!((endings.of("a"), learned), (None, Learned::All));
    let ended = endings.of("b").unwrap();
    assert_eq!(
        (ended.at_load_in_a_row, ended.by.as_deref(), ended.message_id.as_deref()),
        (1, Some("SIGSEGV"), Some("9"))
    );
}

#[test]
fn without_words_one_of_several_is_not_blamed() {
    let root = TempDir::new().unwrap();
    let (endings, _) = start(&root, "");
    endings.entering(&note("a", "00")).unwrap();
    endings.entering(&note("b", "00")).unwrap();
    let (endings, learned) = start(&root, "");
    assert_eq!((endings.of("a"), endings.of("b"), learned), (None, None, Learned::OneOfSeveral));
}

#[test]
fn end_in_a_call_is_no_end_at_load() {
    let root = TempDir::new().unwrap();
    let (endings, _) =
        start(&root, r#"{"plugin":"a","generation":4,"file":"/a.so","sha256":"00","signal":6,"call":9}"#);
    let ended = endings.of("a").unwrap();
    assert_eq!((ended.at_load_in_a_row, ended.at_load, ended.generation), (0, false, 4));
}
