//! The plugin that passes every call on (`tests/plugins/echo`), loaded as a server loads it.

use std::sync::Arc;

use anyhow::Context;
use prometheus::Registry as Metering;
use thingcall_core::Conditions;
use thingcall_loader::{Execution, PluginConfig, PluginConfigs, Plugins};

/// The plugin, whose library stands beside this program.
///
/// # Errors
/// If it cannot be loaded.
pub(crate) async fn echo(execution: Execution) -> anyhow::Result<Arc<Plugins>> {
    let program = std::env::current_exe()?;
    let library = program.parent().context("a folder")?.join("libecho.so");
    let data = std::env::temp_dir().join(format!("thingcall-instructions-{}", std::process::id()));
    std::fs::create_dir_all(&data)?;
    let config = PluginConfig { execution, ..PluginConfig::default() };
    let configs = PluginConfigs::from([("echo".to_owned(), config)]);
    let loader = thingcall_loader::Config { watch: false, ..thingcall_loader::Config::default() };
    let plugins = Plugins::start(loader, configs, &data, &Conditions::default(), &Metering::new()).await?;
    let loaded = plugins.load_file(&library).await;
    std::fs::remove_dir_all(&data)?;
    let _report = loaded.with_context(|| format!("{} (cargo build -p echo)", library.display()))?;
    Ok(plugins)
}
