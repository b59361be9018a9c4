//! One client for both versions of MQTT: what differs between rumqttc's two crates is here and nowhere else.

use std::time::Duration;

use bytes::Bytes;
use rumqttc_v4 as v4;
use rumqttc_v5 as v5;
use thingcall_alink::REPLY_FILTERS;
use thingcall_core::{ConnectResult, DeliverError, Qos};

use crate::config::{Address, Config, Version};

/// The sending half of one connection.
#[derive(Debug, Clone)]
pub(crate) enum Client {
    V4(v4::AsyncClient),
    V5(v5::AsyncClient),
}

/// The receiving half; it also drives the socket.
pub(crate) enum Loop {
    V4(Box<v4::EventLoop>),
    V5(Box<v5::EventLoop>),
}

/// What the socket brought.
pub(crate) enum Incoming {
    Connected,
    /// The answer to our subscriptions: how many were refused.
    Subscribed {
        refused: usize,
    },
    Message {
        topic: Bytes,
        payload: Bytes,
    },
    Nothing,
}

/// Why a connection ended, for the counter and the log.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: ConnectResult,
    pub(crate) why: String,
}

/// The broker's word on a QoS 1 message.
pub(crate) enum Acknowledgement {
    V4(v4::PublishNotice),
    V5(v5::PublishNotice),
}

/// Makes a client that has not connected yet.
pub(crate) fn build(
    config: &Config,
    address: &Address,
    client_id: &str,
    tls: Option<&v4::TlsConfiguration>,
) -> (Client, Loop) {
    match config.version {
        Version::V4 => build_v4(config, address, client_id, tls),
        Version::V5 => build_v5(config, address, client_id, tls),
    }
}

fn network(config: &Config) -> v4::NetworkOptions {
    let mut network = v4::NetworkOptions::new();
    // Off, it costs 70 microseconds of a 170 microsecond round trip.
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(config.connect_timeout.as_secs().max(1));
    network
}

fn keep_alive(config: &Config) -> u16 {
    u16::try_from(config.keep_alive.as_secs()).unwrap_or(u16::MAX)
}

fn build_v4(config: &Config, address: &Address, client_id: &str, tls: Option<&v4::TlsConfiguration>) -> (Client, Loop) {
    let mut options = v4::MqttOptions::new(client_id, (address.host.clone(), address.port));
    options.set_keep_alive(keep_alive(config)).set_clean_session(true).set_inflight(config.inflight_messages_max);
    // The library's own limit of 10 KB tears the connection down.
    options.set_max_packet_size(packet_bytes(config), packet_bytes(config));
    if let Some(tls) = tls {
        options.set_transport(v4::Transport::Tls(tls.clone()));
    }
    if let Some(username) = &config.username {
        options.set_credentials(username.clone(), password(config));
    }
    let (client, mut event_loop) =
        v4::AsyncClientBuilder::new(options).capacity(config.send_queue_messages_max).build();
    event_loop.set_network_options(network(config));
    (Client::V4(client), Loop::V4(Box::new(event_loop)))
}

fn build_v5(config: &Config, address: &Address, client_id: &str, tls: Option<&v4::TlsConfiguration>) -> (Client, Loop) {
    let mut options = v5::MqttOptions::new(client_id, (address.host.clone(), address.port));
    options.set_keep_alive(keep_alive(config)).set_clean_start(true);
    options.set_max_packet_size(u32::try_from(packet_bytes(config)).ok());
    options.set_outgoing_inflight_upper_limit(config.inflight_messages_max);
    options.set_connect_timeout(config.connect_timeout);
    options.set_network_options(network(config));
    if let Some(tls) = tls {
        options.set_transport(v5::Transport::Tls(tls.clone()));
    }
    if let Some(username) = &config.username {
        options.set_credentials(username.clone(), password(config));
    }
    let (client, event_loop) = v5::AsyncClientBuilder::new(options).capacity(config.send_queue_messages_max).build();
    (Client::V5(client), Loop::V5(Box::new(event_loop)))
}

