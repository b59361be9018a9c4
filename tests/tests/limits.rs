//! Each limit of the configuration is a gauge, with its value, so that one rule tells which is near.

use std::collections::BTreeSet;

use thingcall_tests::{Metrics, Site, rust_plugin};

const SAMPLE: &str = include_str!("../../deploy/thingcall.example.toml");

/// Limits, as the sample has them, with their gauges.
const GAUGES: &[(&str, &str)] = &[
    ("traces.spans_per_second_max", "trace_spans_per_second_limit"),
    ("traces.queue_spans_max", "trace_queue_spans_limit"),
    ("traces.batch_spans_max", "trace_batch_spans_limit"),
    ("api.calls_per_second_max", "account_calls_per_second_limit"),
    ("api.batch_calls_per_second_max", "account_batch_calls_per_second_limit"),
    ("api.broadcasts_per_second_max", "account_broadcasts_per_second_limit"),
    ("api.broadcasts_to_all_per_minute_max", "account_broadcasts_to_all_per_minute_limit"),
    ("api.uri_bytes_max", "api_uri_bytes_limit"),
    ("api.head_bytes_max", "api_head_bytes_limit"),
    ("api.body_bytes_max", "api_body_bytes_limit"),
    ("api.nonces_max", "key_nonces_limit"),
    ("api.connections_max", r#"listener_connections_limit{listener="api"}"#),
    ("api.unauthenticated_bytes_max", r#"listener_unauthenticated_bytes_limit{listener="api"}"#),
    ("api.string_to_sign_bytes_max", "api_string_to_sign_bytes_limit"),
    ("api.event_streams_max", "event_streams_limit"),
    ("api.event_filters_per_key_max", "event_filters_per_key_limit"),
    ("api.event_stream_bytes_max", "event_stream_bytes_limit"),
    ("engine.pending_calls_max", "pending_calls_limit"),
    ("engine.args_bytes_max", "call_args_bytes_limit"),
    ("engine.recent_calls_max", "recent_calls_limit"),
    ("engine.late_replies_max", "late_replies_limit"),
    ("engine.raw_replies_max", "raw_replies_limit"),
    ("engine.posts_on_their_way_max", "posts_on_their_way_limit"),
    ("engine.posts_on_their_way_bytes_max", "posts_on_their_way_bytes_limit"),
    ("engine.paced_waiting_calls_max", "paced_waiting_calls_limit"),
    ("engine.fleet_calls_max", "fleet_calls_per_account_limit"),
    ("engine.fleet_devices_max", "fleet_call_devices_limit"),
    ("engine.fleet_calls_per_second_max", "fleet_call_devices_per_second_limit"),
    ("engine.broadcasts_max", "broadcasts_limit"),
    ("engine.broadcast_devices_per_second_max", "broadcast_devices_per_second_limit"),
    ("engine.unawaited_questions_max", "unawaited_questions_limit"),
    ("engine.dropped_devices_max", "dropped_devices_limit"),
    ("engine.recent_failures_max", "recent_failures_limit"),
    ("broker.sessions_max", "broker_sessions_limit"),
    ("broker.sockets_max", "broker_sockets_limit"),
    ("broker.message_bytes_max", "broker_message_bytes_limit"),
    ("broker.session_queue_messages_max", "broker_session_queue_messages_limit"),
    ("broker.session_posts_max", "broker_session_posts_limit"),
    ("broker.kept_messages_per_device_max", "broker_kept_messages_per_device_limit"),
    ("broker.kept_messages_bytes_max", "broker_kept_bytes_limit"),
    ("broker.inflight_messages_max", "broker_session_inflight_messages_limit"),
    ("subscription.connections_max", "subscription_consumers_limit"),
    ("subscription.clients_per_group_max", "subscription_clients_per_group_limit"),
    ("subscription.connects_per_minute_per_group_max", "subscription_connects_per_minute_per_group_limit"),
    ("subscription.messages_per_second_per_connection_max", "subscription_messages_per_second_per_connection_limit"),
    ("subscription.backlog_per_second_per_group_max", "subscription_backlog_per_second_per_group_limit"),
    ("subscription.unsettled_messages_max", "subscription_unsettled_messages_per_connection_limit"),
    ("subscription.frame_bytes_max", "subscription_frame_bytes_limit"),
    ("subscription.sessions_max", "subscription_sessions_per_connection_limit"),
    ("subscription.output_bytes_max", "subscription_output_bytes_per_connection_limit"),
    ("webhooks.orders.in_flight_requests_max", r#"webhook_in_flight_requests_limit{target="orders"}"#),
    ("webhooks.orders.in_flight_bytes_max", r#"webhook_in_flight_bytes_limit{target="orders"}"#),
    ("webhooks.orders.tries_max", r#"webhook_tries_limit{target="orders"}"#),
    ("mqtt.presence_devices_max", r#"transport_presence_devices_limit{transport="mqtt"}"#),
    ("mqtt.messages_due_max", "mqtt_messages_due_limit"),
    ("mqtt.messages_packet_bytes_max", r#"transport_messages_packet_bytes_limit{transport="mqtt"}"#),
    ("mqtt.send_queue_messages_max", r#"transport_send_queue_limit{transport="mqtt"}"#),
    ("mqtt.inflight_messages_max", r#"transport_unacknowledged_limit{transport="mqtt"}"#),
    ("mqtt.foreign_replies_kept_max", r#"transport_foreign_replies_kept_limit{transport="mqtt"}"#),
    ("mqtt.foreign_replies_kept_bytes_max", r#"transport_foreign_replies_kept_bytes_limit{transport="mqtt"}"#),
    ("mqtt.message_bytes_max", r#"transport_message_bytes_limit{transport="mqtt"}"#),
    ("amqp.messages_due_max", "exchange_messages_due_limit"),
    ("amqp.presence_devices_max", r#"transport_presence_devices_limit{transport="amqp"}"#),
    ("amqp.send_queue_messages_max", r#"transport_send_queue_limit{transport="amqp"}"#),
    ("amqp.publish_channels_max", r#"transport_unacknowledged_limit{transport="amqp"}"#),
    ("amqp.prefetch_messages_max", r#"transport_prefetch_messages_limit{transport="amqp"}"#),
    ("amqp.reply_queue_messages_max", r#"transport_reply_queue_messages_limit{transport="amqp"}"#),
    ("amqp.posts_queue_messages_max", r#"transport_posts_queue_messages_limit{transport="amqp"}"#),
    ("amqp.message_bytes_max", r#"transport_message_bytes_limit{transport="amqp"}"#),
    ("gate.client_ids_max", "gate_client_ids_limit"),
    ("gate.body_bytes_max", "gate_body_bytes_limit"),
    ("gate.connections_max", r#"listener_connections_limit{listener="gate"}"#),
    ("gate.unauthenticated_bytes_max", r#"listener_unauthenticated_bytes_limit{listener="gate"}"#),
    ("registration.per_second_max", "registrations_per_second_limit"),
    ("store.read_connections_max", "store_read_connections_limit"),
    ("store.products_max", "store_products_limit"),
    ("store.devices_max", "store_devices_limit"),
    ("store.devices_cached_max", "store_devices_cached_limit"),
    ("store.batches_max", "store_batches_limit"),
    ("store.batch_devices_max", "store_batch_devices_limit"),
    ("store.audit_entries_max", "store_audit_entries_limit"),
    ("store.keys_max", "store_keys_limit"),
    ("store.temporary_keys_max", "store_temporary_keys_limit"),
    ("store.idempotency_tokens_max", "store_idempotency_tokens_limit"),
    ("store.idempotency_bytes_max", "store_idempotency_bytes_limit"),
    ("store.idempotency_tokens_per_account_max", "store_idempotency_tokens_per_account_limit"),
    ("store.idempotency_bytes_per_account_max", "store_idempotency_bytes_per_account_limit"),
    ("store.outbox_calls_per_device_max", "store_outbox_calls_per_device_limit"),
    ("store.journal_records_max", "store_records_limit"),
    ("store.results_due_max", "results_due_limit"),
    ("store.write_queue_records_max", "store_write_queue_records_limit"),
    ("store.unwritten_values_max", "store_unwritten_values_limit"),
    ("store.unwritten_values_bytes_max", "store_unwritten_values_bytes_limit"),
    ("store.last_values_per_device_max", "store_last_values_per_device_limit"),
    ("store.last_value_name_bytes_max", "store_last_value_name_bytes_limit"),
    ("store.history_records_per_product_max", "store_history_records_per_product_limit"),
    ("store.history_bytes_per_product_max", "store_history_bytes_per_product_limit"),
    ("store.log_bytes_max", "store_log_bytes_limit"),
    ("messages.messages_max", "store_messages_limit"),
    ("messages.bytes_max", "store_message_bytes_limit"),
    ("messages.append_queue_messages_max", "store_append_queue_messages_limit"),
    ("messages.append_queue_bytes_max", "store_append_queue_bytes_limit"),
    ("messages.readers_max", "store_message_readers_limit"),
    ("messages.stream_readers_max", "store_message_stream_readers_limit"),
    ("messages.subscriptions.groups_max", "store_consumer_groups_limit"),
    ("messages.subscriptions.groups_per_product_max", "store_consumer_groups_per_product_limit"),
    ("messages.subscriptions.products_per_group_max", "store_products_per_consumer_group_limit"),
    ("records.records_max", "store_call_records_limit"),
    ("records.bytes_max", "store_call_record_bytes_limit"),
    ("records.args_bytes_max", "store_call_record_args_bytes_limit"),
    ("records.reply_bytes_max", "store_call_record_reply_bytes_limit"),
    ("records.refused_per_minute_max", "store_refused_call_records_per_minute_limit"),
    ("records.queue_records_max", "store_call_record_queue_records_limit"),
    ("records.queue_bytes_max", "store_call_record_queue_bytes_limit"),
    ("loader.plugin_bytes_max", "plugin_answer_bytes_limit"),
    ("loader.operations_per_call_max", "plugin_operations_per_call_limit"),
    ("plugins.test-fb.calls_in_flight_max", r#"plugin_in_flight_limit{plugin="test-fb"}"#),
    ("metrics.connections_max", r#"listener_connections_limit{listener="operator"}"#),
    ("metrics.top_bytes_max", "top_bytes_limit"),
    ("console.failed_logins_max", "console_failed_logins_limit"),
    ("console.refused_per_minute_max", "console_refused_per_minute_limit"),
    ("console.connections_max", r#"listener_connections_limit{listener="console"}"#),
    ("console.live_tails_max", "console_live_tails_limit"),
    ("console.body_bytes_max", "console_body_bytes_limit"),
    ("console.unauthenticated_bytes_max", r#"listener_unauthenticated_bytes_limit{listener="console"}"#),
    ("log.kind_lines_per_second_max", "log_kind_lines_per_second_limit"),
    ("log.line_bytes_max", "log_line_bytes_limit"),
];

/// Keys that are no limits of anything that could be counted, and why.
const NONE: &[(&str, &str)] = &[
    ("broker.keep_alive_max", "a time that devices are told"),
    ("webhooks.orders.retry_pause_max", "a pause between tries"),
    ("mqtt.reconnect_pause_max", "a pause between tries"),
    ("amqp.reconnect_pause_max", "a pause between tries"),
    ("records.age_max", "a time after which records go"),
];

/// Gauges that show what holds, which may be another number than the key says, and why.
const IN_FORCE: &[(&str, &str)] = &[
    ("api.connections_max", "less where the system lets the server open fewer files"),
    ("broker.sockets_max", "less where the system lets the server open fewer files"),
    ("engine.recent_failures_max", "as many failures and as many refusals"),
    ("store.read_connections_max", "SQLite has as many as the machine has use for"),
];

/// Quantities whose name differs from their limit's by more than `_limit`; a rule that compares the two names them.
const NAMED_OTHERWISE: &[(&str, &str)] = &[
    ("transport_send_queue_limit", "transport_send_queue_length"),
    ("transport_unacknowledged_limit", "transport_unacknowledged_length"),
];

/// The keys of the sample that end with `_max`, with their values.
fn limits() -> Vec<(String, String)> {
    let (mut section, mut all) = (String::new(), Vec::new());
    for line in SAMPLE.lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once(" = ")
            && key.ends_with("_max")
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            all.push((format!("{section}.{key}"), value.to_owned()));
        }
    }
    all
}

/// The value of this series, written without `thingcall_`.
fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    let line = format!("thingcall_{series} ");
    metrics.text.lines().find_map(|other| other.strip_prefix(&*line))?.parse().ok()
}

fn site_with_everything() -> Site {
    let closed = "[mqtt]\nurl = \"mqtt://127.0.0.1:1\"\npresence = \"emqx\"\nmessages_topic = \"thingcall/messages\"\n\
        [amqp]\nurl = \"amqp://127.0.0.1:1\"\npresence = \"rabbitmq\"\nresults_exchange = \"thingcall.results\"\n\
        messages_exchange = \"thingcall.messages\"\n\
        [engine]\ndefault_transport = \"embedded\"\n[gate]\nlisten = \"127.0.0.1:0\"\n\
        [subscription]\nplain_amqp_listen = \"127.0.0.1:0\"\n[webhooks.orders]\nurl = \"http://127.0.0.1:1\"\n\
        secret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";
    Site::with_plugins(closed, &[&rust_plugin("test-fb")])
}

#[test]
fn every_limit_of_the_configuration_has_its_gauge() {
    let site = site_with_everything();
    let metrics = site.program.metrics();
    let limits = limits();
    assert!(limits.len() > 100, "{limits:?}");
    let mut wrong = Vec::new();

    for (key, sample) in &limits {
        let series = GAUGES.iter().find(|(of, _)| of == key).map(|(_, series)| *series);
        let excused = NONE.iter().any(|(of, _)| of == key);
        match (series, excused) {
            (Some(series), false) => {
                let shown = value(&metrics, series);
                let in_force = IN_FORCE.iter().any(|(of, _)| of == key);
                if shown.is_none() || (shown != sample.parse().ok() && !in_force) {
                    wrong.push(format!("{key} is {sample}, and thingcall_{series} {shown:?}"));
                }
            }
            (None, true) => {}
            _ => wrong.push(format!("{key} has no gauge, nor stands among those that need none")),
        }
    }
    for (key, _) in GAUGES.iter().chain(NONE).chain(IN_FORCE) {
        if !limits.iter().any(|(of, _)| of == key) {
            wrong.push(format!("{key} is no key of the sample"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_has_the_name_of_a_limit_without_its_end_is_what_it_limits() {
    let site = site_with_everything();
    let metrics = site.program.metrics();
    let series: Vec<&str> = metrics.text.lines().filter_map(|line| line.strip_prefix("thingcall_")).collect();
    let count = |name: &str| {
        let named = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        series.iter().filter(|line| named(line)).count()
    };
    let names: BTreeSet<&str> = series.iter().filter_map(|line| line.split(['{', ' ']).next()).collect();

    let mut pairs = 0;
    for name in names.iter().filter(|name| name.ends_with("_limit")) {
        let otherwise = NAMED_OTHERWISE.iter().find(|(limit, _)| limit == name).map(|(_, quantity)| *quantity);
        let quantity = otherwise.unwrap_or(name.trim_end_matches("_limit"));
        let (limits, quantities) = (count(name), count(quantity));
        assert!(otherwise.is_none() || quantities > 0, "{quantity}");
        pairs += usize::from(quantities > 0);
        // That of calls that wait is told by their state, and to be summed up.
        assert!(quantities == 0 || quantities == limits || *name == "pending_calls_limit", "{name}: {quantities}");
    }
    assert!(pairs > 50, "{pairs}");
    // Limits that are no keys.
    for constant in ["plugin_trials", "console_ended_logins"] {
        assert!(value(&metrics, &format!("{constant}_limit")).is_some(), "{constant}");
    }
}
