//! The packets of MQTT 3.1, 3.1.1 and 5, as what they mean here.
//!
//! **Invariant:** what depends on the version of a connection stands in this file; the session knows none.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v5::{
    DisconnectReasonCode, PublishAck, PublishAck2, PublishAck2Reason, PublishAckReason, SubscribeAck,
    SubscribeAckReason, UnsubscribeAck, UnsubscribeAckReason,
};
use rmqtt_codec::{MqttPacket, v3, v5};

/// The versions that differ in their packets. MQTT 3.1 is like 3.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V3,
    V5,
}

/// What a CONNECT says, as far as it counts here.
pub(crate) struct Connect {
    pub(crate) version: Version,
    pub(crate) client_id: ByteString,
    pub(crate) username: Option<ByteString>,
    pub(crate) password: Option<Bytes>,
    pub(crate) keep_alive: u16,
    pub(crate) will_topic: Option<ByteString>,
    /// How many QoS 1 messages it takes at once, if it says.
    pub(crate) receive_max: Option<NonZeroU16>,
    /// The largest packet it takes, if it says.
    pub(crate) packet_bytes_max: Option<NonZeroU32>,
    /// It wants nothing of a session of before.
    pub(crate) begins_anew: bool,
    /// Whether and for how long its session is to be kept when it leaves.
    pub(crate) keeps: Keeps,
    /// It wants to be authenticated otherwise than by user name and password.
    pub(crate) other_auth: bool,
}

/// Whether a device's session is kept when it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    Nothing,
    For(Duration),
    ForEver,
}

/// What a logged-in device says.
pub(crate) enum Said {
    Publish(Box<Publish>),
    /// It has a QoS 1 message of ours.
    Acked(NonZeroU16),
    /// It knows that we have its QoS 2 message.
    Released(NonZeroU16),
    Subscribe(NonZeroU16, Vec<(ByteString, QoS)>),
    Unsubscribe(NonZeroU16, Vec<ByteString>),
    Ping,
    Disconnect,
    /// What no client sends after its CONNECT.
    Nonsense,
}

/// An answer to a CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnackReason {
    /// It cannot prove who it is.
    Credentials,
    /// It may not.
    NotAuthorized,
    /// Its client id cannot be.
    ClientId,
    /// It wants another way to prove who it is.
    AuthMethod,
    /// Not now.
    Unavailable,
}

/// What MQTT 5 is told of its connection's limits.
pub(crate) struct Granted {
    pub(crate) packet_bytes_max: u32,
    pub(crate) receive_max: NonZeroU16,
    /// If it is another one than the client asked for.
    pub(crate) keep_alive: Option<u16>,
    /// If the client sent none.
    pub(crate) client_id: Option<ByteString>,
}

impl Connect {
    /// The CONNECT in a packet, if it is one.
    pub(crate) fn of(packet: MqttPacket) -> Option<Self> {
        match packet {
            MqttPacket::V3(v3::Packet::Connect(connect)) => Some(Self {
                version: Version::V3,
                client_id: connect.client_id,
                username: connect.username,
                password: connect.password,
                keep_alive: connect.keep_alive,
                will_topic: connect.last_will.map(|will| will.topic),
                receive_max: None,
                packet_bytes_max: None,
                begins_anew: connect.clean_session,
                keeps: if connect.clean_session { Keeps::Nothing } else { Keeps::ForEver },
                other_auth: false,
            }),
            MqttPacket::V5(v5::Packet::Connect(connect)) => Some(Self {
                version: Version::V5,
                client_id: connect.client_id,
                username: connect.username,
                password: connect.password,
                keep_alive: connect.keep_alive,
                will_topic: connect.last_will.map(|will| will.topic),
                receive_max: connect.receive_max,
                packet_bytes_max: connect.max_packet_size,
                begins_anew: connect.clean_start,
                keeps: match connect.session_expiry_interval_secs {
                    0 => Keeps::Nothing,
                    u32::MAX => Keeps::ForEver,
                    seconds => Keeps::For(Duration::from_secs(seconds.into())),
                },
                other_auth: connect.auth_method.is_some(),
            }),
            MqttPacket::V3(_) | MqttPacket::V5(_) | MqttPacket::Version(_) => None,
        }
    }
}

