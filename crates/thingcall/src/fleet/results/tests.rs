//! What a file tells whoever goes on.

use tempfile::TempDir;

use super::*;
use crate::fleet::verdict::Executed;

fn header() -> Header {
    Header { identifier: "Measure".to_owned(), args: "{}".to_owned(), devices: "all:pk".to_owned(), ..Header::new() }
}

fn device(name: &str) -> DeviceRef {
    crate::tool::device_ref(name).unwrap()
}

fn verdict(outcome: Outcome) -> Verdict {
    Verdict { executed: Executed::Yes, ..Verdict::told(outcome, None) }
}

fn written(folder: &TempDir) -> Results {
    let path = folder.path().join("results");
    let results = Results::open(Some(&path), header()).unwrap();
    for name in ["pk/done", "pk/failed", "pk/begun", "pk/again"] {
        let (name, tries, token) = results.takes(&device(name)).unwrap();
        assert_eq!((tries, token), (0, None));
        results.begin(&name, 1, Some("token-1")).unwrap();
    }
    results.end("pk/done", &verdict(Outcome::Ok), 1, None).unwrap();
    results.end("pk/failed", &verdict(Outcome::Failed), 1, None).unwrap();
    results.again("pk/again", &verdict(Outcome::Failed), 1).unwrap();
    results
}

#[test]
fn who_goes_on_calls_only_those_without_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let run = written(&folder).run().unwrap().to_owned();
    let again = Results::open(Some(&folder.path().join("results")), header()).unwrap();
    assert_eq!(again.run(), Some(&*run), "it is the same run");
    assert!(again.takes(&device("pk/done")).is_none() && again.takes(&device("pk/failed")).is_none());
    assert_eq!(again.takes(&device("pk/again")), Some(("pk/again".to_owned(), 1, None)));
    assert_eq!(again.takes(&device("pk/begun")), Some(("pk/begun".to_owned(), 1, Some("token-1".to_owned()))));
    assert!(again.takes(&device("pk/begun")).is_none(), "a device that stands there twice is called once");
    assert_eq!(again.takes(&device("pk/new")), Some(("pk/new".to_owned(), 0, None)));
}

#[test]
fn a_line_that_was_not_finished_counts_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(written(&folder));
    let path = folder.path().join("results");
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let results = Results::open(Some(&path), header()).unwrap_or_else(|error| panic!("{cut}: {error:#}"));
        results.end("pk/begun", &verdict(Outcome::Ok), 1, None).unwrap();
        drop(results);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{cut}: {text}");
    }
}

#[test]
fn results_of_another_call_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(written(&folder));
    let path = folder.path().join("results");
    let other = Header { args: r#"{"channel":1}"#.to_owned(), ..header() };
    let why = Results::open(Some(&path), other).unwrap_err().to_string();
    assert!(why.contains("the arguments there: {}; here: {\"channel\":1}"), "{why}");
    std::fs::write(&path, "something else\n").unwrap();
    let why = format!("{:#}", Results::open(Some(&path), header()).unwrap_err());
    assert!(why.contains("is no file of results"), "{why}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "something else\n");
}

#[test]
fn two_commands_do_not_write_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let _first = written(&folder);
    let why = Results::open(Some(&folder.path().join("results")), header()).unwrap_err().to_string();
    assert!(why.contains("another command writes"), "{why}");
}

/// A server that began again refuses what was signed before it did.
#[test]
fn what_was_signed_too_long_ago_is_called_when_the_command_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let results = written(&folder);
    let too_old = Verdict::told(Outcome::Failed, Some("InvalidTimeStamp.Expired".to_owned()));
    results.end("pk/failed", &too_old, 2, None).unwrap();
    drop(results);
    let again = Results::open(Some(&folder.path().join("results")), header()).unwrap();
    assert_eq!(again.takes(&device("pk/failed")), Some(("pk/failed".to_owned(), 2, None)));
}

/// One that never ends was once read until there was no memory left.
#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in ["/dev/full", "/dev/null", "/dev/zero"].map(Path::new).into_iter().chain([folder.path()]) {
        let why = Results::open(Some(path), header()).unwrap_err();
        assert!(why.is::<WrongUse>() && why.to_string().contains("is no regular file"), "{path:?}: {why:#}");
    }
}
