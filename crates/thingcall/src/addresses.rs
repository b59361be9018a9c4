//! Where a running server listens, left in its data folder, so that the folder is all that other commands need.
//!
//! **Invariant:** a server holds a lock on the very file it left, and the system lets go of it with the process. So what a
//! killed server left is told from what a running one did, whoever has its ports by now.

use std::collections::BTreeMap;
use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thingcall_core::TransportName;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::config::Config;
use crate::own_tls;

/// How long it waits after the file could not be written.
const LEAVE_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Its name in the data folder.
const FILE: &str = "server.json";

/// Where a server listens, and where else its devices are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// Its process.
    pub pid: u32,
    /// The API.
    pub api: SocketAddr,
    /// The operator's listener.
    pub metrics: SocketAddr,
    /// The console, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<SocketAddr>,
    /// The embedded broker, where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mqtt: Option<SocketAddr>,
    /// Where brokers ask about devices, where they may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<SocketAddr>,
    /// Where consumers speak AMQP 1.0 with TLS, where they may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amqp10: Option<SocketAddr>,
    /// Where they speak STOMP with TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stomp: Option<SocketAddr>,
    /// Where they speak AMQP 1.0 in plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amqp10_plain: Option<SocketAddr>,
    /// Where they speak STOMP in plain text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stomp_plain: Option<SocketAddr>,
    /// The certificates that listeners show with TLS, by their sections.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub certificates: BTreeMap<String, PathBuf>,
    /// The URLs of external MQTT brokers, by the names of their transports.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub brokers: BTreeMap<TransportName, String>,
}

impl Addresses {
    /// Those that a server of this process would have.
    pub(crate) fn configured(config: &Config) -> Self {
        let mqtt = config.mqtt.iter().map(|mqtt| (TransportName::MQTT, mqtt));
        let mqtt = mqtt.chain(config.mqtt_brokers.iter().map(|(name, mqtt)| (*name, mqtt)));
        Self {
            pid: std::process::id(),
            api: config.api.listen,
            metrics: config.metrics.listen,
            console: config.console.enabled.then_some(config.console.listen),
            mqtt: config.broker.enabled.then_some(config.broker.listen),
            gate: config.gate.listen,
            amqp10: config.subscription.tls.as_ref().and_then(|tls| tls.amqp_listen),
            stomp: config.subscription.tls.as_ref().and_then(|tls| tls.stomp_listen),
            amqp10_plain: config.subscription.plain_amqp_listen,
            stomp_plain: config.subscription.plain_stomp_listen,
            certificates: own_tls::files(config),
            brokers: mqtt.map(|(name, mqtt)| (name, mqtt.url.clone())).collect(),
        }
    }

    /// Where the API is.
    pub(crate) fn api_url(&self) -> String {
        let scheme = if self.certificates.contains_key("api") { "https" } else { "http" };
        format!("{scheme}://{}", self.api)
    }

    /// All of them, by the names of the `ready` line.
    pub(crate) fn named(&self) -> Vec<(&'static str, SocketAddr)> {
        let all = [
            ("api", Some(self.api)),
            ("mqtt", self.mqtt),
            ("metrics", Some(self.metrics)),
            ("console", self.console),
            ("gate", self.gate),
            ("amqp10", self.amqp10),
            ("stomp", self.stomp),
            ("amqp10_plain", self.amqp10_plain),
            ("stomp_plain", self.stomp_plain),
        ];
        all.into_iter().filter_map(|(name, address)| Some((name, address?))).collect()
    }

    /// Those that the server of this folder left, if one runs.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub(crate) fn of_server(folder: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(folder.join(FILE)) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            // Nobody's any more. The lock ends with `file`.
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Some(serde_json::from_str::<Self>(&text)?.reached()))
    }

    /// As this machine reaches them: who listens everywhere listens at home too.
    pub(crate) fn reached(mut self) -> Self {
        let all = [&mut self.api, &mut self.metrics].into_iter().chain(&mut self.mqtt).chain(&mut self.gate);
        let all = all.chain(&mut self.console);
        let all = all.chain(&mut self.amqp10).chain(&mut self.stomp);
        let all = all.chain(&mut self.amqp10_plain).chain(&mut self.stomp_plain);
        for address in all {
            match address.ip() {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
                IpAddr::V4(_) | IpAddr::V6(_) => {}
            }
        }
        self
    }
}

/// The file that this process left; removed with this value.
#[derive(Debug)]
pub(crate) struct Left {
    path: PathBuf,
    /// Keeps the lock.
    _file: File,
}

impl Left {
    /// Leaves these addresses in a folder that no other server uses, for its owner alone.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(crate) fn leave(folder: &Path, addresses: &Addresses) -> io::Result<Self> {
        let path = folder.join(FILE);
        let mut file = tempfile::Builder::new();
        let mut file = file.prefix(".server-").permissions(Permissions::from_mode(0o600)).tempfile_in(folder)?;
        // Before it has its name: whoever finds it finds it locked and whole.
        file.as_file().try_lock()?;
        writeln!(file, "{}", serde_json::to_string(addresses)?)?;
        thingcall_store::as_its_folder(file.path())?;
        let file = file.persist(&path).map_err(|error| error.error)?;
        Ok(Self { path, _file: file })
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        // What is left in spite of this is nobody's.
        drop(std::fs::remove_file(&self.path));
    }
}

/// The file of a server that may not have been able to leave it yet, on a full disk.
#[derive(Debug)]
pub(crate) struct Leaving {
    left: Arc<Mutex<Option<Left>>>,
    /// Tries again.
    trying: Option<JoinHandle<()>>,
}

impl Leaving {
    /// Leaves these addresses, now or as soon as it can be done. A server that cannot is still one.
    pub(crate) fn start(folder: &Path, addresses: &Addresses) -> Self {
        let left = Arc::new(Mutex::new(None));
        match Left::leave(folder, addresses) {
            Ok(file) => return Self { left: Arc::new(Mutex::new(Some(file))), trying: None },
            Err(error) => {
                warn!(%error, "commands must be told where this server listens: its data folder cannot say yet");
            }
        }
        let (folder, addresses, place) = (folder.to_owned(), addresses.clone(), left.clone());
        let trying = tokio::spawn(async move {
            loop {
                sleep(LEAVE_AGAIN_AFTER).await;
                if let Ok(left) = Left::leave(&folder, &addresses) {
                    info!("commands find this server by its data folder from now on");
                    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
                    return;
                }
            }
        });
        Self { left, trying: Some(trying) }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(trying) = self.trying.take() {
            trying.abort();
        }
        // The task may hold the other end for a moment more.
        drop(self.left.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

#[cfg(test)]
mod tests;
