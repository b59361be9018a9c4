//! What a change of settings may say.

use thingcall_core::TransportName;
use thingcall_tsl::{ArgsCheck, Pacing, ProductSettings, Registrants};

use super::Wanted;

const THERE: [TransportName; 2] = [TransportName::EMBEDDED, TransportName::MQTT];

#[test]
fn what_is_not_named_stays_as_it_is() {
    let before = ProductSettings { args_check: ArgsCheck::Strict, ..ProductSettings::default() };
    let wanted = Wanted::read("pacing=after_ack&transport=mqtt", &THERE).expect("right");
    let after = wanted.on(before).expect("right");
    let expected = ProductSettings { pacing: Pacing::AfterAck, transport: Some(TransportName::MQTT), ..before };
    assert_eq!(after, expected);
    let back = Wanted::read("transport=auto&sync_topic=auto", &THERE).expect("right").on(after).expect("right");
    assert_eq!(back, ProductSettings { transport: None, ..after });
}

#[test]
fn a_secret_is_made_once_and_kept_until_a_new_one_is_wanted() {
    let on = |settings, query| Wanted::read(query, &THERE).expect("right").on(settings).expect("right");
    let off = on(ProductSettings::default(), "registration=off");
    assert_eq!(off.registration, None, "there is nothing to keep");
    let any = on(off, "registration=any");
    let first = any.registration.expect("one");
    let off = on(any, "registration=off").registration.expect("kept");
    assert_eq!((off.who, off.secret), (Registrants::Off, first.secret));
    let new = on(any, "new_secret=true").registration.expect("one");
    assert!(new.who == Registrants::Any && new.secret != first.secret);
}

#[test]
fn what_is_wrong_is_named_with_what_is_right() {
    for (query, text) in [
        ("pacing=soon", "pacing: unknown variant `soon`, expected one of `all_at_once`"),
        ("transport=amqp", "amqp is not configured; right are auto, embedded, mqtt"),
        ("speed=9", "speed: no such setting; right are validation"),
        ("registration=some", "registration: unknown variant"),
        ("new_secret=yes", "right is true"),
    ] {
        let why = Wanted::read(query, &THERE).expect_err(query);
        assert!(why.contains(text), "{query}: {why}");
    }
}
