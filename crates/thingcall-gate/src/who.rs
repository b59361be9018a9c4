//! Whose a user name and a client id are.
//!
//! **Invariant:** a device is found by its user name alone, and let in by its password alone. Every later question is
//! decided by the device as it is registered at that moment: one that was disabled is refused at once.

use std::borrow::Cow;
use std::sync::Arc;

use subtle::ConstantTimeEq;
use thingcall_alink as alink;
use thingcall_core::{Credentials, DeviceKey, Login, PresenceSink, SyncTopic, TransportName, UnixMillis};
use tokio::time::Instant;

use crate::client_ids::{ClientIds, NotFree};
use crate::config::{Config, User};
use crate::denial::Denial;
use crate::metrics::Metrics;

/// The client id that a device signs which speaks AMQP, where nothing sends one: its password is the HMAC-SHA256, keyed
/// with its secret, of `clientId{pk}.{dn}deviceName{dn}productKey{pk}`.
pub fn amqp_client_id(device: &DeviceKey) -> String {
    format!("{}.{}|signmethod=hmacsha256|", device.product, device.name)
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
pub(crate) struct Doorkeeper {
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    credentials: Arc<dyn Credentials>,
    presence: Arc<dyn PresenceSink>,
    client_ids: ClientIds,
}

/// What somebody says who wants in.
pub(crate) struct Attempt<'a> {
    /// The transport that reaches the broker's devices.
    pub(crate) transport: TransportName,
    pub(crate) username: &'a str,
    pub(crate) password: &'a str,
    /// `None` where the protocol is AMQP.
    pub(crate) client_id: Option<ClientId<'a>>,
    pub(crate) address: Option<&'a str>,
}

/// The client id that a device sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClientId<'a> {
    /// The broker knows the device's session by it.
    OfSession(&'a str),
    /// The broker puts the device's name in its place.
    Replaced(&'a str),
}

impl<'a> ClientId<'a> {
    /// As it was sent, and signed.
    const fn sent(self) -> &'a str {
        match self {
            Self::OfSession(text) | Self::Replaced(text) => text,
        }
    }
}

impl Doorkeeper {
    pub(crate) fn new(
        config: Config,
        credentials: Arc<dyn Credentials>,
        presence: Arc<dyn PresenceSink>,
        metrics: Metrics,
    ) -> Self {
        let client_ids = ClientIds::new(config.client_ids_max.get(), config.client_id_hold);
        Self { config, metrics, credentials, presence, client_ids }
    }

    /// Lets in who proves to be a user or a device.
    pub(crate) async fn login(&self, attempt: &Attempt<'_>) -> Result<Who<'_>, Denial> {
        let decided = self.let_in(attempt).await;
        if let (Err(why), Some(device)) = (&decided, alink::device_of(attempt.username)) {
            self.presence.refused(&device, attempt.transport, why);
        }
        decided
    }

    async fn let_in(&self, attempt: &Attempt<'_>) -> Result<Who<'_>, Denial> {
        let Attempt { transport, username, password, client_id, address } = *attempt;
        if let Some(user) = self.user(username) {
            let right = user.secret.expose().as_bytes().ct_eq(password.as_bytes()).into();
            return if right { Ok(Who::User(user)) } else { Err(Denial::Password) };
        }
        let device = alink::device_of(username).ok_or(Denial::NotOurs)?;
        let signed = client_id.map_or_else(|| amqp_client_id(&device), |client_id| client_id.sent().to_owned());
        let claimed = alink::Claimed::read(&signed, username)?;
        let credential = self.credentials.credential(claimed.device()).await?;
        let login = claimed.verify(password.as_bytes(), credential.as_ref().map(|credential| &credential.secret))?;
        if credential.is_some_and(|credential| !credential.enabled) {
            return Err(Denial::Disabled);
        }
        if let Some(client_id) = client_id {
            self.own_client_id(client_id, &device).await?;
        }
        let sync_topic = if login.ext_rrpc { SyncTopic::Ext } else { SyncTopic::Rrpc };
        let sync_topic = client_id.map(|_| sync_topic);
        self.presence.logged_in(&device, &Login { transport, sync_topic, address }, UnixMillis::now());
        self.presence.first_is_written(&device).await?;
        Ok(Who::Device(device))
    }

    /// Whose this user name is, of one whom the broker let in before.
    pub(crate) async fn who(&self, username: &str) -> Result<Who<'_>, Denial> {
        if let Some(user) = self.user(username) {
            return Ok(Who::User(user));
        }
        let device = alink::device_of(username).ok_or(Denial::NotOurs)?;
        match self.credentials.credential(&device).await? {
            None => Err(Denial::Credential(alink::Refusal::UnknownDevice(device))),
            Some(credential) if !credential.enabled => Err(Denial::Disabled),
            Some(_) => Ok(Who::Device(device)),
        }
    }

    /// Whether a user of this name is configured.
    pub(crate) fn user(&self, username: &str) -> Option<&User> {
        self.config.users.iter().find(|user| user.name == username)
    }

    /// Notes that a device published something.
    pub(crate) fn published(&self, device: &DeviceKey, transport: TransportName) {
        self.presence.seen(device, transport, UnixMillis::now());
    }

    /// Sees to it that the client id is this device's: named after it, or else claimed before any other.
    pub(crate) async fn own_client_id(&self, client_id: ClientId<'_>, device: &DeviceKey) -> Result<(), Denial> {
        let ClientId::OfSession(client_id) = client_id else { return Ok(()) };
        // RabbitMQ leaves line ends out of a queue's name, so that ids which differ in them alone have one queue.
        let client_id = without_line_ends(client_id);
        match self.named_after(&client_id).await? {
            Some(owner) if owner == *device => return Ok(()),
            Some(_) => return Err(Denial::ClientIdTaken),
            None if !self.config.free_client_ids => return Err(Denial::ClientIdFree),
            None => {}
        }
        match self.client_ids.claim(&client_id, device, Instant::now()) {
            Ok(held) => {
                self.metrics.client_ids.set(i64::try_from(held).unwrap_or(i64::MAX));
                Ok(())
            }
            Err(NotFree::Taken) => Err(Denial::ClientIdTaken),
            Err(NotFree::Full) => Err(Denial::ClientIdsFull),
        }
    }

    /// The device after which a client id is named.
    async fn named_after(&self, client_id: &str) -> Result<Option<DeviceKey>, Denial> {
        for named in alink::named_in(client_id) {
            if self.credentials.credential(&named).await?.is_some() {
                return Ok(Some(named));
            }
        }
        Ok(None)
    }
}

/// A text as RabbitMQ writes it into a queue's name.
pub(crate) fn without_line_ends(text: &str) -> Cow<'_, str> {
    if text.contains(['\r', '\n']) { text.replace(['\r', '\n'], "").into() } else { text.into() }
}
