//! Facts about `watch.rs`, in a real folder: what is awaited comes, what must not come is given the time it would take.

use std::fs::{create_dir, remove_file, rename, write};
use std::io::Write;

use super::*;
use crate::Plugins;
use crate::files::Stamp;
use crate::testsite::{Site, active, answered_by, answering, call, until};

const CLAIMS: &str = "[\"fb:*\"]";

fn watched() -> Site {
    let mut site = Site::new();
    site.config.watch = true;
    site
}

async fn answers(plugins: &Plugins, by: &str) {
    until(by, async || answered_by(plugins, &call("pk", "fb:set")).await == by).await;
}

#[tokio::test]
async fn new_changed_and_removed_files_are_seen() {
    let site = watched();
    let (file, beside) = (site.file("a.so"), site.data.join("beside.so"));
    let plugins = site.start().await;
    answering(&file, "a", CLAIMS, "new");
    answers(&plugins, "new").await;
    answering(&beside, "a", CLAIMS, "copied-over-it");
    write(&file, std::fs::read(&beside).unwrap()).unwrap();
    answers(&plugins, "copied-over-it").await;
    remove_file(&file).unwrap();
    answers(&plugins, "nobody").await;
    assert!(plugins.shutdown().await);
}

#[tokio::test]
async fn folder_that_comes_later_is_watched() {
    let site = watched();
    std::fs::remove_dir(&site.folder).unwrap();
    let plugins = site.start().await;
    create_dir(&site.folder).unwrap();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    answers(&plugins, "1").await;
}

#[tokio::test]
async fn folder_that_is_replaced_is_watched_again() {
    let site = watched();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    let other = site.data.join("other");
    create_dir(&other).unwrap();
    answering(&other.join("a.so"), "a", CLAIMS, "2");
    rename(&site.folder, site.data.join("before")).unwrap();
    rename(&other, &site.folder).unwrap();
    answers(&plugins, "2").await;
    answering(&site.file("a.so"), "a", CLAIMS, "3");
    answers(&plugins, "3").await;
}

#[tokio::test]
async fn file_that_is_written_in_parts_is_loaded_when_it_is_whole() {
    let site = watched();
    let beside = site.data.join("beside.so");
    answering(&beside, "a", CLAIMS, "whole");
    let plugins = site.start().await;
    let bytes = std::fs::read(&beside).unwrap();
    let mut file = std::fs::File::create(site.file("a.so")).unwrap();
    for part in bytes.chunks(bytes.len() / 8) {
        file.write_all(part).unwrap();
        tokio::task::yield_now().await;
    }
    answers(&plugins, "whole").await;
}

#[tokio::test]
async fn same_bytes_written_again_are_no_swap() {
    let site = watched();
    let file = site.file("a.so");
    answering(&file, "a", CLAIMS, "1");
    let plugins = site.start().await;
    write(&file, std::fs::read(&file).unwrap()).unwrap();
    let stamp = Stamp::of(&file).unwrap();
    until("a look", async || plugins.roster().book().files()[&file].stamp == stamp).await;
    assert_eq!((active(&plugins)[0].generation, site.loads("ok")), (Some(1), 1));
}

#[test]
fn reading_is_no_change() {
    use notify::event::{AccessKind, AccessMode, RenameMode};
    let event = |kind| Event { kind, paths: vec!["/p/.x".into(), "/p/x.so".into()], ..Event::default() };
    assert!(change(event(EventKind::Access(AccessKind::Open(AccessMode::Any)))).is_none());
    let renamed = change(event(EventKind::Modify(ModifyKind::Name(RenameMode::Both))));
    assert!(matches!(renamed, Some(Change::Renamed(files)) if files == [PathBuf::from("/p/x.so")]));
}
