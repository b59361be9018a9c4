//! What curl would send.

use proptest::prelude::*;

use super::*;

fn sent(command: &str) -> Wire {
    let (wire, found, _) = read(command);
    assert_eq!(found, [], "{command}");
    wire
}

#[test]
fn options_are_read_in_every_form() {
    let wire = sent("curl -sSXPOST -H'A: b' --header 'C:d' -o /dev/null --max-time 5 'http://h:8080/?a=1'");
    assert_eq!((&*wire.method, wire.authority.as_deref(), &*wire.target), ("POST", Some("h:8080"), "/?a=1"));
    assert_eq!((wire.header("a"), wire.header("C"), wire.header("host")), (Some("b"), Some("d"), Some("h:8080")));
    assert_eq!(wire.body, b"");
    let wire = sent("curl --url https://h/ -X GET -k");
    assert_eq!((&*wire.method, &*wire.scheme, &*wire.target), ("GET", "https", "/"));
    assert_eq!(sent("curl http://h:80?a=b#c").header("host"), Some("h"));
    assert_eq!(sent("curl -I http://u:p@h/x").method, "HEAD");
}

#[test]
fn data_makes_a_form_or_a_query() {
    let wire = sent("curl http://h -d a=1 --data-raw '@b' --data-urlencode 'c=x y&z' --data-urlencode '=*'");
    assert_eq!((&*wire.method, &*wire.body), ("POST", &b"a=1&@b&c=x+y%26z&*"[..]));
    assert_eq!(wire.header("content-type"), Some("application/x-www-form-urlencoded"));
    let wire = sent("curl -G http://h/?q=0 -d a=1 --data b=2");
    assert_eq!((&*wire.method, &*wire.target, &*wire.body), ("GET", "/?q=0&a=1&b=2", &b""[..]));
    assert_eq!(sent("curl http://h --json '{}'").header("content-type"), Some("application/json"));
}

#[test]
fn what_is_not_read_is_told() {
    for (command, id) in [
        ("curl http://h -d @file", "data_of_a_file"),
        ("curl http://h --data-urlencode n@file", "data_of_a_file"),
        ("curl http://h -F a=b", "option_not_read"),
        ("curl http://h --user a:b", "option_not_read"),
    ] {
        assert_eq!(read(command).1[0].id, id, "{command}");
    }
}

#[test]
fn a_written_command_is_read_back() {
    let wire = Wire {
        method: "POST".to_owned(),
        scheme: "http".to_owned(),
        authority: Some("h:1".to_owned()),
        target: "/?a=it%27s".to_owned(),
        headers: vec![("Host".to_owned(), "h:1".to_owned()), ("Accept".to_owned(), "it's".to_owned())],
        body: b"a='b'".to_vec(),
    };
    let read = sent(&wire.curl());
    assert_eq!((read.method, read.target, read.body), (wire.method, wire.target, wire.body));
    assert_eq!(read.headers.get(..2), Some(&*wire.headers));
}

proptest! {
    #[test]
    fn no_command_is_too_odd(text in "curl( -[a-zA-Z]|--[a-z]{1,8}|'|\"| |\\PC){0,40}") {
        read(&text);
    }
}
