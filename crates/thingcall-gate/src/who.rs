//! Whose a user name and a client id are.
//!
//! **Invariant:** a device is found by its user name alone, and let in by its password alone. Every later question is
//! decided by the device as it is registered at that moment: one that was disabled is refused at once.

use std::borrow::Cow;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use thingcall_alink as alink;
use thingcall_core::{Credentials, DeviceKey, Login, PresenceSink, SyncTopic, UnixMillis};
use tokio::time::Instant;

use crate::client_ids::{ClientIds, NotFree};
use crate::config::{Config, User};
use crate::endpoint::Broker;
use crate::fields::Unreadable;
use crate::metrics::Metrics;

/// The client id that a device signs which speaks AMQP, where nothing sends one: its password is the HMAC-SHA256, keyed
/// with its secret, of `clientId{pk}.{dn}deviceName{dn}productKey{pk}`.
pub fn amqp_client_id(device: &DeviceKey) -> String {
    format!("{}.{}|signmethod=hmacsha256|", device.product, device.name)
}

/// Why a question is not answered with yes; for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the user is no device and not in the configuration")]
    NotOurs,
    #[error(transparent)]
    Credential(#[from] alink::Refusal),
    #[error("the user's password is wrong")]
    Password,
    #[error("the device is disabled")]
    Disabled,
    #[error("the device's name has a dot, which RabbitMQ takes for the end of a topic level")]
    Dotted,
    #[error("the client id belongs to another device")]
    ClientIdTaken,
    #[error("the client id is free text, which the configuration forbids")]
    ClientIdFree,
    #[error("no more client ids of free text can be remembered")]
    ClientIdsFull,
    #[error("the virtual host is not for devices")]
    Vhost,
    #[error("the device may not use this queue or exchange")]
    Resource,
    #[error("the device may not use this topic")]
    Topic,
    #[error("devices are no superusers")]
    Superuser,
}

impl Refused {
    /// The words for the reasons that are counted: not those of questions that were not understood, nor of the one
    /// that is asked about everybody.
    pub(crate) const WORDS: [&str; 11] = [
        "not_ours",
        "credential",
        "password",
        "disabled",
        "dotted_name",
        "client_id_taken",
        "client_id_free",
        "client_ids_full",
        "vhost",
        "resource",
        "topic",
    ];

    /// The word for this reason.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::NotOurs => "not_ours",
            Self::Credential(_) => "credential",
            Self::Password => "password",
            Self::Disabled => "disabled",
            Self::Dotted => "dotted_name",
            Self::ClientIdTaken => "client_id_taken",
            Self::ClientIdFree => "client_id_free",
            Self::ClientIdsFull => "client_ids_full",
            Self::Vhost => "vhost",
            Self::Resource => "resource",
            Self::Topic => "topic",
            Self::Superuser => "superuser",
        }
    }
}

/// Whose a user name is.
#[derive(Debug)]
pub(crate) enum Who<'a> {
    /// One of the broker's own users, who may do everything.
    User(&'a User),
    /// An enabled device.
    Device(DeviceKey),
}

/// What questions are answered from.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) credentials: Arc<dyn Credentials>,
    pub(crate) presence: Arc<dyn PresenceSink>,
    pub(crate) client_ids: ClientIds,
    pub(crate) metrics: Metrics,
}

/// What somebody says who wants in.
pub(crate) struct Attempt<'a> {
    pub(crate) broker: Broker,
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
    /// `None` where the protocol is AMQP.
    pub(crate) client_id: Option<&'a str>,
    pub(crate) address: Option<&'a str>,
}

impl App {
    /// Lets in who proves to be a user or a device.
    pub(crate) fn login(&self, attempt: &Attempt<'_>) -> Result<Who<'_>, Refused> {
        let Attempt { broker, username, password, client_id, address } = *attempt;
        if let Some(user) = self.user(username) {
            let right = user.secret.expose().as_bytes().ct_eq(password.as_bytes()).into();
            return if right { Ok(Who::User(user)) } else { Err(Refused::Password) };
        }
        let device = alink::device_of(username).ok_or(Refused::NotOurs)?;
        let signed = client_id.map_or_else(|| amqp_client_id(&device), str::to_owned);
        let mut enabled = true;
        let login = alink::verify(&signed, username, password.as_bytes(), |device| {
            let credential = self.credentials.credential(device)?;
            enabled = credential.enabled;
            Some(credential.secret)
        })?;
        if !enabled {
            return Err(Refused::Disabled);
        }
        if let Some(client_id) = client_id {
            self.own_client_id(broker, client_id, &device)?;
        }
        let sync_topic = if login.ext_rrpc { SyncTopic::Ext } else { SyncTopic::Rrpc };
        let sync_topic = client_id.map(|_| sync_topic);
        let transport = self.config.transport(broker);
        self.presence.logged_in(&device, &Login { transport, sync_topic, address }, UnixMillis::now());
        Ok(Who::Device(device))
    }

    /// Whose this user name is, of one whom the broker let in before.
    pub(crate) fn who(&self, username: &str) -> Result<Who<'_>, Refused> {
        if let Some(user) = self.user(username) {
            return Ok(Who::User(user));
        }
        let device = alink::device_of(username).ok_or(Refused::NotOurs)?;
        match self.credentials.credential(&device) {
            None => Err(Refused::Credential(alink::Refusal::UnknownDevice(device))),
            Some(credential) if !credential.enabled => Err(Refused::Disabled),
            Some(_) => Ok(Who::Device(device)),
        }
    }

    /// Whether a user of this name is configured.
    pub(crate) fn user(&self, username: &str) -> Option<&User> {
        self.config.users.iter().find(|user| user.name == username)
    }

    /// Sees to it that the client id is this device's: named after it, or else claimed before any other.
    pub(crate) fn own_client_id(&self, broker: Broker, client_id: &str, device: &DeviceKey) -> Result<(), Refused> {
        if broker == Broker::Emqx && self.config.emqx.client_id_override {
            return Ok(());
        }
        // RabbitMQ leaves line ends out of a queue's name, so that ids which differ in them alone have one queue.
        let client_id = without_line_ends(client_id);
        let named = alink::named_in(&client_id);
        match named.iter().find(|named| self.credentials.credential(named).is_some()) {
            Some(owner) if owner == device => return Ok(()),
            Some(_) => return Err(Refused::ClientIdTaken),
            None if !self.config.free_client_ids => return Err(Refused::ClientIdFree),
            None => {}
        }
        match self.client_ids.claim(&client_id, device, Instant::now()) {
            Ok(held) => {
                self.metrics.client_ids.set(i64::try_from(held).unwrap_or(i64::MAX));
                Ok(())
            }
            Err(NotFree::Taken) => Err(Refused::ClientIdTaken),
            Err(NotFree::Full) => Err(Refused::ClientIdsFull),
        }
    }
}

/// A text as RabbitMQ writes it into a queue's name.
pub(crate) fn without_line_ends(text: &str) -> Cow<'_, str> {
    if text.contains(['\r', '\n']) { text.replace(['\r', '\n'], "").into() } else { text.into() }
}
