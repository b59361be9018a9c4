//! A store in PostgreSQL, and the way there and back.

use serde_json::Value;
use thingcall_tests::{PRODUCT, Postgres, Site, run};

#[test]
fn store_is_copied_to_postgres_and_back() {
    let mut site = Site::embedded(&[]);
    site.device("d1");
    let database = Postgres::shared().database();
    let (data, url) = (site.data().display().to_string(), database.url());
    let copy = |from: &str, to: &str| {
        let finished = run(["store", "copy", from, to, "--json"]);
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(!said.contains(database.password()), "{said}");
        (finished.code, serde_json::from_str::<Value>(&finished.stdout).expect("one object"), finished.stderr)
    };

    let (code, told, _) = copy(&data, &url);
    assert_eq!(code, Some(1), "{told}");
    assert!(told["error"]["message"].as_str().is_some_and(|text| text.contains("a server runs on")), "{told}");
    site.program.terminate();
    site.program.ended();
    let (code, there, said) = copy(&data, &url);
    assert_eq!(code, Some(0), "{there} {said}");
    assert_eq!((&there["rows"]["devices"], &there["rows"]["access_keys"]), (&1.into(), &1.into()), "{there}");
    assert!(said.contains("devices: 1 of 1"), "{said}");
    assert_eq!(database.sql("SELECT name FROM devices"), "d1");

    let folder = tempfile::tempdir().expect("a scratch folder");
    let back = folder.path().join("back").display().to_string();
    let (code, told, said) = copy(&url, &back);
    assert_eq!(code, Some(0), "{told} {said}");
    assert_eq!(told["rows"], there["rows"]);
    let shown = run(["device", "show", &format!("{PRODUCT}/d1"), "--secret", "--data", &back, "--json"]);
    assert_eq!(shown.stdout, site.command(&["device", "show", &format!("{PRODUCT}/d1"), "--secret", "--json"]));

    let (code, told, _) = copy(&data, &format!("{url}?sslmode=allow"));
    assert_eq!(code, Some(2), "{told}");
    assert!(told["error"]["message"].as_str().is_some_and(|text| text.contains("sslmode=allow")), "{told}");
}