impl Said {
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else there is comes from servers, or twice")]
    pub(crate) fn of(packet: MqttPacket) -> Self {
        match packet {
            MqttPacket::V3(packet) => match packet {
                v3::Packet::Publish(publish) => Self::Publish(publish),
                v3::Packet::PublishAck { packet_id } => Self::Acked(packet_id),
                v3::Packet::PublishRelease { packet_id } => Self::Released(packet_id),
                v3::Packet::Subscribe { packet_id, topic_filters } => Self::Subscribe(packet_id, topic_filters),
                v3::Packet::Unsubscribe { packet_id, topic_filters } => Self::Unsubscribe(packet_id, topic_filters),
                v3::Packet::PingRequest => Self::Ping,
                v3::Packet::Disconnect => Self::Disconnect,
                _ => Self::Nonsense,
            },
            MqttPacket::V5(packet) => match packet {
                v5::Packet::Publish(publish) => Self::Publish(publish),
                v5::Packet::PublishAck(ack) => Self::Acked(ack.packet_id),
                v5::Packet::PublishRelease(ack) => Self::Released(ack.packet_id),
                v5::Packet::Subscribe(subscribe) => {
                    let filters = subscribe.topic_filters.into_iter();
                    Self::Subscribe(subscribe.packet_id, filters.map(|(filter, how)| (filter, how.qos)).collect())
                }
                v5::Packet::Unsubscribe(unsubscribe) => {
                    Self::Unsubscribe(unsubscribe.packet_id, unsubscribe.topic_filters)
                }
                v5::Packet::PingRequest => Self::Ping,
                v5::Packet::Disconnect(_) => Self::Disconnect,
                _ => Self::Nonsense,
            },
            MqttPacket::Version(_) => Self::Nonsense,
        }
    }
}

impl Version {
    pub(crate) fn accepted(self, granted: Granted) -> MqttPacket {
        match self {
            Self::V3 => connack_v3(v3::ConnectAckReason::ConnectionAccepted),
            Self::V5 => MqttPacket::V5(v5::Packet::from(v5::ConnectAck {
                receive_max: granted.receive_max,
                max_packet_size: Some(granted.packet_bytes_max),
                assigned_client_id: granted.client_id,
                retain_available: false,
                subscription_identifiers_available: false,
                shared_subscription_available: false,
                server_keepalive_sec: granted.keep_alive,
                ..v5::ConnectAck::default()
            })),
        }
    }

    pub(crate) fn refused(self, refusal: ConnackReason) -> MqttPacket {
        use v3::ConnectAckReason as V3;
        use v5::ConnectAckReason as V5;
        let (v3, v5) = match refusal {
            ConnackReason::Credentials => (V3::BadUserNameOrPassword, V5::BadUserNameOrPassword),
            ConnackReason::NotAuthorized => (V3::NotAuthorized, V5::NotAuthorized),
            ConnackReason::ClientId => (V3::IdentifierRejected, V5::ClientIdentifierNotValid),
            ConnackReason::AuthMethod => (V3::NotAuthorized, V5::BadAuthenticationMethod),
            ConnackReason::Unavailable => (V3::ServiceUnavailable, V5::ServerBusy),
        };
        match self {
            Self::V3 => connack_v3(v3),
            Self::V5 => {
                let ack = v5::ConnectAck { reason_code: v5, ..v5::ConnectAck::default() };
                MqttPacket::V5(v5::Packet::from(ack))
            }
        }
    }

    /// A message to the device. MQTT 3 has no properties.
    pub(crate) fn publish(self, publish: Box<Publish>) -> MqttPacket {
        match self {
            Self::V3 => MqttPacket::V3(v3::Packet::Publish(publish)),
            Self::V5 => MqttPacket::V5(v5::Packet::Publish(publish)),
        }
    }

