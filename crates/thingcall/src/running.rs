//! Questions to a running server, on its operator's listener.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Method, Request, StatusCode};
use serde_json::{Map, Value};
use thingcall_core::DeviceKey;
use tokio::time::timeout;

use crate::client::connection;
use crate::operator::{HEADER, HEADER_VALUE};
use crate::tool::Place;
use crate::trust::Trust;

const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A server answers these from memory.
const MEMORY_TIMEOUT: Duration = Duration::from_secs(3);

/// Which running server.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Running {
    /// The running server's operator's listener [default: that of the server of the data folder]
    #[arg(long, value_name = "ADDR")]
    pub metrics: Option<SocketAddr>,
    #[command(flatten)]
    pub trust: Trust,
}

/// An operator's listener, and whom to believe there where it speaks TLS.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    pub(crate) address: String,
    pub(crate) tls: Option<Trust>,
}

impl Running {
    /// Where it listens.
    ///
    /// # Errors
    /// If no server runs.
    pub(crate) fn address(&self, place: &Place) -> anyhow::Result<Operator> {
        let (address, trust) = match self.metrics {
            Some(address) => (address, Some(self.trust.clone()).filter(Trust::is_tls)),
            None => {
                let server = place.server("--metrics ADDR")?;
                let shown = server.certificates.get("metrics");
                (server.metrics, shown.map(|shown| self.trust.of_server(Some(shown))))
            }
        };
        Ok(Operator { address: address.to_string(), tls: trust })
    }

    /// What it remembers of failed and slow calls with this RequestId or MessageId.
    ///
    /// # Errors
    /// If no server answers there.
    pub(crate) async fn calls(&self, place: &Place, id: &str) -> anyhow::Result<Vec<Value>> {
        let (_, body) = ask(self.address(place)?, Method::GET, &format!("/calls/{id}"), MEMORY_TIMEOUT).await?;
        Ok(body.as_array().cloned().unwrap_or_default())
    }

    /// The plugin that ended the server in this call, if one did, and how.
    ///
    /// # Errors
    /// If no server answers there.
    pub(crate) async fn ended_in(&self, place: &Place, id: &str) -> anyhow::Result<Option<Value>> {
        let (_, body) = ask(self.address(place)?, Method::GET, "/plugins", MEMORY_TIMEOUT).await?;
        let plugins = body.as_array().cloned().unwrap_or_default();
        let message_id = |plugin: &Value| plugin.get("endedServer")?.get("messageId")?.as_str().map(str::to_owned);
        Ok(plugins.into_iter().find(|plugin| message_id(plugin).as_deref() == Some(id)))
    }

    /// The device's last message that led to nothing, if it remembers one.
    ///
    /// # Errors
    /// If no server answers there.
    pub(crate) async fn dropped(&self, place: &Place, device: &DeviceKey) -> anyhow::Result<Option<Value>> {
        let path = format!("/devices/{}/{}/dropped", device.product, device.name);
        let (status, body) = ask(self.address(place)?, Method::GET, &path, MEMORY_TIMEOUT).await?;
        Ok((status == StatusCode::OK).then_some(body))
    }

    /// What each of its transports knows of the device's connection, by its name.
    ///
    /// # Errors
    /// If no server answers there.
    pub(crate) async fn presence(&self, place: &Place, device: &DeviceKey) -> anyhow::Result<Map<String, Value>> {
        let path = format!("/devices/{}/{}/presence", device.product, device.name);
        let (_, body) = ask(self.address(place)?, Method::GET, &path, MEMORY_TIMEOUT).await?;
        Ok(body.as_object().cloned().unwrap_or_default())
    }
}

/// Asks for something, and reads the JSON that comes back.
///
/// # Errors
/// If nothing answers there in time, or something else than a server.
pub(crate) async fn ask(
    operator: Operator,
    method: Method,
    path: &str,
    within: Duration,
) -> anyhow::Result<(StatusCode, Value)> {
    ask_at(&operator, method, path, within).await
}

/// The same, of one that is asked again.
///
/// # Errors
/// As `ask`.
pub(crate) async fn ask_at(
    operator: &Operator,
    method: Method,
    path: &str,
    within: Duration,
) -> anyhow::Result<(StatusCode, Value)> {
    let (status, body) = asked(operator, method, path, within).await?;
    let address = &operator.address;
    let value = serde_json::from_slice(&body)
        .with_context(|| format!("{address} answered something else; is it the operator's listener?"))?;
    Ok((status, value))
}

/// Asks for something, and reads the text that comes back.
///
/// # Errors
/// If nothing answers there in time.
pub(crate) async fn ask_text(
    operator: Operator,
    method: Method,
    path: &str,
    within: Duration,
) -> anyhow::Result<(StatusCode, String)> {
    let (status, body) = asked(&operator, method, path, within).await?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

async fn asked(
    operator: &Operator,
    method: Method,
    path: &str,
    within: Duration,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let address = operator.address.as_str();
    let exchange = async {
        let mut sender = connection(address, operator.tls.as_ref()).await?;
        let request = Request::builder().method(method).uri(path).header("host", address);
        let request = request.header(HEADER, HEADER_VALUE).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?.to_bytes();
        anyhow::Ok((status, body))
    };
    let asked = timeout(within, exchange).await;
    asked.with_context(|| format!("no answer of {address} within {} s", within.as_secs()))?
}

/// A message that led to nothing, in words.
pub(crate) fn dropped_in_words(dropped: &Value) -> String {
    let text =
        |name: &str| dropped.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let part = |name: &str| text(name).unwrap_or_default();
    let problem = text("problem").map(|problem| format!(", {problem}")).unwrap_or_default();
    format!(
        "at {} {} bytes on {} ({}{problem}), one of {}; right is {}",
        part("at"),
        part("bytes"),
        part("topic"),
        part("reason"),
        part("times"),
        part("right")
    )
}

/// How a plugin ended the server, in words.
pub(crate) fn ended_in_words(ended: &Value) -> String {
    let text =
        |name: &str| ended.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let part = |name: &str| text(name).unwrap_or_default();
    let by = text("by").map_or_else(|| " without a word".to_owned(), |by| format!(" by {by}"));
    let within = match text("messageId") {
        Some(id) => format!(" in call {id}"),
        None if part("atLoad") == "true" => " while it was loaded".to_owned(),
        None => String::new(),
    };
    format!(
        "ended the server, the last time{by}{within} as generation {} of {}, {}, one of {}",
        part("generation"),
        part("file"),
        part("at"),
        part("times")
    )
}
