//! Opening files: good, foreign, damaged, newer, taken.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::*;
use crate::OpenError;

#[tokio::test]
async fn folder_and_files_are_for_the_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new/data");
    let store = Store::open(Config::default(), &data).await.unwrap();
    store.create_product(product("p")).await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[tokio::test]
async fn a_commit_waits_for_the_disk() {
    let bench = bench().await;
    assert_eq!(bench.ask("PRAGMA journal_mode").await, ["wal"]);
    assert_eq!(bench.ask("PRAGMA synchronous").await, ["2"]);
}

#[tokio::test]
async fn a_file_others_may_read_is_made_private() {
    let bench = bench().await;
    bench.store.close().await;
    let path = bench.folder.path().join("thingcall.db");
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    let _store = bench.other().await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_damaged_file_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thingcall.db");
    fs::write(&path, "not a database, but long enough to have a header of one hundred bytes ".repeat(20)).unwrap();
    let error = Store::open(Config::default(), folder.path()).await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains(path.to_str().unwrap()) && error.to_string().contains("restore"));
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_both_versions() {
    let bench = bench().await;
    bench.run("PRAGMA user_version = 1000").await;
    bench.store.close().await;
    let error = Store::open(Config::default(), bench.folder.path()).await.unwrap_err();
    let OpenError::Newer { found: 1000, known, .. } = error else { panic!("{error:?}") };
    let said = error.to_string();
    assert!(said.contains("version 1000") && said.contains(&format!("up to {known}")), "{said}");
}

/// A file as the first release made it, with a device for which a command waits.
async fn first_schema(folder: &std::path::Path) {
    let options = SqliteConnectOptions::new().filename(folder.join("thingcall.db")).create_if_missing(true);
    let mut conn = options.connect().await.unwrap();
    for sql in [
        include_str!("../../migrations/0001_first.sql"),
        "INSERT INTO products (key, name, settings, created_at) VALUES ('p', 'p', '{}', 1)",
        "INSERT INTO devices (product, name, iot_id, secret, enabled, created_at) VALUES ('p', 'd1', 'i1', 's', TRUE, 1)",
        "INSERT INTO calls (call_id, request_id, product, device, iot_id, service, params, qos, state, accepted_at)
         VALUES (7, '00000000-0000-0000-0000-000000000000', 'p', 'd1', 'i1', 'SetScene', '{}', 1, 0, 1)",
        "PRAGMA user_version = 1",
    ] {
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_file_of_the_first_schema_keeps_its_commands() {
    let folder = tempfile::tempdir().unwrap();
    first_schema(folder.path()).await;
    let store = Store::open(Config::default(), folder.path()).await.unwrap();
    let kept = store.unacknowledged(&key("d1"), None, 9).await.unwrap();
    assert_eq!((kept.len(), kept[0].id.as_u32(), &kept[0].raw), (1, 7, &None));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let error = Store::open(Config::default(), &folder.path().join("file/data")).await.unwrap_err();
    assert!(matches!(error, OpenError::Folder { .. }), "{error:?}");
}

#[tokio::test]
async fn a_new_file_can_be_opened_by_many_at_once() {
    // They do not meet each time.
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let open = || Store::open(Config::default(), folder.path());
        let (a, b, c) = tokio::join!(open(), open(), open());
        for store in [a.unwrap(), b.unwrap(), c.unwrap()] {
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_data_folder_has_one_server() {
    let bench = bench().await;
    bench.store.claim(&Conditions::default()).await.unwrap();
    let other = bench.other().await;
    let refused = other.claim(&Conditions::default()).await.unwrap_err();
    assert!(matches!(refused, OpenError::InUse { .. }));
    drop(bench.store);
    other.claim(&Conditions::default()).await.unwrap();
}

#[tokio::test]
async fn a_product_whose_settings_cannot_be_read_is_treated_by_default() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.run("UPDATE products SET settings = '{\"from\":\"elsewhere\"}'").await;
    let bench = bench.reopened().await;
    assert_eq!(bench.store.products()[0].settings, ProductSettings::default());
}

#[tokio::test]
async fn whoever_only_reads_makes_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let error = Store::open_existing(Config::default(), &data).await.unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }) && error.to_string().contains("--data"), "{error}");
    assert!(!data.exists());
    Store::open(Config::default(), &data).await.unwrap().close().await;
    Store::open_existing(Config::default(), &data).await.unwrap();
}

#[tokio::test]
async fn what_root_makes_in_another_users_folder_is_that_users() {
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(4711), Some(4712)).expect("these tests run as root");
    let data = folder.path().join("new/data");
    let store = Store::open(Config::default(), &data).await.unwrap();
    store.claim(&Conditions::default()).await.unwrap();
    store.create_product(product("p")).await.unwrap();
    for file in fs::read_dir(&data).unwrap().map(|file| file.unwrap().path()).chain([data.clone()]) {
        let found = fs::metadata(&file).unwrap();
        assert_eq!((found.uid(), found.gid()), (4711, 4712), "{}", file.display());
    }
}
