//! `thingcall plugin test`: one call or one translation through a plugin, without server or broker, step by step.
//!
//! **Invariant:** the plugin is loaded and run by the loader that the server uses; only the device is played.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use prometheus::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;
use thingcall_core::{CallMode, Conditions, DeviceKey, DeviceName, Handlers, ProductKey, ReplyBody};
use thingcall_loader::{Config, Inspected, PluginConfig, PluginConfigs, Plugins};
use tracing::Level;

use crate::exit::WrongUse;
use crate::output::Output;
use crate::server::Stopped;
use crate::tool::scratch;
use crate::trial::{Asked, Came, PRODUCT, Reply, Steps, Trial, raw};

mod codec;

use super::private_copy;

/// What to try.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true).args(["call", "encode", "decode"]),
    after_help = "Examples:\n  thingcall plugin test libmeter.so --call meter:read '{\"channel\":1}' --reply '{\"value\":20}'\n  \
    thingcall plugin test libmeter.so --call meter:read --reply timeout --reply '{\"code\":460,\"message\":\"busy\"}'\n  \
    thingcall plugin test codec.so --encode '{\"id\":\"7\",\"method\":\"thing.service.read\",\"params\":{}}'\n  \
    thingcall plugin test codec.so --decode 0107c8\n\nEach --reply answers one call of the device, in order: data; an \
    answer {\"code\":..,\"data\":..,\"message\":..}; timeout or offline, which here come at once.\nExit status: 0 if \
    there was an answer with code 200 or --expect-code (or the call was accepted), every --reply was asked for, and \
    --expect fits; else 1."
)]
pub(crate) struct Args {
    /// The plugin's file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The service to call, and its arguments, a JSON object
    #[arg(long, num_args = 1..=2, value_names = ["IDENTIFIER", "ARGS"])]
    call: Option<Vec<String>>,
    /// What the device answers to the next call of it
    #[arg(long = "reply", value_name = "JSON", requires = "call")]
    replies: Vec<Reply>,
    /// Call it asynchronously
    #[arg(long = "async", requires = "call")]
    asynchronous: bool,
    /// Translate this Alink request for the device
    #[arg(long, value_name = "JSON")]
    encode: Option<String>,
    /// Translate these bytes of the device
    #[arg(long, value_name = "HEX")]
    decode: Option<String>,
    /// What must come out: the data, or of --encode the bytes in hex
    #[arg(long, value_name = "TEXT")]
    expect: Option<String>,
    /// The code the answer must have
    #[arg(long, value_name = "CODE", default_value_t = ReplyBody::SUCCESS, requires = "call")]
    expect_code: i64,
    /// The plugin's own configuration
    #[arg(long, value_name = "JSON", default_value = "{}")]
    config: String,
    /// The product of the device [default: one that the plugin names]
    #[arg(long, value_name = "PRODUCTKEY")]
    product: Option<ProductKey>,
    /// The device
    #[arg(long, value_name = "NAME", default_value = "dev1")]
    device: DeviceName,
    /// How long it may take
    #[arg(long, value_name = "DURATION", default_value = "8s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Log lines to show: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: Level,
    #[command(flatten)]
    output: Output,
}

/// A plugin that is loaded, and where.
struct Loaded {
    plugins: Arc<Plugins>,
    inspected: Inspected,
    product: ProductKey,
    _folder: TempDir,
}

/// Runs `thingcall plugin test`.
pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let steps = Steps::start(args.output, args.log)?;
    let (tried, stopped) = match load(&args, &steps).await {
        Ok(loaded) => {
            let tried = try_out(&args, &loaded, &steps).await;
            let destroyed = loaded.plugins.shutdown().await;
            let tried = if destroyed { tried } else { tried.and(Err(anyhow!("destroy did not return"))) };
            (tried, if destroyed { Stopped::Wholly } else { Stopped::PluginsRun })
        }
        Err(error) => (Err(error), Stopped::Wholly),
    };
    match tried {
        Ok(()) => {
            steps.step("end", "passed", json!({ "passed": true }));
            Ok(stopped.exit(Ok(())))
        }
        Err(error) if error.is::<WrongUse>() && stopped == Stopped::Wholly => Err(error),
        Err(error) => {
            let why = format!("{error:#}");
            steps.step("end", &format!("failed: {why}"), json!({ "passed": false, "why": why }));
            Ok(stopped.exit(Err(())))
        }
    }
}