    /// PUBACK. MQTT 3 has no word for a refusal.
    pub(crate) fn acknowledged(self, packet_id: NonZeroU16, allowed: bool) -> MqttPacket {
        match self {
            Self::V3 => MqttPacket::V3(v3::Packet::PublishAck { packet_id }),
            Self::V5 => MqttPacket::V5(v5::Packet::PublishAck(ack_v5(packet_id, allowed))),
        }
    }

    /// PUBREC.
    pub(crate) fn received(self, packet_id: NonZeroU16, allowed: bool) -> MqttPacket {
        match self {
            Self::V3 => MqttPacket::V3(v3::Packet::PublishReceived { packet_id }),
            Self::V5 => MqttPacket::V5(v5::Packet::PublishReceived(ack_v5(packet_id, allowed))),
        }
    }

    /// PUBCOMP; `known` if there was such a message.
    pub(crate) fn completed(self, packet_id: NonZeroU16, known: bool) -> MqttPacket {
        match self {
            Self::V3 => MqttPacket::V3(v3::Packet::PublishComplete { packet_id }),
            Self::V5 => MqttPacket::V5(v5::Packet::PublishComplete(PublishAck2 {
                packet_id,
                reason_code: if known { PublishAck2Reason::Success } else { PublishAck2Reason::PacketIdNotFound },
                properties: Vec::new(),
                reason_string: None,
            })),
        }
    }

    /// SUBACK, with what each filter is granted.
    pub(crate) fn subscribed(self, packet_id: NonZeroU16, granted: impl Iterator<Item = Option<QoS>>) -> MqttPacket {
        match self {
            Self::V3 => {
                let status = granted.map(|qos| match qos {
                    Some(qos) => v3::SubscribeReturnCode::Success(qos),
                    None => v3::SubscribeReturnCode::Failure,
                });
                MqttPacket::V3(v3::Packet::SubscribeAck { packet_id, status: status.collect() })
            }
            Self::V5 => {
                let status = granted.map(|qos| match qos {
                    Some(QoS::AtMostOnce) => SubscribeAckReason::GrantedQos0,
                    Some(QoS::AtLeastOnce) => SubscribeAckReason::GrantedQos1,
                    Some(QoS::ExactlyOnce) => SubscribeAckReason::GrantedQos2,
                    None => SubscribeAckReason::NotAuthorized,
                });
                MqttPacket::V5(v5::Packet::SubscribeAck(SubscribeAck {
                    packet_id,
                    properties: Vec::new(),
                    reason_string: None,
                    status: status.collect(),
                }))
            }
        }
    }

    /// UNSUBACK for so many filters.
    pub(crate) fn unsubscribed(self, packet_id: NonZeroU16, filters: usize) -> MqttPacket {
        match self {
            Self::V3 => MqttPacket::V3(v3::Packet::UnsubscribeAck { packet_id }),
            Self::V5 => MqttPacket::V5(v5::Packet::UnsubscribeAck(UnsubscribeAck {
                packet_id,
                properties: Vec::new(),
                reason_string: None,
                status: vec![UnsubscribeAckReason::Success; filters],
            })),
        }
    }

    pub(crate) fn pong(self) -> MqttPacket {
        match self {
            Self::V3 => MqttPacket::V3(v3::Packet::PingResponse),
            Self::V5 => MqttPacket::V5(v5::Packet::PingResponse),
        }
    }

    /// DISCONNECT with its reason, which MQTT 3 servers cannot send.
    pub(crate) fn bye(self, reason_code: DisconnectReasonCode) -> Option<MqttPacket> {
        let disconnect = v5::Disconnect { reason_code, ..v5::Disconnect::default() };
        (self == Self::V5).then(|| MqttPacket::V5(v5::Packet::Disconnect(disconnect)))
    }
}

fn connack_v3(return_code: v3::ConnectAckReason) -> MqttPacket {
    MqttPacket::V3(v3::Packet::ConnectAck(v3::ConnectAck { return_code, session_present: false }))
}

fn ack_v5(packet_id: NonZeroU16, allowed: bool) -> PublishAck {
    let reason_code = if allowed { PublishAckReason::Success } else { PublishAckReason::NotAuthorized };
    PublishAck { packet_id, reason_code, properties: Vec::new(), reason_string: None }
}
