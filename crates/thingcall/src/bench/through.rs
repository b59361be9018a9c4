//! What handles the calls of a measured server: the built-in path, or a plugin.

use std::path::Path;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::header::HOST;
use serde_json::Value;
use thingcall_loader::{Execution, PluginConfig};

use super::target::IDENTIFIER;
use crate::client::connection;
use crate::config::Config;
use crate::plugin;

/// What handles the calls.
#[derive(Debug, Clone, Copy)]
pub(super) enum Through<'a> {
    /// The built-in path.
    BuiltIn,
    /// This plugin.
    Plugin(&'a Path, Execution),
}

impl Through<'_> {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "calls",
            Self::Plugin(_, Execution::Pool) => "plugin",
            Self::Plugin(_, Execution::Inline) => "inline",
        }
    }

    /// Puts the plugin into the data folder of a server that will start; its section of the configuration.
    ///
    /// # Errors
    /// If the file is no plugin.
    pub(super) fn install(self, data: &Path) -> anyhow::Result<String> {
        let Self::Plugin(file, execution) = self else { return Ok(String::new()) };
        let mut config = Config { data: data.to_owned(), ..Config::default() };
        plugin::install(&mut config, file, PluginConfig::default())?;
        let name = config.plugins.keys().next().context("the plugin has no name")?;
        let execution = match execution {
            Execution::Pool => "pool",
            Execution::Inline => "inline",
        };
        Ok(format!("[plugins.\"{name}\"]\nexecution = \"{execution}\"\nclaims = [\"{IDENTIFIER}\"]\n"))
    }

    /// That the server did load it, as its operator's listener tells.
    ///
    /// # Errors
    /// Why it did not.
    pub(super) async fn check(self, operator: &str) -> anyhow::Result<()> {
        let Self::Plugin(file, _) = self else { return Ok(()) };
        let request = Request::get("/plugins").header(HOST, operator).body(Empty::<Bytes>::new())?;
        let answer = connection(operator).await?.send_request(request).await?.into_body().collect().await?;
        let listed: Vec<Value> = serde_json::from_slice(&answer.to_bytes())?;
        match listed.first() {
            Some(plugin) if plugin.get("status").is_some_and(|status| status == "active") => Ok(()),
            Some(refused) => bail!("{} is not loaded: {refused}", file.display()),
            None => bail!("{} is not loaded: the server did not find it", file.display()),
        }
    }
}
