//! Consumers that are connected, have given credit and get nothing: what each adds to the server's resident set.

use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::args::Args;
use crate::consumer::Consumer;
use crate::output;
use crate::reading::{Serving, Source};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// It does not change any more when so many looks differ by less than a 500th.
const LOOKS: usize = 5;
const LOOKS_MAX: usize = 60;

/// Measures each in turn, with half of the consumers and with all.
///
/// # Errors
/// What could not be started or connected.
pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    for _ in 0..args.rounds {
        for source in args.reading.sources() {
            let serving = source.start(args, 0).await?;
            let measured = measure(args, source, &serving).await;
            let stopped = serving.stop().await;
            measured?;
            stopped?;
        }
    }
    Ok(())
}

async fn measure(args: &Args, source: Source, serving: &Serving) -> anyhow::Result<()> {
    let pid = *serving.pids.first().context("its process")?;
    let before = settled(pid).await?;
    let mut all = Vec::new();
    for upto in [args.reading.consumers / 2, args.reading.consumers] {
        while all.len() < upto as usize {
            let mut consumer = Consumer::attach(&serving.way).await?;
            consumer.begin().await?;
            all.push(consumer);
        }
        let each = settled(pid).await?.saturating_sub(before) / u64::from(upto.max(1));
        print(args, source, upto, each);
    }
    Ok(())
}

fn print(args: &Args, source: Source, consumers: u32, bytes: u64) {
    if !args.json {
        return output::line(format_args!("{:<13} {consumers} idle consumers  {bytes} bytes each", source.name()));
    }
    let object = [("what", json!(source.name())), ("consumers", json!(consumers)), ("bytesEach", json!(bytes))];
    let object: Map<String, Value> = object.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    output::object(object);
}

/// The resident set without file pages, once it does not change any more.
async fn settled(pid: u32) -> anyhow::Result<u64> {
    let mut looks = Vec::new();
    for _ in 0..LOOKS_MAX {
        looks.push(resident(pid)?);
        let last = looks.iter().rev().take(LOOKS);
        let (least, most) = last.clone().fold((u64::MAX, 0), |(least, most), look| (least.min(*look), most.max(*look)));
        if last.len() == LOOKS && (most - least) * 500 <= most {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    looks.last().copied().context("no look")
}

fn resident(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
