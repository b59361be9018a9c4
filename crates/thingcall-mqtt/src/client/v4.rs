//! MQTT 3.1.1.

use rumqttc_v4::{
    AckMode, AsyncClient, AsyncClientBuilder, ClientError, ConnectReturnCode, ConnectionError, Event as Polled,
    ManualAck, MqttOptions, Outgoing as Wrote, Packet, PubAck, PublishOptions, QoS, SubscribeFilter,
    SubscribeReasonCode, Transport,
};
use thingcall_core::Qos;
use thingcall_transport::{ConnectResult, Ended};

use super::{
    Acknowledgement, Client, Event, Loop, NotQueued, Outgoing, Target, WRITE_BATCH_MESSAGES, not_connected, socket,
};

pub(super) fn build(target: Target<'_>) -> (Client, Loop) {
    let config = target.config;
    let mut options = MqttOptions::new(target.client_id, target.host_and_port());
    options
        .set_keep_alive(target.keep_alive())
        .set_clean_session(!target.keeps_session)
        .set_ack_mode(if target.keeps_session { AckMode::Manual } else { AckMode::Automatic })
        .set_inflight(config.inflight_messages_max.get());
    options.set_max_packet_size(target.incoming_bytes_max(), target.outgoing_bytes_max);
    options.set_max_request_batch(WRITE_BATCH_MESSAGES);
    options.set_socket_connector(socket::connect);
    if let Some(tls) = &target.tls {
        options.set_transport(Transport::Tls(tls.clone()));
    }
    if let Some((username, password)) = target.credentials() {
        options.set_credentials(username, password);
    }
    let (client, mut event_loop) =
        AsyncClientBuilder::new(options).capacity(config.send_queue_messages_max.get()).build();
    event_loop.set_network_options(target.network());
    (Client::V4(client), Loop::V4(Box::new(event_loop)))
}

pub(super) fn subscribe(client: &AsyncClient, filters: &[&str]) -> Result<(), String> {
    let filter = |filter: &&str| SubscribeFilter { path: (*filter).to_owned(), qos: QoS::AtLeastOnce };
    client.try_subscribe_many(filters.iter().map(filter)).map_err(|e| e.to_string())
}

pub(super) fn publish(client: &AsyncClient, message: Outgoing) -> Result<Option<Acknowledgement>, NotQueued> {
    let Outgoing { topic, payload, qos, .. } = message;
    match qos {
        Qos::AtMostOnce => client.try_publish(topic, payload, PublishOptions::at_most_once()).map(|()| None),
        Qos::AtLeastOnce => client
            .try_publish_tracked(topic, payload, PublishOptions::at_least_once())
            .map(|notice| Some(Acknowledgement::V4(notice))),
    }
    .map_err(
        |error| if matches!(error, ClientError::RequestChannelFull(_)) { NotQueued::Full } else { NotQueued::Ended },
    )
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of the packets of MQTT four concern us")]
pub(super) fn event(polled: Polled) -> Event {
    match polled {
        Polled::Incoming(Packet::ConnAck(ack)) => {
            Event::Connected { packet_bytes_max: None, resumed: ack.session_present }
        }
        Polled::Incoming(Packet::SubAck(ack)) => {
            let refused = |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Failure);
            let codes = ack.return_codes.iter().enumerate();
            Event::Subscribed {
                filters: ack.return_codes.len(),
                refused: codes.filter(|(_, code)| refused(code)).map(|(at, _)| at).collect(),
            }
        }
        Polled::Incoming(Packet::Publish(publish)) => {
            let is_owed = publish.qos == QoS::AtLeastOnce;
            let puback = is_owed.then(|| ManualAck::PubAck(PubAck::new(publish.pkid)));
            Event::Message { topic: publish.topic, payload: publish.payload, puback, is_own: false }
        }
        Polled::Outgoing(Wrote::Publish(id)) => Event::Sent(id),
        Polled::Incoming(Packet::PubAck(ack)) => Event::Acked(ack.pkid),
        _ => Event::Nothing,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the counter tells these apart; the log has the rest")]
pub(super) fn ended(error: &ConnectionError) -> Ended {
    let result = match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => ConnectResult::Auth,
        ConnectionError::Tls(_) => ConnectResult::Tls,
        ConnectionError::NetworkTimeout | ConnectionError::FlushTimeout => ConnectResult::Timeout,
        _ => ConnectResult::Refused,
    };
    not_connected(result, error)
}
