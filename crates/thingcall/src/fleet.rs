//! `thingcall call --all` and `--devices`: one call of each of many devices, with a result of each in a file.
//!
//! **Invariants:** a line says that a call begins before it leaves, and another how it ended: whenever the command ends, the
//! file tells which devices were called, and the same command goes on with the others. A device that may have executed the
//! call is not called again unless that is wanted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use thingcall_api::sign::Signer;
use thingcall_core::{DeviceRef, ProductKey};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::output::{self, Output};
use crate::serve::Signals;
use crate::tool::Place;
use crate::trust::Trust;

mod calling;
mod pace;
mod pool;
mod progress;
mod results;
mod source;
mod together;
mod verdict;

use calling::{Calling, Ended};
pub(crate) use pace::Rate;
use pace::{Pace, rate};
use pool::Pool;
use progress::Progress;
use results::{Header, Known, Results};
use source::Source;
use verdict::Verdict;

/// How many devices are taken in hand for each call that may be under way: some wait for their next try.
const IN_HAND_FOR_EACH: usize = 8;
/// So many kinds of failures are told one by one.
const KINDS_MAX: usize = 100;

/// Which devices, how fast, and where the results go.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "fleet")]
pub(crate) struct Flags {
    /// Instead of one DEVICE: all devices of this product
    #[arg(long, value_name = "PRODUCTKEY", conflicts_with = "devices")]
    pub all: Option<ProductKey>,
    /// Instead of one DEVICE: those in this file, one PRODUCTKEY/DEVICENAME or IotId a line
    #[arg(long, value_name = "FILE")]
    pub devices: Option<PathBuf>,
    /// Of many devices: begin at most so many calls, such as 50/s or 100/m
    #[arg(long, value_name = "N/s", value_parser = rate)]
    pub rate: Option<Rate>,
    /// Of many devices: so many calls may be under way at once
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub in_flight: u32,
    /// Of many devices: try again so often what did not reach its device, and was not executed for sure
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=100))]
    pub retry: u32,
    /// Try again, too, and call again when the command goes on, what the device may have executed already
    #[arg(long)]
    pub repeat_unknown: bool,
    /// Of many devices: where a result of each goes, one JSON object a line; with the same file, the same command goes on
    #[arg(long, value_name = "FILE")]
    pub results: Option<PathBuf>,
}

/// A call of many devices.
pub(crate) struct Fleet {
    pub flags: Flags,
    pub identifier: String,
    pub args: String,
    /// Further parameters of each call.
    pub params: Vec<(&'static str, String)>,
    pub url: String,
    pub trust: Trust,
    pub signer: Signer,
    pub place: Place,
    pub output: Output,
}

/// How many ended how, of this run and those before.
#[derive(Debug, Default)]
struct Tally {
    ok: u64,
    failed: u64,
    /// Whether the device executed it is not known.
    unknown: u64,
    /// Ended in a run before.
    before: u64,
    /// Of each code, how many, and one of them.
    kinds: BTreeMap<String, (u64, String)>,
}

impl Flags {
    /// Whether many devices are meant.
    pub(crate) const fn is_given(&self) -> bool {
        self.all.is_some() || self.devices.is_some()
    }
}

impl Fleet {
    /// Calls all of them. The exit status is 0 if each succeeded.
    ///
    /// # Errors
    /// If it cannot begin, or its results cannot be written.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut signals = Signals::new()?;
        let source = Source::of(&self).await?;
        let results = Arc::new(Results::open(self.flags.results.as_deref(), self.header(&source))?);
        let mut tally = Tally::default();
        self.settle_interrupted(&results, &source, &mut tally)?;
        let began = Instant::now();
        let stop = CancellationToken::new();
        let calling = Arc::new(self.calling(results.clone(), stop.clone()));
        let total = source.total();
        let mut progress = Progress::new(total);
        let (queue, mut devices) = mpsc::channel(1000);
        let feeding = tokio::spawn(source.feed(queue));
        let in_hand_max = self.flags.in_flight as usize * IN_HAND_FOR_EACH;
        let mut running = JoinSet::new();
        let (mut fed, mut left, mut failed) = (false, 0_u64, None);
        while !(fed && running.is_empty()) {
            tokio::select! {
                biased;
                name = signals.next() => {
                    if stop.is_cancelled() {
                        return Ok(ExitCode::FAILURE);
                    }
                    stop.cancel();
                    fed = true;
                    progress.note(&format!("{name}: waits for the calls that are under way; once more ends at once"));
                }
                Some(ended) = running.join_next(), if !running.is_empty() => match ended? {
                    Ok(ended) => left += tally.count(ended),
                    Err(error) => {
                        stop.cancel();
                        (fed, failed) = (true, Some(error));
                    }
                },
                () = progress.tick() => {}
                next = devices.recv(), if !fed && running.len() < in_hand_max => match next {
                    Some(device) => tally.take(device, &results, &calling, &mut running),
                    None => fed = true,
                },
            }
            progress.show(&tally.line(), tally.ended(), running.len());
        }
        progress.end();
        drop(devices);
        if let Some(error) = failed {
            return Err(error);
        }
        let told = feeding.await?;
        let stopped = stop.is_cancelled();
        if stopped {
            left = left.max(total.unwrap_or(0).saturating_sub(tally.ended()));
        } else {
            told?;
        }
        self.tell(&tally, left, stopped, began.elapsed().as_secs_f64());
        let all = !stopped && left == 0 && tally.failed == 0 && tally.unknown == 0;
        Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn header(&self, source: &Source) -> Header {
        let (identifier, args) = (self.identifier.clone(), self.args.clone());
        Header { identifier, args, devices: source.name(), ..Header::new() }
    }

