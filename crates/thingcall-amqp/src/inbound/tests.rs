//! Whose a message is.

use lapin::types::{AMQPValue, FieldTable};
use thingcall_core::CallId;

use super::*;

const OK: &[u8] = br#"{"id":"7","code":200}"#;

fn config() -> Config {
    Config { mqtt_devices: true, ..Config::default() }
}

fn read(config: &Config, exchange: &str, routing_key: &str, properties: &BasicProperties) -> Uplink {
    let message = Incoming { exchange, routing_key, properties, payload: &Bytes::from_static(OK) };
    let reader = Reader { config, slot: 0 };
    match reader.topic(message) {
        Ok(topic) => reader.read(message, &topic, |_, _| Takes::Alink),
        Err(reason) => Uplink::Dropped(None, reason),
    }
}

fn with_header(name: &'static str) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(name.into(), AMQPValue::Boolean(true));
    BasicProperties::default().with_headers(headers)
}

#[test]
fn our_own_commands_and_dead_letters_are_no_replies() {
    for (exchange, key) in [
        ("amq.topic", ".ext.rrpc.7.sys.pk.d1.thing.model.down_raw"),
        ("thingcall.replies", ".sys.pk.d1.thing.reply.slot-0"),
    ] {
        let none = BasicProperties::default();
        let said = read(&config(), exchange, key, &none);
        assert!(matches!(said, Uplink::Reply(_) | Uplink::Raw(_)), "{said:?}");
        assert!(matches!(
            read(&config(), exchange, key, &with_header(COMMAND)),
            Uplink::Dropped(None, DropReason::Echo)
        ));
        assert!(matches!(
            read(&config(), exchange, key, &with_header("x-death")),
            Uplink::Dropped(None, DropReason::ForeignTopic)
        ));
    }
}

#[test]
fn a_correlation_id_makes_no_other_topic() {
    for (id, read_as) in [("7", Some(7)), ("x/../y", None), ("-1", None), ("4294967296", None)] {
        let properties = BasicProperties::default().with_correlation_id(id.into());
        let said = read(&config(), "thingcall.replies", ".sys.pk.d1.thing.reply.slot-0", &properties);
        let Uplink::Reply(reply) = said else { panic!("{said:?}") };
        assert_eq!(reply.topic_id, read_as.map(CallId::from_u32), "{id}");
    }
}

#[test]
fn what_is_not_served_is_not_read() {
    let none = BasicProperties::default();
    let key = ".sys.pk.d1.rrpc.response.7";
    let amqp = Config { mqtt_devices: false, ..config() };
    let mqtt = Config { amqp_devices: false, ..config() };
    assert!(matches!(read(&amqp, "amq.topic", key, &none), Uplink::Dropped(None, DropReason::ForeignTopic)));
    assert!(matches!(read(&mqtt, "thingcall.replies", key, &none), Uplink::Dropped(None, DropReason::ForeignTopic)));
    assert!(matches!(read(&config(), "", key, &none), Uplink::Dropped(None, DropReason::ForeignTopic)));
}

#[test]
fn the_user_vouches_for_replies_of_amqp_and_the_plugin_for_those_of_mqtt() {
    let config = Config { replies_vouched_by: Voucher::UserId, ..config() };
    let key = ".sys.pk.d1.rrpc.response.7";
    let user = |user: &str| BasicProperties::default().with_user_id(user.into());
    assert!(matches!(read(&config, "thingcall.replies", key, &user("d1&pk")), Uplink::Reply(_)));
    for other in [user("d2&pk"), user("d1&pk2"), user("guest"), BasicProperties::default()] {
        assert!(matches!(
            read(&config, "thingcall.replies", key, &other),
            Uplink::Dropped(Some(_), DropReason::OtherDevicesTopic)
        ));
    }
    assert!(matches!(read(&config, "amq.topic", key, &BasicProperties::default()), Uplink::Reply(_)));
}
