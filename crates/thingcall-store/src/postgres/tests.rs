//! Opening a real PostgreSQL: what is made, what is refused, and in which words.

use sqlx::PgPool;
use test_postgres::{Database, Postgres};
use thingcall_core::{Secret, Section};
use tokio::task::JoinSet;

use super::*;
use crate::{Config, StoreUrl};

/// Settings for this database.
pub(crate) fn config(url: &str) -> Config {
    Config { url: Some(StoreUrl::new(url)), ..Config::default() }
}

pub(crate) async fn opened(database: &Database) -> PgPool {
    let config = config(&database.url());
    open(&config, config.url.as_ref().unwrap()).await.unwrap()
}

/// Why this is refused, by who would open it and by who only looks.
async fn refused(config: &Config) -> String {
    assert_eq!(config.problems(), []);
    let url = config.url.as_ref().unwrap();
    let told = open(config, url).await.unwrap_err();
    let looked = look(config, url).await.problems;
    assert_eq!(looked, [told.problem()]);
    let all = format!("{told} {told:?} {looked:?}");
    assert!(!all.contains("postgres's-own") && !all.contains("postgres%27s"), "{all}");
    told.to_string()
}

#[tokio::test]
async fn the_schema_is_made_once_however_many_open_at_once() {
    let database = Postgres::shared().database();
    assert_eq!(look(&config(&database.url()), &StoreUrl::new(&database.url())).await.problems, []);
    assert_eq!(database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    let mut all = JoinSet::new();
    for _ in 0..8 {
        let database = database.clone();
        all.spawn(async move { opened(&database).await.close().await });
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
    assert_eq!(database.sql("SELECT count(*) = max(version) FROM thingcall_schema"), "t");
    assert_eq!(database.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'devices_by_age'::regclass"), "t");
    assert_eq!(database.sql("SELECT count(*) FROM slots"), "64");
    assert_eq!(look(&config(&database.url()), &StoreUrl::new(&database.url())).await.problems, []);
}

#[tokio::test]
async fn newer_schema_is_refused_unless_it_says_that_we_may() {
    let database = Postgres::shared().database();
    opened(&database).await;
    let known: i32 = database.sql("SELECT max(version) FROM thingcall_schema").parse().unwrap();
    let newer = |usable_from: i32| {
        database.sql(&format!(
            "INSERT INTO thingcall_schema SELECT max(version) + 1, {usable_from}, 'newer' FROM thingcall_schema"
        ));
    };
    newer(1);
    opened(&database).await;
    newer(known + 1);
    let told = refused(&config(&database.url())).await;
    let right = format!("has schema version {} and this thingcall knows versions up to {known}", known + 2);
    assert!(told.contains(&right), "{told}");
}

#[tokio::test]
async fn what_stands_against_it_is_told_in_words() {
    let server = Postgres::shared();
    let database = server.database();
    let (right, name) = (database.url(), database.name());
    let without = database.url_without_password();
    server.sql("postgres", "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
    for (url, says) in [
        (right.replace(name, "nowhere"), "there is no such database; right is a database that is there"),
        (right.replace(name, "latin"), "keeps its text as LATIN1"),
        (right.replace("-own", "-own'"), "user or password are wrong"),
        (right.replace("postgres:", "nobody:").replace("nobody://", "postgres://"), "user or password are wrong"),
        (right.replace(&server.address().to_string(), "127.0.0.1:1"), "nobody answers there; right is the host"),
        (format!("{right}?sslmode=verify-full"), "TLS failed"),
    ] {
        let told = refused(&config(&url)).await;
        assert!(told.contains(says), "{url}: {told}");
    }
    let wrong = Config { password: Some(Secret::new("sekrit")), ..config(&without) };
    let told = refused(&wrong).await;
    assert!(told.contains("user or password are wrong") && !told.contains("sekrit"), "{told}");
    server.sql("postgres", "CREATE ROLE guest LOGIN PASSWORD 'guest'");
    let guest = right.replace(&right[..right.find('@').unwrap()], "postgres://guest:guest");
    let told = refused(&config(&guest)).await;
    assert!(told.contains("may not make or use thingcall's tables"), "{told}");
    database.sql("CREATE TABLE products (something TEXT)");
    let told = refused(&config(&right)).await;
    assert!(told.contains("are not thingcall's") && told.contains("search_path"), "{told}");
}

#[tokio::test]
async fn password_may_come_from_a_setting() {
    let database = Postgres::shared().database();
    let password = Some(Secret::new(database.password()));
    let setting = Config { password: password.clone(), ..config(&database.url_without_password()) };
    assert_eq!(setting.problems(), []);
    open(&setting, setting.url.as_ref().unwrap()).await.unwrap();
    assert!(!format!("{setting:?}").contains(database.password()));
    let both = Config { password, ..config(&database.url()) };
    assert_eq!(both.problems()[0].key, "password");
    let alone = Config { password: Some(Secret::new("x")), ..Config::default() };
    assert_eq!(
        alone.problems()[0].to_string(),
        "password is set, and there is no url; right is left out, since it is for PostgreSQL"
    );
}

#[tokio::test]
async fn full_verification_takes_the_right_authority_and_the_right_name_alone() {
    let server = Postgres::shared();
    let database = server.database();
    let tls = format!("{}?sslmode=verify-full&sslrootcert={}", database.url(), server.authority().display());
    let by_name = config(&tls.replace("127.0.0.1", "localhost"));
    let reads = open(&by_name, by_name.url.as_ref().unwrap()).await.unwrap();
    let by_tls: bool =
        sqlx::query_scalar("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetch_one(&reads).await.unwrap();
    assert!(by_tls);
    let told = refused(&config(&tls)).await;
    assert!(told.contains("TLS failed"), "{told}");
}

#[tokio::test]
async fn a_socket_in_a_folder_will_do() {
    let server = Postgres::shared();
    let database = server.database();
    let (folder, port) = (server.socket_folder().display(), server.address().port());
    let url = format!("postgres://postgres@localhost:{port}/{}?host={folder}", database.name());
    let config = Config { password: Some(Secret::new(database.password())), ..config(&url) };
    assert_eq!(config.problems(), []);
    let reads = open(&config, config.url.as_ref().unwrap()).await.unwrap();
    let local: bool = sqlx::query_scalar("SELECT inet_client_addr() IS NULL").fetch_one(&reads).await.unwrap();
    assert!(local);
}

#[tokio::test]
async fn a_server_that_answers_nothing_is_given_up_in_time() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://u@{}/thingcall?sslmode=disable", silent.local_addr().unwrap());
    let config = Config { connect_timeout: std::time::Duration::from_secs(1), ..config(&url) };
    let told = refused(&config).await;
    assert!(told.contains("nobody answers there"), "{told}");
}

#[tokio::test]
async fn schema_of_its_own_keeps_the_tables_apart() {
    let database = Postgres::shared().database();
    database.sql("CREATE SCHEMA thingcall; CREATE TABLE products (something TEXT)");
    let config = config(&format!("{}?options=-csearch_path%3Dthingcall", database.url()));
    open(&config, config.url.as_ref().unwrap()).await.unwrap();
    assert_eq!(database.sql("SELECT count(*) FROM thingcall.slots"), "64");
}

#[tokio::test]
async fn what_is_accepted_is_kept_also_where_the_role_s_sessions_need_not_wait_for_the_disk() {
    let database = Postgres::shared().database();
    let set = |to: &str| {
        database.sql(&format!("ALTER ROLE postgres IN DATABASE {} SET synchronous_commit = {to}", database.name()));
    };
    let config = config(&database.url());
    for (set_to, kept) in [("off", "on"), ("remote_apply", "remote_apply"), ("local", "local")] {
        set(set_to);
        let (_, mut write) = split(opened(&database).await, &config);
        assert_eq!(write.raw("SHOW synchronous_commit").await.unwrap(), [kept], "{set_to}");
        let url = config.url.as_ref().unwrap();
        for (durable, right) in [(true, kept), (false, "off")] {
            let session = session::Session::new(&config, url, durable).unwrap();
            let mut lent = session.lend().await.unwrap();
            let found: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *lent).await.unwrap();
            assert_eq!(found, right, "{set_to}, durable: {durable}");
        }
    }
}
