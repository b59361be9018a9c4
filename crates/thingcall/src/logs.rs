//! Logs: text on a terminal, JSON elsewhere, always on stderr; and a counter beside them.
//!
//! **Invariant:** however much a peer sends, what is logged of it is bounded: `limit` for lines, `lines` for bytes.

use std::io::{IsTerminal, stderr};

use anyhow::{Context, bail};
use prometheus::Registry;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, reload};

use thingcall_core::Problem;

use by_level::ByLevel;
pub(crate) use config::{Log, LogFormat};
use levels::Levels;
pub(crate) use levels::{Shown, levels};
use limit::Limit;
use lines::Lines;

mod by_level;
mod config;
mod levels;
mod limit;
mod lines;

/// Libraries that say at `info` what only their authors need.
const NOISY: &[&str] = &["rmqtt_codec", "rumqttc", "rumqttc_core", "sqlx", "hyper", "hyper_util", "h2"];

/// Libraries whose errors we tell in our own words, with what is done about them.
const TOLD_BY_US: &[&str] = &["lapin"];

/// Starts logging. Needs a running tokio.
///
/// # Errors
/// If the level is not a filter, or a metric is registered twice.
pub(crate) fn start(config: &Log, registry: &Registry) -> anyhow::Result<()> {
    let counted = Counted(ByLevel::register("log_messages_total", "Lines logged", registry)?);
    let json = match config.format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let limit = Limit::new(config.kind_lines_per_second_max.get(), registry)?;
    let lines = Lines { bytes_max: config.line_bytes_max };
    let base = fmt::layer().with_writer(lines);
    let text = (!json).then(|| base.with_ansi(stderr().is_terminal()).with_target(false));
    let objects = json.then(|| fmt::layer().with_writer(lines).json().flatten_event(true));
    let (passing, handle) = reload::Layer::new(filter(&config.level)?);
    tracing_subscriber::registry()
        .with(passing)
        .with(limit.clone())
        .with(counted)
        .with(text)
        .with(objects)
        .try_init()
        .context("logging was started before")?;
    Levels::install(handle, configured(&config.level));
    // Ends with the runtime.
    drop(tokio::spawn(limit.tell()));
    Ok(())
}

/// Wins over the configuration.
const VARIABLE: &str = "RUST_LOG";
/// What a level may be.
pub(crate) const LEVELS: &str = "error, warn, info, debug, trace, off, or a filter such as info,thingcall_engine=debug";

/// What passes: `RUST_LOG` if it is set, else the configured level with libraries quieted.
fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => of_environment(&text),
        Ok(_) | Err(_) => of_configuration(level),
    }
}

/// The text that says what passes.
fn configured(level: &str) -> String {
    std::env::var(VARIABLE).ok().filter(|text| !text.is_empty()).unwrap_or_else(|| level.to_owned())
}

/// What passes by the configuration.
///
/// # Errors
/// If it is no level and no filter.
pub(crate) fn of_configuration(level: &str) -> anyhow::Result<EnvFilter> {
    known(level)?;
    EnvFilter::try_new(quieted(level)).with_context(|| format!("{level:?} is not a log filter"))
}

fn of_environment(text: &str) -> anyhow::Result<EnvFilter> {
    known(text)?;
    EnvFilter::try_new(text).with_context(|| format!("{text:?} is not a log filter"))
}

/// What is wrong with `RUST_LOG`, and its name.
pub(crate) fn problem_of_environment() -> Option<(&'static str, Problem)> {
    let text = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty())?;
    let error = of_environment(&text).err()?;
    Some((VARIABLE, Problem::new("", format_args!("{text:?} ({error})"), LEVELS)))
}

/// A word that is no level is a target to the filter, and silences all others: `warning`.
fn known(level: &str) -> anyhow::Result<()> {
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let is_target = |word: &str| NOISY.contains(&word) || TOLD_BY_US.contains(&word) || word.contains("::");
    for word in level.split(',').map(str::trim) {
        let named = word.contains(['=', '[']) || word.starts_with("thingcall") || is_target(word);
        // Nothing parses as a level, too.
        if word.is_empty() || (!named && !is_level(word)) {
            bail!("{word:?} is no level");
        }
    }
    Ok(())
}

/// The level, with less for libraries that it does not name itself.
fn quieted(level: &str) -> String {
    let noisy = if matches!(level, "error" | "off") { &[] } else { NOISY };
    let noisy = noisy.iter().map(|name| (name, "warn"));
    let quiet = noisy.chain(TOLD_BY_US.iter().map(|name| (name, "off")));
    let quiet = quiet.filter(|(name, _)| !level.contains(&format!("{name}=")));
    std::iter::once(level.to_owned()).chain(quiet.map(|(name, less)| format!(",{name}={less}"))).collect()
}

/// Counts what is logged at `error`, `warn` and `info`.
struct Counted(ByLevel);

impl<S: Subscriber> Layer<S> for Counted {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        self.0.inc(*event.metadata().level());
    }
}

#[cfg(test)]
mod tests;
