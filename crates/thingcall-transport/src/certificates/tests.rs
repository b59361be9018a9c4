//! Which files hold certificates and keys, and what is said of the others.

use super::*;

fn said(text: &str) -> (String, String) {
    let folder = std::env::temp_dir().join(format!("thingcall-transport-{}-{}", std::process::id(), text.len()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("x.pem");
    std::fs::write(&file, text).unwrap();
    let said = (certificates("a", &file).map(drop), private_key("b", &file).map(drop));
    std::fs::remove_dir_all(&folder).unwrap();
    (said.0.unwrap_err().to_string(), said.1.unwrap_err().to_string())
}

#[test]
fn file_that_is_not_there_holds_nothing_or_is_damaged_is_told_by_its_key() {
    let missing = certificates("tls.ca_file", Path::new("/nowhere/ca.pem")).unwrap_err();
    assert_eq!(missing.key, "tls.ca_file");
    assert!(missing.value.starts_with("/nowhere/ca.pem (No such file"), "{missing}");
    for (text, why) in [("", "(it holds none)"), ("-----BEGIN CERTIFICATE-----\nAA==\n", "(it is damaged)")] {
        let (certificate, _) = said(text);
        assert!(certificate.starts_with("a is /") && certificate.contains(why), "{certificate}");
    }
}

#[test]
fn nothing_of_a_key_is_shown() {
    let (_, key) = said("-----BEGIN PRIVATE KEY-----\nhush!?hush\n-----END PRIVATE KEY-----\n");
    assert!(key.starts_with("b is /") && key.contains("damaged") && !key.contains("hush"), "{key}");
}

/// Reading it would wait for ever.
#[test]
fn pipe_holds_nothing() {
    let folder = std::env::temp_dir().join(format!("thingcall-transport-pipe-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pipe = folder.join("pipe.pem");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (told, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let whys = [certificates("a", &pipe).unwrap_err(), private_key("b", &pipe).unwrap_err()];
        told.send(whys.map(|why| why.to_string())).unwrap();
    });
    let [certificate, key] = said.recv_timeout(std::time::Duration::from_secs(60)).expect("nothing is waited for");
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(certificate.contains("no regular file") && key.contains("no regular file"), "{certificate} {key}");
}
