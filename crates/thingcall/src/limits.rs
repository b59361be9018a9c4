//! The limits of the configuration that no crate shows beside what they limit, as gauges: of one message, one connection, one
//! group, one second.
//!
//! **Invariant:** every key that is a limit has a gauge whose name ends with `_limit`; where its quantity is counted too, that has the
//! same name without `_limit`, and no other series has that name. Held by `thingcall-tests::every_limit_of_the_configuration_has_its_gauge`.

use prometheus::Registry;
use thingcall_core::TransportName;
use thingcall_metrics::{Maker, gauge_of};

use crate::config::Config;

/// A gauge: its name, what it is the limit of, and the limit.
type Limit = (&'static str, &'static str, usize);

/// Registers them.
///
/// # Errors
/// If they are registered already.
pub(crate) fn register(config: &Config, registry: &Registry) -> Result<(), prometheus::Error> {
    let make = Maker::new(registry);
    let mut all = [of_requests(config), of_calls(config), of_the_store(config), of_operation(config)].concat();
    if config.broker.enabled {
        all.extend(of_devices(config));
    }
    if !config.subscription.listeners().is_empty() {
        all.extend(of_consumers(config));
    }
    all.iter().try_for_each(|(name, help, max)| make.limit(name, help, *max))?;
    of_brokers(config, registry)?;
    let tries =
        make.gauge_family("webhook_tries_limit", "How often a message is sent before it is a dead letter", ["target"])?;
    for (name, target) in config.webhooks.iter() {
        tries.series::<prometheus::IntGauge, _>([name.as_str()]).set(target.tries_max.get().into());
    }
    Ok(())
}

fn of_requests(config: &Config) -> Vec<Limit> {
    let (api, gate) = (&config.api, &config.gate);
    vec![
        ("api_uri_bytes_limit", "How long a request's path and query may be", api.uri_bytes_max),
        ("api_head_bytes_limit", "How large a request's line and headers may be", api.head_bytes_max),
        ("api_body_bytes_limit", "How large a request's body may be", api.body_bytes_max.get()),
        (
            "api_string_to_sign_bytes_limit",
            "How much of a string to sign an answer shows",
            api.string_to_sign_bytes_max,
        ),
        ("gate_body_bytes_limit", "How large a broker's question may be", gate.body_bytes_max.get()),
        ("console_body_bytes_limit", "How large a form of the console may be", config.console.body_bytes_max.get()),
        (
            "console_failed_logins_limit",
            "How many failed logins in a row lock a key out",
            config.console.failed_logins_max.get(),
        ),
        (
            "console_refused_per_minute_limit",
            "How many requests of nobody known the audit log has of a minute",
            config.console.refused_per_minute_max as usize,
        ),
    ]
}

fn of_calls(config: &Config) -> Vec<Limit> {
    let (engine, loader) = (&config.engine, &config.loader);
    vec![
        ("call_args_bytes_limit", "How large a call's arguments may be", engine.args_bytes_max.get()),
        (
            "fleet_calls_per_account_limit",
            "How many fleet calls of an account there may be",
            engine.fleet_calls_max.get(),
        ),
        ("fleet_call_devices_limit", "How many devices a fleet call may have", engine.fleet_devices_max.get()),
        (
            "fleet_call_devices_per_second_limit",
            "How many calls of a fleet call begin a second",
            engine.fleet_calls_per_second_max.get() as usize,
        ),
        (
            "broadcast_devices_per_second_limit",
            "To how many devices a second a broadcast to all goes",
            engine.broadcast_devices_per_second_max.get() as usize,
        ),
        ("plugin_answer_bytes_limit", "How large a plugin's answer may be", loader.plugin_bytes_max.get()),
        (
            "plugin_operations_per_call_limit",
            "How many commands and timers one call of a plugin may have at once",
            loader.operations_per_call_max.get(),
        ),
    ]
}

fn of_the_store(config: &Config) -> Vec<Limit> {
    let (store, records, groups) = (&config.store, &config.records, &config.messages.subscriptions);
    vec![
        ("store_batch_devices_limit", "How many devices all batches may have together", store.batch_devices_max.get()),
        (
            "store_outbox_calls_per_device_limit",
            "How many QoS 1 commands may wait for one device",
            store.outbox_calls_per_device_max.get(),
        ),
        ("store_call_record_args_bytes_limit", "How long arguments in a record may be", records.args_bytes_max),
        ("store_call_record_reply_bytes_limit", "How long an answer in a record may be", records.reply_bytes_max),
        (
            "store_refused_call_records_per_minute_limit",
            "How many refused requests of a minute are recorded",
            records.refused_per_minute_max as usize,
        ),
        (
            "store_consumer_groups_per_product_limit",
            "How many consumer groups a product may have",
            groups.groups_per_product_max.get(),
        ),
        (
            "store_products_per_consumer_group_limit",
            "How many products a consumer group may have",
            groups.products_per_group_max.get(),
        ),
    ]
}