fn password(config: &Config) -> Bytes {
    config.password.as_ref().map(|secret| Bytes::copy_from_slice(secret.expose().as_bytes())).unwrap_or_default()
}

/// A message and the topic and header around it.
fn packet_bytes(config: &Config) -> usize {
    config.message_bytes_max + 1024
}

impl Client {
    /// Asks for the replies of every device.
    pub(crate) fn subscribe(&self) -> Result<(), Ended> {
        let ended = |why: String| Ended { result: ConnectResult::Refused, why };
        match self {
            Self::V4(client) => {
                let filters = REPLY_FILTERS
                    .iter()
                    .map(|filter| v4::SubscribeFilter { path: (*filter).to_owned(), qos: v4::QoS::AtLeastOnce });
                client.try_subscribe_many(filters).map_err(|e| ended(e.to_string()))
            }
            Self::V5(client) => {
                let filters = REPLY_FILTERS
                    .iter()
                    .map(|filter| v5::SubscribeFilterInput::new(*filter, v5::QoS::AtLeastOnce).no_local(true));
                client.try_subscribe_many(filters).map_err(|e| ended(e.to_string()))
            }
        }
    }

    /// Queues a message. At QoS 1 the broker's acknowledgement can be waited for.
    pub(crate) fn publish(
        &self,
        topic: String,
        payload: Bytes,
        qos: Qos,
        expires_after: Option<Duration>,
    ) -> Result<Option<Acknowledgement>, NotQueued> {
        match (self, qos) {
            (Self::V4(client), Qos::AtMostOnce) => {
                client.try_publish(topic, payload, v4::PublishOptions::at_most_once()).map(|()| None).map_err(from_v4)
            }
            (Self::V4(client), Qos::AtLeastOnce) => client
                .try_publish_tracked(topic, payload, v4::PublishOptions::at_least_once())
                .map(|notice| Some(Acknowledgement::V4(notice)))
                .map_err(from_v4),
            (Self::V5(client), Qos::AtMostOnce) => {
                let options = v5::PublishOptions::at_most_once().properties(expiry(expires_after));
                client.try_publish(topic, payload, options).map(|()| None).map_err(from_v5)
            }
            (Self::V5(client), Qos::AtLeastOnce) => {
                let options = v5::PublishOptions::at_least_once().properties(expiry(expires_after));
                client
                    .try_publish_tracked(topic, payload, options)
                    .map(|notice| Some(Acknowledgement::V5(notice)))
                    .map_err(from_v5)
            }
        }
    }

    /// Says goodbye; the event loop sends it and ends.
    pub(crate) fn disconnect(&self) {
        let said = match self {
            Self::V4(client) => client.try_disconnect().is_ok(),
            Self::V5(client) => client.try_disconnect().is_ok(),
        };
        if !said {
            tracing::debug!("no room to say goodbye to the broker");
        }
    }
}

/// A message that did not get into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotQueued {
    Full,
    Ended,
}

fn from_v4(error: v4::ClientError) -> NotQueued {
    if matches!(error, v4::ClientError::RequestChannelFull(_)) { NotQueued::Full } else { NotQueued::Ended }
}

fn from_v5(error: v5::ClientError) -> NotQueued {
    if matches!(error, v5::ClientError::RequestChannelFull(_)) { NotQueued::Full } else { NotQueued::Ended }
}

/// MQTT 5 counts in whole seconds: rounded up, since a message must not expire before its caller stops waiting.
fn expiry(expires_after: Option<Duration>) -> v5::PublishProperties {
    let seconds = expires_after.map(|left| left.as_secs() + u64::from(left.subsec_nanos() > 0));
    v5::PublishProperties {
        message_expiry_interval: seconds.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        ..v5::PublishProperties::default()
    }
}

