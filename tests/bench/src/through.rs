//! What handles the calls of a measured server: the built-in path, or a plugin.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;
use thingcall_loader::Execution;

use crate::registered::IDENTIFIER;
use crate::wire::Wire;

/// What handles the calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Through<'a> {
    /// The built-in path.
    BuiltIn,
    /// This plugin.
    Plugin(&'a Path, Execution),
}

impl Through<'_> {
    pub(crate) const fn name(self) -> &'static str {
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
    pub(crate) fn install(self, data: &Path) -> anyhow::Result<String> {
        let Self::Plugin(file, execution) = self else { return Ok(String::new()) };
        let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let name = thingcall_loader::inspect(&bytes).with_context(|| file.display().to_string())?.manifest.name;
        // As the loader wants it: writable by nobody else, whatever the umask says.
        let plugins = data.join("plugins");
        DirBuilder::new().recursive(true).mode(0o700).create(&plugins)?;
        let copy = plugins.join(file.file_name().unwrap_or_default());
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(copy)?.write_all(&bytes)?;
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
    pub(crate) async fn check(self, operator: &str) -> anyhow::Result<()> {
        let Self::Plugin(file, _) = self else { return Ok(()) };
        let request = format!("GET /plugins HTTP/1.1\r\nhost: {operator}\r\n\r\n");
        let mut wire = Wire::connect(operator).await?;
        let (_, body) = wire.ask(request.as_bytes()).await?;
        let listed: Vec<Value> = serde_json::from_slice(body)?;
        match listed.first() {
            Some(plugin) if plugin.get("status").is_some_and(|status| status == "active") => Ok(()),
            Some(refused) => bail!("{} is not loaded: {refused}", file.display()),
            None => bail!("{} is not loaded: the server did not find it", file.display()),
        }
    }
}