    fn calling(&self, results: Arc<Results>, stop: CancellationToken) -> Calling {
        let mut params = vec![("Identifier", self.identifier.clone()), ("Args", self.args.clone())];
        params.extend(self.params.iter().cloned());
        Calling {
            pool: Pool::new(self.url.clone(), self.trust.clone(), self.signer.clone(), self.flags.in_flight as usize),
            pace: Pace::new(self.flags.rate),
            under_way: Semaphore::new(self.flags.in_flight as usize),
            params,
            retry: self.flags.retry,
            repeat_unknown: self.flags.repeat_unknown,
            results,
            stop,
        }
    }

    /// What was under way when the command ended before: told as what it is, or called again if that is wanted. Devices that
    /// are not meant any more do not count.
    fn settle_interrupted(&self, results: &Results, source: &Source, tally: &mut Tally) -> anyhow::Result<()> {
        let names = source.names();
        for (device, known) in results.known() {
            let verdict = match known {
                Known::Begun { tries, .. } if !self.flags.repeat_unknown => {
                    let verdict = Verdict::interrupted();
                    results.end(&device, &verdict, tries, None)?;
                    verdict
                }
                Known::Ended { verdict, .. } => verdict,
                Known::Begun { .. } | Known::Again { .. } => continue,
            };
            if names.as_ref().is_none_or(|names| names.contains(&device)) {
                tally.add(&device, &verdict);
                tally.before += 1;
            }
        }
        Ok(())
    }

    fn tell(&self, tally: &Tally, left: u64, stopped: bool, seconds: f64) {
        let some = |count: u64| if count == 0 { Value::Null } else { json!(count) };
        let kinds =
            tally.kinds.iter().map(|(code, (count, device))| json!({ "code": code, "devices": count, "one": device }));
        let kinds: Vec<_> = kinds.collect();
        let kinds = match (kinds.is_empty(), self.output.json) {
            (true, _) => Value::Null,
            (false, true) => Value::Array(kinds),
            (false, false) => {
                let each =
                    tally.kinds.iter().map(|(code, (count, device))| format!("{count} x {code} (such as {device})"));
                json!(each.collect::<Vec<_>>().join(", "))
            }
        };
        let members = [
            ("devices", json!(tally.ended())),
            ("succeeded", json!(tally.ok)),
            ("failed", some(tally.failed)),
            ("unknown", some(tally.unknown)),
            ("endedBefore", some(tally.before)),
            ("leftForLater", some(left)),
            ("stopped", if stopped { json!(true) } else { Value::Null }),
            ("seconds", json!((seconds * 10.0).round() / 10.0)),
            ("failures", kinds),
            ("results", json!(self.flags.results.as_ref().map(|file| file.display().to_string()))),
        ];
        output::one(self.output, &members);
        match (&self.flags.results, stopped) {
            (Some(_), true) => {
                output::note("not all devices were called; the same command goes on where this one ended")
            }
            (None, true) => {
                output::note("not all devices were called; with --results FILE the same command could go on")
            }
            (_, false) => {}
        }
    }
}

impl Tally {
    /// Calls a device, unless its call has ended already.
    fn take(
        &mut self,
        device: DeviceRef,
        results: &Arc<Results>,
        calling: &Arc<Calling>,
        running: &mut JoinSet<anyhow::Result<Ended>>,
    ) {
        if let Some((known, tries, token)) = results.takes(&device) {
            let calling = calling.clone();
            running.spawn(async move { calling.call(device, known, tries, token).await });
        }
    }

    /// Counts one; says how many are left for later by it.
    fn count(&mut self, ended: Ended) -> u64 {
        match ended {
            Ended::With { device, verdict } => {
                self.add(&device, &verdict);
                0
            }
            Ended::LeftForLater => 1,
        }
    }

    fn add(&mut self, device: &str, verdict: &Verdict) {
        match verdict.outcome {
            verdict::Outcome::Ok | verdict::Outcome::Accepted => {
                self.ok += 1;
                return;
            }
            verdict::Outcome::DeviceError | verdict::Outcome::Failed => self.failed += 1,
            verdict::Outcome::Unknown => self.unknown += 1,
        }
        let code = verdict.code.clone().unwrap_or_else(|| verdict.outcome.as_str().to_owned());
        if self.kinds.len() < KINDS_MAX || self.kinds.contains_key(&code) {
            self.kinds.entry(code).or_insert_with(|| (0, device.to_owned())).0 += 1;
        }
    }

    const fn ended(&self) -> u64 {
        self.ok + self.failed + self.unknown
    }

    fn line(&self) -> String {
        format!("{} succeeded, {} failed, {} unknown", self.ok, self.failed, self.unknown)
    }
}