impl Acknowledgement {
    /// Waits for it. An error says whether the message may have arrived.
    pub(crate) async fn wait(self) -> Result<(), DeliverError> {
        match self {
            Self::V4(notice) => notice.wait_async().await.map(drop).map_err(|_| DeliverError::Lost),
            Self::V5(notice) => match notice.wait_async().await {
                // The broker has nobody to give it to: nothing was executed.
                Ok(v5::PublishResult::Qos1(ack)) if ack.reason == v5::PubAckReason::NoMatchingSubscribers => {
                    Err(DeliverError::Offline)
                }
                Ok(_) => Ok(()),
                Err(v5::PublishNoticeError::V5PubAck(v5::PubAckReason::NoMatchingSubscribers)) => {
                    Err(DeliverError::Offline)
                }
                Err(v5::PublishNoticeError::V5PubAck(_)) => {
                    Err(DeliverError::Refused("the broker refused the message".to_owned()))
                }
                Err(_) => Err(DeliverError::Lost),
            },
        }
    }
}

impl Loop {
    /// Sends what is queued and takes the next thing the socket brings. The first call connects.
    pub(crate) async fn poll(&mut self) -> Result<Incoming, Ended> {
        match self {
            Self::V4(event_loop) => match event_loop.poll().await {
                Ok(v4::Event::Incoming(packet)) => Ok(incoming_v4(packet)),
                Ok(v4::Event::Outgoing(_)) => Ok(Incoming::Nothing),
                Err(error) => Err(ended_v4(&error)),
            },
            Self::V5(event_loop) => match event_loop.poll().await {
                Ok(v5::Event::Incoming(packet)) => Ok(incoming_v5(packet)),
                Ok(v5::Event::Outgoing(_) | v5::Event::Auth(_)) => Ok(Incoming::Nothing),
                Err(error) => Err(ended_v5(&error)),
            },
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of the packets of MQTT three concern us")]
fn incoming_v4(packet: v4::Packet) -> Incoming {
    match packet {
        v4::Packet::ConnAck(_) => Incoming::Connected,
        v4::Packet::SubAck(ack) => Incoming::Subscribed {
            refused: ack.return_codes.iter().filter(|code| **code == v4::SubscribeReasonCode::Failure).count(),
        },
        v4::Packet::Publish(publish) => Incoming::Message { topic: publish.topic, payload: publish.payload },
        _ => Incoming::Nothing,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "of the packets of MQTT three concern us")]
fn incoming_v5(packet: v5::Packet) -> Incoming {
    match packet {
        v5::Packet::ConnAck(_) => Incoming::Connected,
        v5::Packet::SubAck(ack) => {
            let granted = |code: &&v5::SubscribeReasonCode| matches!(code, v5::SubscribeReasonCode::Success(_));
            Incoming::Subscribed { refused: ack.return_codes.len() - ack.return_codes.iter().filter(granted).count() }
        }
        v5::Packet::Publish(publish) => Incoming::Message { topic: publish.topic, payload: publish.payload },
        _ => Incoming::Nothing,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the counter tells these apart; the log has the rest")]
fn ended_v4(error: &v4::ConnectionError) -> Ended {
    use v4::ConnectReturnCode::{BadUserNamePassword, NotAuthorized};
    let result = match error {
        v4::ConnectionError::ConnectionRefused(BadUserNamePassword | NotAuthorized) => ConnectResult::Auth,
        v4::ConnectionError::Tls(_) => ConnectResult::Tls,
        v4::ConnectionError::NetworkTimeout | v4::ConnectionError::FlushTimeout => ConnectResult::Timeout,
        _ => ConnectResult::Refused,
    };
    Ended { result, why: error.to_string() }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the counter tells these apart; the log has the rest")]
fn ended_v5(error: &v5::ConnectionError) -> Ended {
    use v5::ConnectReturnCode::{BadUserNamePassword, NotAuthorized};
    let result = match error {
        v5::ConnectionError::ConnectionRefused(BadUserNamePassword | NotAuthorized) => ConnectResult::Auth,
        v5::ConnectionError::Tls(_) => ConnectResult::Tls,
        v5::ConnectionError::Timeout(_) => ConnectResult::Timeout,
        _ => ConnectResult::Refused,
    };
    Ended { result, why: error.to_string() }
}
