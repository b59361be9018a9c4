//! Which URLs are taken, and that none shows its password.

use super::*;

fn told(text: &str) -> Vec<String> {
    StoreUrl::new(text).problems().iter().map(ToString::to_string).collect()
}

#[test]
fn what_postgres_takes_is_right() {
    for text in [
        "postgres://127.0.0.1/thingcall",
        "postgresql://user@db.example:5433/thingcall?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgres://user:p%40ss@[::1]:5432/thingcall?application_name=a",
        "postgres://user@localhost/thingcall?host=/var/run/postgresql",
        "postgres://db/thingcall?sslcert=/a.pem&sslkey=/a.key&options=-csearch_path%3Dthingcall",
    ] {
        assert_eq!(told(text), [""; 0], "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_by_its_part() {
    for (text, says) in [
        ("thingcall.db", "url is \"thingcall.db\"; right is postgres://"),
        ("mysql://db/thingcall", "url is mysql://db/thingcall; right is postgres://"),
        ("postgres://db", "url is postgres://db (no database)"),
        ("postgres://db/", "url is postgres://db/ (no database)"),
        ("postgres:///thingcall", "url is postgres:///thingcall (no host)"),
        (
            "postgres://db/t?sslmode=verify-ca",
            "url is postgres://db/t with sslmode=verify-ca; right is sslmode with one of disable",
        ),
        ("postgres://db/t?sslmode=allow", "url is postgres://db/t with sslmode=allow; "),
        ("postgres://db/t?ssl=on", "url is postgres://db/t with the parameter ssl; right is one of sslmode"),
        ("postgres://db/t?host=other", "url is postgres://db/t with host=other; right is host with the folder"),
        (
            "postgres://db/t?sslcert=/a",
            "url is postgres://db/t with sslcert alone; right is sslcert and sslkey together",
        ),
    ] {
        let told = told(text);
        assert!(told.len() == 1 && told[0].starts_with(says), "{text}: {told:?}");
    }
}

#[test]
fn no_password_is_shown_wherever_it_stands() {
    for text in [
        "postgres://user:sekrit@db:5432/thingcall?sslmode=nonsense",
        "postgres://user:sekrit@db:notaport/thingcall",
        "postgres://db/t?password=sekrit",
        "postgres://db/t?pass=sekrit",
        "postgres:user:sekrit@db/t",
        "sekrit@",
        "https://user:sekrit@db/t#sekrit",
        "postgres://user:sekrit@/t",
        "postgres://u:sekrit@db",
        "postgres://u:1/sekrit@db",
        "postgres://u:1#sekrit@db",
    ] {
        let url = StoreUrl::new(text);
        let said = format!("{url} {url:?} {:?}", told(text));
        assert!(!said.contains("sekrit") && !told(text).is_empty(), "{text}: {said}");
    }
    let right = StoreUrl::new("postgres://user:sekrit@db:5433/thingcall?sslmode=require");
    assert_eq!(format!("{right:?} {right}"), "postgres://user@db:5433/thingcall postgres://user@db:5433/thingcall");
    assert!(right.has_password() && right.expose().contains("sekrit"));
}

#[test]
fn files_that_cannot_be_read_are_told() {
    let problems = StoreUrl::new("postgres://db/t?sslrootcert=/nowhere/ca.pem").problems_of_files();
    assert!(problems.len() == 1 && problems[0].to_string().contains("/nowhere/ca.pem"), "{problems:?}");
}
