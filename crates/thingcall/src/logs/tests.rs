//! How much is said.

use super::{known, quieted};

#[test]
fn libraries_are_quiet_unless_named() {
    assert!(quieted("info").contains(",sqlx=warn"));
    assert!(!quieted("info,sqlx=debug").contains("sqlx=warn"));
    assert_eq!(quieted("error"), "error,lapin=off");
    assert!(!quieted("error,lapin=debug").contains("lapin=off"));
}

#[test]
fn word_that_is_no_level_is_refused_rather_than_silencing_all() {
    for right in ["info", "WARN", "off", "info,thingcall_engine=debug", "warn,sqlx=info", "thingcall_engine"] {
        assert!(known(right).is_ok(), "{right}");
    }
    for wrong in ["warning", "infos", "info,verbose", ""] {
        assert!(known(wrong).is_err(), "{wrong}");
    }
}
