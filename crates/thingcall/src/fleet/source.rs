//! Which devices are called: those of a file, or a product's, page by page.

use std::collections::{HashSet, VecDeque};
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;
use thingcall_core::{DeviceKey, DeviceRef, ProductKey};
use thingcall_store::Store;
use thingcall_tsl::Directory;
use tokio::sync::mpsc;

use super::{Fleet, together};
use crate::client::Client;
use crate::exit::WrongUse;
use crate::output;
use crate::pages::Pages;
use crate::tool::device_ref;

/// As many as the action gives at once.
const PAGE_DEVICES: &str = "50";
const PAGE_SIZE: u64 = 50;
/// The code of a server that has no such action.
const NO_ACTION: &str = "InvalidAction.NotFound";

/// The devices to call.
pub(super) struct Source {
    name: String,
    total: Option<u64>,
    from: From,
}

/// Where they come from.
enum From {
    File(VecDeque<DeviceRef>),
    /// The first page, and whom to ask for the next.
    Server {
        server: Server,
        page: Page,
    },
    /// Of a server without that action: its store.
    Store {
        store: std::sync::Arc<Store>,
        product: ProductKey,
    },
}

/// Who gives a product's devices away page by page.
trait Pager: Send {
    /// This page: the one behind the one of which the token is, where there is one.
    fn page(&mut self, number: u32, token: Option<String>) -> impl Future<Output = anyhow::Result<Page>> + Send;
}

/// A server that is asked for them.
struct Server {
    client: Box<Client>,
    product: ProductKey,
}

/// An answer of QueryDevice.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Page {
    success: bool,
    code: Option<String>,
    error_message: Option<String>,
    message: Option<String>,
    data: Option<Data>,
    total: Option<u64>,
    next_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Data {
    device_info: Vec<Info>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Info {
    device_name: String,
}

impl Source {
    /// The devices that were asked for.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(super) async fn of(fleet: &Fleet) -> anyhow::Result<Self> {
        match (&fleet.flags.all, &fleet.flags.devices) {
            (Some(product), _) => Self::of_product(fleet, product).await,
            (None, Some(path)) => Self::of_file(fleet, path).await,
            (None, None) => bail!(WrongUse("which devices: --all PRODUCTKEY or --devices FILE".to_owned())),
        }
    }

    /// What names them in the file of results.
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    /// How many there are, as far as that is known.
    pub(super) const fn total(&self) -> Option<u64> {
        self.total
    }

    /// The names of its devices, where a file says which they are.
    pub(super) fn names(&self) -> Option<HashSet<String>> {
        match &self.from {
            From::File(devices) => Some(devices.iter().map(ToString::to_string).collect()),
            From::Server { .. } | From::Store { .. } => None,
        }
    }

    async fn of_file(fleet: &Fleet, path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("{shown} cannot be read"))?;
        let mut devices = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why| WrongUse(format!("{shown}, line {}: {why}", number + 1));
            devices.push(device_ref(line).map_err(wrong)?);
        }
        if devices.is_empty() {
            bail!(WrongUse(format!("{shown} names no device; right is one PRODUCTKEY/DEVICENAME or IotId a line")));
        }
        let named = devices.len();
        let devices = together::each_once(fleet, devices).await?;
        if devices.len() < named {
            let twice = named - devices.len();
            output::note(format!(
                "{shown}: {twice} of {named} lines name a device that another line names; it is called once"
            ));
        }
        let total = Some(devices.len() as u64);
        Ok(Self { name: format!("file:{shown}"), total, from: From::File(devices) })
    }

    async fn of_product(fleet: &Fleet, product: &ProductKey) -> anyhow::Result<Self> {
        let name = format!("all:{product}");
        let client = Client::connect(&fleet.url, &fleet.trust, fleet.signer.clone()).await?.into();
        let mut server = Server { client, product: product.clone() };
        let page = server.page(1, None).await?;
        if page.code.as_deref() == Some(NO_ACTION) {
            let store = fleet.place.open_existing().await.with_context(|| {
                format!("this server does not list its devices (QueryDevice: {NO_ACTION}); --devices FILE names them")
            })?;
            let total = Some(store.count_devices(product).await?);
            return Ok(Self { name, total, from: From::Store { store, product: product.clone() } });
        }
        page.is_right()?;
        let total = page.total;
        Ok(Self { name, total, from: From::Server { server, page } })
    }

    /// Gives them away one by one, until nobody takes them.
    ///
    /// # Errors
    /// If a further page cannot be read.
    pub(super) async fn feed(self, queue: mpsc::Sender<DeviceRef>) -> anyhow::Result<()> {
        match self.from {
            From::File(devices) => {
                for device in devices {
                    if queue.send(device).await.is_err() {
                        break;
                    }
                }
                Ok(())
            }
            From::Server { server, page } => {
                let product = server.product.clone();
                feed_pages(server, &product, page, &queue).await
            }
            From::Store { store, product } => {
                let mut pages = Pages::new(&product);
                while let Some(page) = pages.next(&store).await? {
                    let names = page.iter().map(|record| record.device.key.name.as_str());
                    if !given(&queue, &product, names).await? {
                        break;
                    }
                }
                store.close().await;
                Ok(())
            }
        }
    }
}

impl Page {
    /// Whether there is none behind it. A server that gives no token says so by how many there are.
    fn is_last(&self, number: u32) -> bool {
        let is_there = self.next_token.as_ref().is_some_and(|token| !token.is_empty());
        !is_there && self.total.is_some_and(|total| u64::from(number) * PAGE_SIZE >= total)
    }

    fn is_right(&self) -> anyhow::Result<()> {
        if self.success {
            return Ok(());
        }
        let why = self.error_message.as_deref().or(self.message.as_deref()).unwrap_or("no reason given");
        bail!("the devices cannot be listed: {} {why}", self.code.as_deref().unwrap_or_default())
    }
}

/// Gives away the devices of all pages from the first one on.
async fn feed_pages(
    mut pager: impl Pager,
    product: &ProductKey,
    mut page: Page,
    queue: &mpsc::Sender<DeviceRef>,
) -> anyhow::Result<()> {
    let mut number = 1;
    loop {
        page.is_right()?;
        let infos = page.data.take().unwrap_or_default().device_info;
        let names = infos.iter().map(|info| info.device_name.as_str());
        if infos.is_empty() || !given(queue, product, names).await? || page.is_last(number) {
            return Ok(());
        }
        number += 1;
        page = pager.page(number, page.next_token.take()).await?;
    }
}

/// Whether anybody takes them.
async fn given(
    queue: &mpsc::Sender<DeviceRef>,
    product: &ProductKey,
    names: impl Iterator<Item = &str>,
) -> anyhow::Result<bool> {
    for name in names {
        let key = DeviceKey { product: product.clone(), name: name.try_into()? };
        if queue.send(DeviceRef::Key(key)).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Pager for Server {
    async fn page(&mut self, number: u32, token: Option<String>) -> anyhow::Result<Page> {
        let number = number.to_string();
        let product = self.product.as_str();
        let mut params = vec![("ProductKey", product), ("PageSize", PAGE_DEVICES), ("CurrentPage", &*number)];
        params.extend(token.as_deref().map(|token| ("NextToken", token)));
        let answered = self.client.ask("QueryDevice", &params).await?;
        serde_json::from_slice(&answered.text).context("the answer to QueryDevice cannot be read")
    }
}

#[cfg(test)]
mod tests;
