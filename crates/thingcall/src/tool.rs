//! What the commands on the store share: which store, and how a device is named.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use tempfile::TempDir;
use thingcall_core::{DeviceKey, DeviceRef};
use thingcall_store::{Known, Store, is_served};
use thingcall_subscription::words::PlatformWords;

use crate::addresses::Addresses;
use crate::config::{self, Config, Flag, Reading};
use crate::exit::WrongUse;
use crate::output;

/// Which store a command works on.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Place {
    /// The configuration file [default: none, which works]
    #[arg(long, value_name = "FILE", env = "THINGCALL_CONFIG")]
    pub config: Option<PathBuf>,
    /// The folder with everything that is kept [default: thingcall-data, or `data` of the configuration]
    #[arg(long, value_name = "DIR", env = "THINGCALL_DATA")]
    pub data: Option<PathBuf>,
}

impl Place {
    /// Whether neither is said.
    pub(crate) const fn is_default(&self) -> bool {
        self.config.is_none() && self.data.is_none()
    }

    /// The configuration, with `--data` on top.
    ///
    /// # Errors
    /// [`WrongUse`] with all that is wrong with it.
    pub(crate) fn configuration(&self) -> anyhow::Result<Config> {
        let read = self.read(Vec::new()).right_for_commands();
        read.map_err(|problems| WrongUse(format!("the configuration is wrong{problems}")).into())
    }

    /// The same as far as it could be read, with these flags on top too.
    pub(crate) fn read(&self, mut flags: Vec<Flag>) -> Reading {
        let name = |data: &PathBuf| Flag { name: "--data", key: "data", value: data.display().to_string() };
        flags.extend(self.data.as_ref().map(name));
        let mut reading = config::read(self.config.as_deref(), flags);
        // As it is, if it is no text.
        if let (Some(config), Some(data)) = (&mut reading.config, &self.data) {
            config.data.clone_from(data);
        }
        reading
    }

    /// Whether it was said, rather than left to the defaults.
    pub(crate) fn is_said(&self) -> bool {
        self.config.is_some() || self.data.is_some()
    }

    /// Where the server that runs on it listens. `by_hand` is the flag that says the same.
    ///
    /// # Errors
    /// If none runs, or it cannot be known.
    pub(crate) fn server(&self, by_hand: &str) -> anyhow::Result<Addresses> {
        let config = self.configuration()?;
        let folder = config.data.display();
        match Addresses::of_server(&config.data) {
            Ok(Some(addresses)) => Ok(addresses),
            Ok(None) if is_served(&config.store, &config.data) => bail!(
                "the server of {folder} has not left its addresses there: it starts or ends, or its log says why it could \
                 not; {by_hand} says where it listens"
            ),
            Ok(None) => bail!(
                "no server runs on {folder}; `thingcall serve` starts one, --data or --config names another folder, and \
                 {by_hand} a server by its address"
            ),
            Err(error) => bail!(
                "the addresses that the server of {folder} left there cannot be read: {error}; be its user, or give {by_hand}"
            ),
        }
    }

    /// Opens the store beside whatever server runs on it; makes one where there is none.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub(crate) async fn open(&self) -> anyhow::Result<Arc<Store>> {
        let config = self.configuration()?;
        Ok(telling(Store::open(config.store(), &config.data).await?))
    }

    /// The same for commands that need one that is there.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub(crate) async fn open_existing(&self) -> anyhow::Result<Arc<Store>> {
        let config = self.configuration()?;
        Ok(telling(Store::open_existing(config.store(), &config.data).await?))
    }
}

/// What a command does to devices is told to applications, too.
fn telling(store: Arc<Store>) -> Arc<Store> {
    store.tell_in(Arc::new(PlatformWords));
    store
}

/// Waits until a running server knows what was changed; says so if it does not in time.
pub(crate) async fn known(store: &Store) {
    if store.known_to_server().await == Known::NotYet {
        output::note("the change is made; the running server has not taken it over yet, see its log and /readyz");
    }
}

/// A scratch folder, named with this prefix, that only this user may use, whatever the umask says.
///
/// # Errors
/// If it cannot be made.
pub(crate) fn scratch(prefix: &str) -> anyhow::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).permissions(Permissions::from_mode(0o700)).tempdir().context("no scratch folder")
}

/// A device on the command line: `PRODUCTKEY/DEVICENAME` or an IotId.
///
/// # Errors
/// What would be right.
pub(crate) fn device_ref(text: &str) -> Result<DeviceRef, String> {
    let wrong = |error: thingcall_core::InvalidId| error.to_string();
    match text.split_once('/') {
        Some((product, name)) => {
            let product = product.try_into().map_err(wrong)?;
            Ok(DeviceRef::Key(DeviceKey { product, name: name.try_into().map_err(wrong)? }))
        }
        None => {
            let id = text.try_into().map_err(|error| format!("{error}; or write PRODUCTKEY/DEVICENAME"))?;
            Ok(DeviceRef::IotId(id))
        }
    }
}

/// A word of an enum that the configuration knows too.
///
/// # Errors
/// Which words there are.
pub(crate) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| error.to_string())
}
