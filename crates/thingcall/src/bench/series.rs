//! Servers that are measured in turns, so that what else the machine does is shared out: one without a plugin, and
//! with `--plugin` one or two with it.

use std::path::Path;

use serde_json::json;
use thingcall_loader::{Execution, PluginConfig};

use super::target::{IDENTIFIER, Target};
use super::{Args, Plan, load, print};
use crate::config::Config;
use crate::output;
use crate::plugin;
use crate::server::{Server, Stopped};

/// What handles the calls of a server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Through<'a> {
    /// The built-in path.
    BuiltIn,
    /// This plugin.
    Plugin(&'a Path, Execution),
}

/// The servers, one after the other, `rounds` times.
///
/// # Errors
/// What could not be started or measured.
pub(super) async fn run(args: &Args, plan: Plan) -> anyhow::Result<Stopped> {
    let mut servers = Vec::new();
    let measured = match start(args, &mut servers).await {
        Ok(()) => measure(args, plan, &servers).await,
        Err(error) => Err(error),
    };
    let mut stopped = Stopped::Wholly;
    for (_, target) in servers {
        if target.stop().await == Stopped::PluginsRun {
            stopped = Stopped::PluginsRun;
        }
    }
    measured.map(|()| stopped)
}

async fn start<'a>(args: &'a Args, servers: &mut Vec<(Through<'a>, Target)>) -> anyhow::Result<()> {
    let mut all = vec![Through::BuiltIn];
    if let Some(file) = &args.plugin {
        all.push(Through::Plugin(file, Execution::Pool));
        if args.inline {
            all.push(Through::Plugin(file, Execution::Inline));
        }
    }
    for through in all {
        servers.push((through, Target::start(args, through).await?));
    }
    Ok(())
}

async fn measure(args: &Args, plan: Plan, servers: &[(Through<'_>, Target)]) -> anyhow::Result<()> {
    let mut found = vec![Vec::new(); servers.len()];
    for _ in 0..args.rounds {
        for ((through, target), found) in servers.iter().zip(&mut found) {
            let report = load::measure(target, plan).await?;
            print(args, through.name(), plan, &report);
            found.push(report.per_second());
        }
    }
    let medians: Vec<f64> = found.into_iter().map(median).collect();
    let [built_in, others @ ..] = medians.as_slice() else { return Ok(()) };
    for ((through, _), median) in servers.iter().skip(1).zip(others) {
        let (name, share) = (through.name(), median / built_in);
        if args.output.json {
            output::line(json!({ "what": "share", "of": name, "medianCallsPerSecond": median, "share": share }));
        } else {
            output::line(format_args!("{name:<9}  {:.1} % of calls without it, by medians", share * 100.0));
        }
    }
    Ok(())
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let at = |index: usize| figures.get(index).copied().unwrap_or_default();
    f64::midpoint(at(figures.len().saturating_sub(1) / 2), at(figures.len() / 2))
}

impl Through<'_> {
    const fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "calls",
            Self::Plugin(_, Execution::Pool) => "plugin",
            Self::Plugin(_, Execution::Inline) => "inline",
        }
    }

    /// Has the server of this configuration load the plugin for the benchmark's service.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn put_into(self, config: &mut Config) -> anyhow::Result<()> {
        let Self::Plugin(file, execution) = self else { return Ok(()) };
        let claims = Some(vec![IDENTIFIER.to_owned()]);
        plugin::install(config, file, PluginConfig { execution, claims, ..PluginConfig::default() })
    }

    /// That the server did load it.
    ///
    /// # Errors
    /// Why it did not.
    pub(super) fn check(self, server: &Server) -> anyhow::Result<()> {
        match self {
            Self::BuiltIn => Ok(()),
            Self::Plugin(..) => plugin::loaded(server.reloads.plugins()),
        }
    }
}
