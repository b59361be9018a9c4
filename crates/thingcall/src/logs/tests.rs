//! How much is said.

use super::quieted;

#[test]
fn libraries_are_quiet_unless_named() {
    assert!(quieted("info").contains(",rmqtt=warn"));
    assert!(!quieted("info,rmqtt=debug").contains("rmqtt=warn"));
    assert_eq!(quieted("error"), "error,lapin=off");
    assert!(!quieted("error,lapin=debug").contains("lapin=off"));
}
