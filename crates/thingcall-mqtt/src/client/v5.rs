//! MQTT 5: messages expire with their call, our own do not come back, and the broker says more.

use std::time::Duration;

use rumqttc_v5::{
    AsyncClient, AsyncClientBuilder, ClientError, ConnectReturnCode, ConnectionError, Event as Polled, MqttOptions,
    Outgoing as Wrote, Packet, PubAckReason, PublishNoticeError, PublishOptions, PublishProperties, PublishResult, QoS,
    SubscribeFilterInput, SubscribeReasonCode, Transport,
};
use thingcall_core::{DeliverError, Letter, Qos, TRACE_PARENT, TraceContext};
use thingcall_transport::{ConnectResult, Ended};

use super::{
    Acknowledgement, Client, Event, Loop, NotQueued, Outgoing, Target, WRITE_BATCH_MESSAGES, not_connected, socket,
};
use crate::letters::OWN;

pub(super) fn build(target: Target<'_>) -> (Client, Loop) {
    let config = target.config;
    let mut options = MqttOptions::new(target.client_id, target.host_and_port());
    options.set_keep_alive(target.keep_alive()).set_clean_start(true);
    options.set_max_packet_size(u32::try_from(target.incoming_bytes_max()).ok());
    options.set_outgoing_inflight_upper_limit(config.inflight_messages_max.get());
    options.set_max_request_batch(WRITE_BATCH_MESSAGES);
    options.set_connect_timeout(config.connect_timeout);
    options.set_network_options(target.network());
    options.set_socket_connector(socket::connect);
    if let Some(tls) = &target.tls {
        options.set_transport(Transport::Tls(tls.clone()));
    }
    if let Some((username, password)) = target.credentials() {
        options.set_credentials(username, password);
    }
    let (client, event_loop) = AsyncClientBuilder::new(options).capacity(config.send_queue_messages_max.get()).build();
    (Client::V5(client), Loop::V5(Box::new(event_loop)))
}

/// With `no_local` our own messages do not come back.
pub(super) fn subscribe(client: &AsyncClient, filters: &[&str], no_local: bool) -> Result<(), String> {
    let filter = |filter: &&str| SubscribeFilterInput::new(*filter, QoS::AtLeastOnce).no_local(no_local);
    client.try_subscribe_many(filters.iter().map(filter)).map_err(|e| e.to_string())
}

pub(super) fn publish(client: &AsyncClient, message: Outgoing) -> Result<Option<Acknowledgement>, NotQueued> {
    let Outgoing { topic, payload, qos, expires_after, message_id, letter, trace } = message;
    let mut properties = match letter {
        Some(letter) => of_letter(&letter, expires_after),
        None => PublishProperties {
            message_expiry_interval: expires_after.map(seconds),
            content_type: message_id.map(|_| "application/json".to_owned()),
            user_properties: message_id.map(|id| ("id".to_owned(), id.to_string())).into_iter().collect(),
            ..PublishProperties::default()
        },
    };
    // An application may tell a place of its own.
    let told = properties.user_properties.iter().any(|(name, _)| name == TRACE_PARENT);
    let pairs = trace.iter().filter(|_| !told).flat_map(TraceContext::pairs);
    properties.user_properties.extend(pairs.map(|(name, value)| (name.to_owned(), value)));
    match qos {
        Qos::AtMostOnce => {
            client.try_publish(topic, payload, PublishOptions::at_most_once().properties(properties)).map(|()| None)
        }
        Qos::AtLeastOnce => client
            .try_publish_tracked(topic, payload, PublishOptions::at_least_once().properties(properties))
            .map(|notice| Some(Acknowledgement::V5(notice))),
    }
    .map_err(
        |error| if matches!(error, ClientError::RequestChannelFull(_)) { NotQueued::Full } else { NotQueued::Ended },
    )
}

/// What goes with a letter, and our mark.
fn of_letter(letter: &Letter, expires_after: Option<Duration>) -> PublishProperties {
    let mut properties = PublishProperties {
        message_expiry_interval: expires_after.map(seconds),
        user_properties: vec![(OWN.0.to_owned(), OWN.1.to_owned())],
        ..PublishProperties::default()
    };
    if let Some(extras) = &letter.extras {
        properties.payload_format_indicator = extras.is_utf8.then_some(1);
        properties.message_expiry_interval = properties.message_expiry_interval.or(extras.expires_after_s);
        properties.response_topic.clone_from(&extras.response_topic);
        properties.correlation_data.clone_from(&extras.correlation_data);
        properties.content_type.clone_from(&extras.content_type);
        properties.user_properties.extend(extras.user.iter().cloned());
    }
    properties
}

/// MQTT 5 counts in whole seconds: rounded up, since a message must not expire before its caller stops waiting.
fn seconds(left: Duration) -> u32 {
    u32::try_from(left.as_secs() + u64::from(left.subsec_nanos() > 0)).unwrap_or(u32::MAX)
}

/// Reads the broker's word on a QoS 1 message. The library hands on every reason, also of a refusal, as a success.
pub(super) fn acknowledged(word: Result<PublishResult, PublishNoticeError>) -> Result<(), DeliverError> {
    match word {
        Ok(PublishResult::Qos1(ack)) => accepted(ack.reason),
        Err(PublishNoticeError::V5PubAck(reason)) => accepted(reason),
        Ok(_) => Ok(()),
        Err(_) => Err(DeliverError::Lost),
    }
}

fn accepted(reason: PubAckReason) -> Result<(), DeliverError> {
    let refused = |why: &str| Err(DeliverError::Refused(format!("the devices' broker refused it: {why}")));
    match reason {
        PubAckReason::Success => Ok(()),
        // The broker has nobody to give it to: nothing was executed.
        PubAckReason::NoMatchingSubscribers => Err(DeliverError::Offline),
        PubAckReason::NotAuthorized => refused("the server may not publish to this device"),
        PubAckReason::QuotaExceeded => refused("a quota is used up"),
        PubAckReason::TopicNameInvalid | PubAckReason::PayloadFormatInvalid => refused("its form is not allowed"),
        PubAckReason::UnspecifiedError
        | PubAckReason::ImplementationSpecificError
        | PubAckReason::PacketIdentifierInUse => refused("it did not say why"),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of the packets of MQTT four concern us")]
pub(super) fn event(polled: Polled) -> Event {
    match polled {
        Polled::Incoming(Packet::ConnAck(ack)) => Event::Connected {
            resumed: ack.session_present,
            packet_bytes_max: ack.properties.and_then(|properties| properties.max_packet_size),
        },
        Polled::Incoming(Packet::SubAck(ack)) => {
            let refused = |code: &SubscribeReasonCode| !matches!(code, SubscribeReasonCode::Success(_));
            let codes = ack.return_codes.iter().enumerate();
            Event::Subscribed {
                filters: ack.return_codes.len(),
                refused: codes.filter(|(_, code)| refused(code)).map(|(at, _)| at).collect(),
            }
        }
        Polled::Incoming(Packet::Publish(publish)) => {
            let is_own = publish.properties.as_ref().is_some_and(|said| {
                said.user_properties.iter().any(|(name, value)| (name.as_str(), value.as_str()) == OWN)
            });
            Event::Message { topic: publish.topic, payload: publish.payload, puback: None, is_own }
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
        ConnectionError::Timeout(_) => ConnectResult::Timeout,
        _ => ConnectResult::Refused,
    };
    not_connected(result, error)
}

#[cfg(test)]
mod tests;