fn of_operation(config: &Config) -> Vec<Limit> {
    let log = &config.log;
    vec![
        (
            "log_kind_lines_per_second_limit",
            "How many lines of one kind are logged a second",
            log.kind_lines_per_second_max.get() as usize,
        ),
        ("log_line_bytes_limit", "How long a line of the log may be", log.line_bytes_max),
    ]
}

fn of_devices(config: &Config) -> Vec<Limit> {
    let broker = &config.broker;
    vec![
        ("broker_message_bytes_limit", "How large an MQTT packet may be", broker.message_bytes_max as usize),
        (
            "broker_session_queue_messages_limit",
            "How many messages may wait to be written to one device",
            broker.session_queue_messages_max.get().into(),
        ),
        (
            "broker_kept_messages_per_device_limit",
            "How many messages may wait for one device that is away",
            broker.kept_messages_per_device_max.into(),
        ),
        (
            "broker_session_inflight_messages_limit",
            "How many QoS 1 commands one device may not have acknowledged",
            broker.inflight_messages_max.get().into(),
        ),
    ]
}

fn of_consumers(config: &Config) -> Vec<Limit> {
    let consumers = &config.subscription;
    vec![
        (
            "subscription_clients_per_group_limit",
            "How many consumers of one group may be connected",
            consumers.clients_per_group_max.get(),
        ),
        (
            "subscription_connects_per_minute_per_group_limit",
            "How often a minute consumers of one group may connect",
            consumers.connects_per_minute_per_group_max.get() as usize,
        ),
        (
            "subscription_messages_per_second_per_connection_limit",
            "How many messages a second one connection gets",
            consumers.messages_per_second_per_connection_max.get() as usize,
        ),
        (
            "subscription_backlog_per_second_per_group_limit",
            "How many messages that came back one group gets a second",
            consumers.backlog_per_second_per_group_max.get() as usize,
        ),
        (
            "subscription_unsettled_messages_per_connection_limit",
            "How many messages may be out on one connection",
            consumers.unsettled_messages_max.get(),
        ),
        ("subscription_frame_bytes_limit", "How large a client's frame may be", consumers.frame_bytes_max.get()),
        (
            "subscription_sessions_per_connection_limit",
            "How many sessions one connection may have",
            consumers.sessions_max.get(),
        ),
        (
            "subscription_output_bytes_per_connection_limit",
            "How much output of one connection may wait before it is sent nothing more",
            consumers.output_bytes_max.get(),
        ),
    ]
}

/// Of each external broker.
fn of_brokers(config: &Config, registry: &Registry) -> Result<(), prometheus::Error> {
    let mqtt = config.mqtt.iter().map(|one| (TransportName::MQTT, one));
    for (name, one) in mqtt.chain(config.mqtt_brokers.iter().map(|(name, one)| (*name, one))) {
        let make = Maker::of(registry, "transport", name.as_str());
        make.limit("transport_message_bytes_limit", MESSAGE_BYTES, one.message_bytes_max)?;
        let packet = "How large the packet of a message for applications may be";
        make.limit("transport_messages_packet_bytes_limit", packet, one.messages_packet_bytes_max.get())?;
    }
    let amqp = config.amqp.iter().map(|one| (TransportName::AMQP, one));
    for (name, one) in amqp.chain(config.amqp_brokers.iter().map(|(name, one)| (*name, one))) {
        let make = Maker::of(registry, "transport", name.as_str());
        make.limit("transport_message_bytes_limit", MESSAGE_BYTES, one.message_bytes_max)?;
        for (name, help, max) in [
            (
                "prefetch_messages",
                "How many replies the broker sends ahead of their acknowledgement",
                one.prefetch_messages_max.get().into(),
            ),
            (
                "reply_queue_messages",
                "How many replies to one slot's calls may wait at the broker",
                one.reply_queue_messages_max.get(),
            ),
            (
                "posts_queue_messages",
                "How many reports of devices may wait at the broker",
                one.posts_queue_messages_max.get(),
            ),
        ] {
            make.gauge(&format!("transport_{name}_limit"), help)?.set(gauge_of(max as usize));
        }
    }
    Ok(())
}

const MESSAGE_BYTES: &str = "How large a message to or from a device may be";