async fn try_out(args: &Args, loaded: &Loaded, steps: &Arc<Steps>) -> anyhow::Result<()> {
    match (&args.call, &args.encode, &args.decode) {
        (Some(call), _, _) => call_through(args, loaded, steps, call).await,
        (None, Some(json), _) => codec::encode(args, loaded, steps, json).await,
        (None, None, hex) => codec::decode(args, loaded, steps, hex.as_deref().unwrap_or_default()).await,
    }
}

/// Loads the file from a folder of its own, as private as a server's should be.
async fn load(args: &Args, steps: &Steps) -> anyhow::Result<Loaded> {
    let bytes = std::fs::read(&args.file).with_context(|| format!("{} cannot be read", args.file.display()))?;
    let inspected = thingcall_loader::inspect(&bytes).with_context(|| args.file.display().to_string())?;
    let manifest = &inspected.manifest;
    let product = args.product.clone().or_else(|| named_product(&inspected));
    let product = product.map_or_else(|| PRODUCT.try_into(), Ok)?;
    let own = serde_json::from_str(&args.config).map_err(|error| WrongUse(format!("--config: {error}")))?;
    let Value::Object(own) = own else { bail!(WrongUse("--config is not a JSON object".to_owned())) };

    let folder = scratch("thingcall-plugin-test-")?;
    private_copy(&bytes, &args.file, &folder.path().join("plugins"))?;
    let config = Config { watch: false, ..Config::default() };
    let treated = PluginConfig { config: own, ..PluginConfig::default() };
    let treated = PluginConfigs::from([(manifest.name.clone(), treated)]);
    let plugins = Plugins::start(config, treated, folder.path(), &Conditions::default(), &Registry::new()).await?;
    super::loaded(&plugins)?;
    let text =
        format!("{} {}, claims {:?}, codecs {:?}", manifest.name, manifest.version, manifest.claims, manifest.codecs);
    steps.step("loaded", &text, json!({ "plugin": manifest.name, "version": manifest.version }));
    Ok(Loaded { plugins, inspected, product, _folder: folder })
}

/// The product of a plugin that is for certain products only.
fn named_product(inspected: &Inspected) -> Option<ProductKey> {
    let manifest = &inspected.manifest;
    let claimed = manifest.claims.iter().filter_map(|claim| claim.split_once('/').map(|(product, _)| product));
    let translated = manifest.codecs.iter().map(String::as_str);
    claimed.chain(translated).find_map(|product| product.try_into().ok())
}

async fn call_through(args: &Args, loaded: &Loaded, steps: &Arc<Steps>, words: &[String]) -> anyhow::Result<()> {
    let identifier = words.first().map_or("", String::as_str);
    let arguments = words.get(1).map_or("{}", String::as_str);
    let trial = Trial::of(Asked {
        device: device_of(args, loaded),
        identifier,
        arguments,
        mode: if args.asynchronous { CallMode::Async } else { CallMode::Sync },
        timeout: args.timeout,
    })?;
    let handler = loaded.plugins.find(trial.call()).with_context(|| {
        let manifest = &loaded.inspected.manifest;
        format!("{} does not handle {identifier} of {}: it claims {:?}", manifest.name, loaded.product, manifest.claims)
    })?;
    let Came { body, wrong } = trial.run(&*handler, args.replies.clone(), steps).await?;
    if let Some(ReplyBody { code, .. }) = body.as_ref().filter(|body| body.code != args.expect_code) {
        bail!("the answer has code {code}, not {}", args.expect_code);
    }
    if let Some(wrong) = wrong {
        bail!(wrong);
    }
    expected(args, body.as_ref().map(|body| body.data.as_str()))
}

/// Compares with `--expect`, as JSON.
fn expected(args: &Args, data: Option<&str>) -> anyhow::Result<()> {
    let Some(expected) = &args.expect else { return Ok(()) };
    let data = data.context("there is no data to compare with --expect")?;
    if raw(data) == raw(expected) { Ok(()) } else { bail!("the data should be {expected}") }
}

fn device_of(args: &Args, loaded: &Loaded) -> DeviceKey {
    DeviceKey { product: loaded.product.clone(), name: args.device.clone() }
}
