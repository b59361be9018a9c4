//! That somebody is left who administers.

use thingcall_core::Secret;

use super::*;

fn key(id: &str, enabled: bool, allow: Option<&str>) -> Arc<AccessKey> {
    Arc::new(AccessKey {
        id: id.to_owned(),
        secret: Secret::new("s"),
        account: "a".to_owned(),
        enabled,
        security_token: None,
        result: None,
        allow: allow.map(|rules| Arc::new(rules.parse().unwrap())),
        temporary: None,
    })
}

#[test]
fn the_last_key_that_administers_is_neither_disabled_nor_removed_nor_cut() {
    let one = vec![key("a", true, None), key("b", true, Some("actions=Query*")), key("c", false, None)];
    let rules =
        |allow: Option<&str>| KeyChange::Rules { id: "a".to_owned(), allow: allow.map(|it| it.parse().unwrap()) };
    for change in [KeyChange::Disable("a".to_owned()), KeyChange::Remove("a".to_owned()), rules(Some("actions=Query*"))]
    {
        assert!(!administered_after(&one, &change), "{change:?}");
    }
    for change in [
        KeyChange::Disable("b".to_owned()),
        KeyChange::Enable("c".to_owned()),
        rules(None),
        rules(Some("actions=ConsoleAdminister")),
    ] {
        assert!(administered_after(&one, &change), "{change:?}");
    }
    let two = vec![key("a", true, None), key("b", true, Some("actions=Console*"))];
    assert!(administered_after(&two, &KeyChange::Remove("a".to_owned())));
}
