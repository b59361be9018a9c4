//! What a store holds at the time of each schema: since which version on SQLite, since which on PostgreSQL, and the statement, which
//! both understand. A new step adds its own here; what is here is not changed, as what was written once is not.

/// `{bytes}` are two bytes, `{now}` is when the test runs, `{later}` a day later.
pub(super) const ROWS: &[(usize, usize, &str)] = &[
    (
        1,
        1,
        "INSERT INTO products (key, name, settings, created_at) VALUES ('p', 'lamp', '{}', {now});
         INSERT INTO models (product, position, text) VALUES ('p', 0, '{\"schema\":\"\",\"profile\":{\"productKey\":\"p\"},\"services\":[],\"properties\":[],\"events\":[]}');
         INSERT INTO devices (product, name, iot_id, secret, enabled, nickname, created_at, activated_at, last_seen_at, address)
             VALUES ('p', 'd1', 'i1', 'd1-secret', TRUE, '灯', {now}, {now}, {now}, '10.0.0.1:1234');
         INSERT INTO devices (product, name, iot_id, secret, enabled, created_at) VALUES ('p', 'd2', 'i2', 'd2-secret', FALSE, {now});
         INSERT INTO access_keys (id, secret, account, enabled, result, created_at) VALUES ('k1', 'k1-secret', 'default', TRUE, 'data', {now});
         INSERT INTO access_keys (id, secret, account, enabled, security_token, created_at)
             VALUES ('k2', 'k2-secret', 'default', FALSE, 't', {now});
         INSERT INTO calls (call_id, request_id, product, device, iot_id, service, params, qos, state, outcome, transport, code, message,
             data, accepted_at, sent_at, acked_at, ended_at) VALUES (1, '00000000-0000-0000-0000-000000000001', 'p', 'd1', 'i1',
             'SetScene', '{}', 1, 3, 'ok', 'embedded', 200, 'success', '{\"applied\":1}', {now}, {now}, {now}, {now});
         INSERT INTO calls (call_id, request_id, product, device, iot_id, module, service, params, qos, state, accepted_at)
             VALUES (2, '00000000-0000-0000-0000-000000000002', 'p', 'd1', 'i1', 'm', 'SetScene', '{\"x\":10.0}', 1, 0, {now});
         INSERT INTO changes (seq, kind, subject, name) VALUES (1, 'device', 'p', 'd1')",
    ),
    (
        2,
        1,
        "INSERT INTO calls (call_id, request_id, product, device, iot_id, service, params, raw, qos, state, accepted_at)
             VALUES (3, '00000000-0000-0000-0000-000000000003', 'p', 'd2', 'i2', 'SetScene', '{}', {bytes}, 1, 0, {now})",
    ),
    (3, 1, "UPDATE devices SET came_from = 'mqtt', sync_topic = 'ext' WHERE name = 'd1'"),
    (
        4,
        1,
        "INSERT INTO calls (call_id, request_id, product, device, iot_id, service, params, qos, state, outcome, code, accepted_at,
             ended_at, due) VALUES (4, '00000000-0000-0000-0000-000000000004', 'p', 'd1', 'i1', 'SetScene', '{}', 0, 3, 'ok', 200,
             {now}, {now}, TRUE)",
    ),
    (7, 1, "UPDATE calls SET taken_over_by = 'another', taken_over_at = {now} WHERE call_id = 1"),
    (
        8,
        2,
        "INSERT INTO consumer_groups (id, name, created_at) VALUES ('abcdefghijklmnopqrstuvwxyz', 'readers', {now});
         INSERT INTO subscriptions (product, topics, members) VALUES ('p', 'device_data', 'abcdefghijklmnopqrstuvwxyz');
         INSERT INTO messages (seq, id, kind, product, device, at, topic, body)
             VALUES (1, 5, 'event', 'p', 'd1', {now}, '/p/d1/thing/event/e/post', {bytes});
         UPDATE message_log SET last = 1, bytes = 258, since = {now};
         INSERT INTO readers (name, wishes, position, lost) VALUES ('group:abcdefghijklmnopqrstuvwxyz', '[]', 1, 3);
         INSERT INTO claims (reader, first, last, messages, slot, generation) VALUES ('group:abcdefghijklmnopqrstuvwxyz', 1, 1, 1, 0, 0);
         INSERT INTO backlog (reader, seq, tries, due_at, dead, why)
             VALUES ('group:abcdefghijklmnopqrstuvwxyz', 1, 1, {later}, FALSE, 'refused')",
    ),
    (9, 3, "INSERT INTO last_values (product, device, property, value, at) VALUES ('p', 'd1', 'm:x', '10.0', {now})"),
    (10, 4, "UPDATE access_keys SET allowed = 'actions=Query*' WHERE id = 'k2'"),
    (11, 5, "INSERT INTO product_notes (product, notes) VALUES ('p', '{}')"),
    (
        12,
        7,
        "INSERT INTO call_records (call_id, request_id, product, device, service, key_id, outcome, accepted_at, bytes, body)
             VALUES (8, '00000000-0000-0000-0000-000000000008', 'p', 'd1', 'SetScene', 'k1', 'timeout', {now}, 90, '{}');
         UPDATE call_records_size SET bytes = 90;
         UPDATE calls SET key_id = 'k1' WHERE call_id = 1",
    ),
    (
        13,
        9,
        "INSERT INTO access_keys (id, secret, account, enabled, security_token, created_at, made_of, ends_at)
             VALUES ('STS.k3', 'k3-secret', 'default', TRUE, 't', {now}, 'k1', {later})",
    ),
    (
        14,
        10,
        "INSERT INTO batches (id, product, state, devices, created, created_at) VALUES (7, 'p', 'created', 1, 1, {now});
         INSERT INTO batch_devices (batch, place, name) VALUES (7, 0, 'd1');
         INSERT INTO device_tags (product, device, tag, value) VALUES ('p', 'd1', 'floor', '2')",
    ),
    (16, 12, "INSERT INTO history (product, device, kind, name, at, value) VALUES ('p', 'd1', 0, 'x', {now}, '10.0')"),
    (
        17,
        13,
        "INSERT INTO once (account, token, digest, request_id, holder, answer, ends_at)
             VALUES ('default', 'token', {bytes}, '00000000-0000-0000-0000-000000000009', 'gone', {bytes}, {later})",
    ),
    (
        18,
        14,
        "INSERT INTO fleet_calls (id, account, product, service, args, qos, calls_per_second, in_flight, state, created_at, ended_at)
             VALUES ('abcdefghijklmnopqrstuvwxyz', 'default', 'p', 'SetScene', '{}', 0, 10, 10, 'ENDED', {now}, {now});
         INSERT INTO fleet_devices (fleet_call, number, name, begun_at, ended_at, outcome)
             VALUES ('abcdefghijklmnopqrstuvwxyz', 0, 'd1', {now}, {now}, 'SUCCEEDED')",
    ),
    (19, 15, "UPDATE devices SET online_at = {now} WHERE name = 'd1'"),
    (20, 16, "UPDATE fleet_calls SET key = 'k1', reason = 'none'"),
    (21, 17, "UPDATE call_records SET action = 'InvokeThingService'; UPDATE calls SET action = 'InvokeThingService' WHERE call_id = 1"),
    (
        22,
        18,
        "INSERT INTO audit (at, door, key_id, action, target, outcome, address)
             VALUES ({now}, 'console', 'k1', 'CreateProduct', 'ProductName=p', 'done', '127.0.0.1')",
    ),
    (
        23,
        19,
        "INSERT INTO message_traces (seq, trace) VALUES (1, '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')",
    ),
];
