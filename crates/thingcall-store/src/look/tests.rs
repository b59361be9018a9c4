//! What is found without opening a store, and that nothing is left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use thingcall_core::{Section, TransportName};
use thingcall_tsl::{Directory, NewDevice, NewProduct, ProductNotes, ProductSettings};

use super::*;
use crate::Store;

/// Names and contents of all files, but for the index of the log, in which readers note themselves.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap()))
        .map(|(name, content)| if name.ends_with("-shm") { (name, Vec::new()) } else { (name, content) })
        .collect();
    files.sort();
    files
}

/// The first problem's key and value.
async fn problem(data: &Path) -> (String, String) {
    let problem = look(&Config::default(), data).await.problems.remove(0);
    (problem.key, problem.value)
}

async fn filled(folder: &TempDir) -> std::sync::Arc<Store> {
    let store = Store::open(Config::default(), folder.path()).await.unwrap();
    let north = TransportName::new("north");
    let settings = ProductSettings { transport: north, ..ProductSettings::default() };
    let key = Some("p".try_into().unwrap());
    store
        .create_product(NewProduct { key, name: "p".to_owned(), notes: ProductNotes::default(), settings })
        .await
        .unwrap();
    for name in ["d1", "d2", "d3"] {
        let transport = if name == "d3" { None } else { north };
        let (product, name) = ("p".try_into().unwrap(), Some(name.try_into().unwrap()));
        store.register(NewDevice { product, name, secret: None, nickname: None, transport }).await.unwrap();
    }
    store
}

#[tokio::test]
async fn what_is_not_there_is_right_and_stays_away() {
    let folder = tempfile::tempdir().unwrap();
    for data in [folder.path().to_owned(), folder.path().join("new/data")] {
        let look = look(&Config::default(), &data).await;
        assert!(look.problems.is_empty() && look.transports.is_empty(), "{look:?}");
    }
    assert!(files(folder.path()).is_empty());
}

#[tokio::test]
async fn transports_are_read_of_an_open_store_and_of_a_closed_one_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder).await;
    for closed in [false, true] {
        if closed {
            store.close().await;
        }
        let before = files(folder.path());
        let look = look(&Config::default(), folder.path()).await;
        assert!(look.problems.is_empty(), "{look:?}");
        let users = &look.transports[&TransportName::new("north").unwrap()];
        assert_eq!(users[..], ["product p", "device p/d1 and 1 more"]);
        assert_eq!(files(folder.path()), before);
    }
}

#[tokio::test]
async fn file_that_is_no_store_or_a_newer_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("thingcall.db");
    fs::write(&file, "not a database, but long enough to have a header of one hundred bytes ".repeat(20)).unwrap();
    let (key, value) = problem(folder.path()).await;
    assert!(key == "store.file" && value.contains("damaged or not a thingcall store"), "{value}");
    fs::remove_file(&file).unwrap();
    let store = filled(&folder).await;
    store.shared().write.lock().await.conn.raw("PRAGMA user_version = 99").await.unwrap();
    store.close().await;
    let (key, value) = problem(folder.path()).await;
    assert!(key == "store.file" && value.contains("schema version 99"), "{value}");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(problem(folder.path()).await.1.contains("it is no file"));
}

#[tokio::test]
async fn folder_that_is_none_or_could_not_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let (key, value) = problem(&file).await;
    assert!(key == "data" && value.ends_with("(it is no folder)"), "{value}");
    let (_, value) = problem(&file.join("below/it")).await;
    assert!(value.contains(&format!("{}: it is no folder", file.display())), "{value}");
    // Root may write where nobody may.
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o500)).unwrap();
    let may = rustix::process::geteuid().is_root();
    assert_eq!(look(&Config::default(), folder.path()).await.problems.is_empty(), may);
    fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn name_of_the_file_is_a_name() {
    for (file, right) in
        [("a.db", true), ("", false), ("..", false), ("a/b.db", false), ("/a.db", false), ("a/", false)]
    {
        let config = Config { file: file.to_owned(), ..Config::default() };
        assert_eq!(config.problems().is_empty(), right, "{file:?}");
    }
}
