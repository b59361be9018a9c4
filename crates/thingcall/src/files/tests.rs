//! What listeners are left of few files.

use super::*;

const WANTED: Shares = Shares { api: 10_000, mqtt: 21_000, gate: 0, operator: 64, console: 0 };

#[test]
fn where_there_are_files_nothing_is_taken() {
    assert_eq!(WANTED.within(1_048_576), WANTED);
    assert_eq!(WANTED.within(WANTED.sum() + OTHERS), WANTED);
}

#[test]
fn all_listeners_full_leave_files_for_the_rest() {
    for files in [512, 1024, 4096, 20_000, 30_000] {
        for wanted in [
            WANTED,
            Shares { console: 128, ..WANTED },
            Shares { gate: 1000, console: 128, ..WANTED },
            Shares { mqtt: 0, ..WANTED },
        ] {
            let given = wanted.within(files);
            assert!(given.sum() + OTHERS <= files, "{files}: {given:?}");
            assert!(given.api >= 100 && given.operator >= 30, "{files}: {given:?}");
        }
    }
}

#[test]
fn what_one_does_not_want_the_other_may_have() {
    let few_callers = Shares { api: 100, ..WANTED }.within(10_160);
    assert_eq!((few_callers.api, few_callers.mqtt, few_callers.operator), (100, 10_000 - 64 - 100, 64));
    let few_devices = Shares { mqtt: 100, ..WANTED }.within(10_160);
    assert_eq!((few_devices.api, few_devices.mqtt), (10_000 - 64 - 100, 100));
}

#[test]
fn with_hardly_any_files_each_listener_still_answers() {
    let given = WANTED.within(64);
    assert_eq!((given.api, given.mqtt, given.operator), (LEAST, LEAST, LEAST));
}

#[test]
fn only_an_operators_own_number_is_missed_unless_little_is_left() {
    let default = Shares::wanted(&Config::default());
    assert!(default.within(20_000).suffices(&default));
    assert!(!default.within(1024).suffices(&default));
    let own = Shares { api: default.api + 1, ..default };
    assert!(!own.within(20_000).suffices(&own));
}
