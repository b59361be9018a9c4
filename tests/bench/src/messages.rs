//! Messages that wait are read by consumers that accept each: how many a second, and what one takes of the server's processor.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::args::Args;
use crate::consumer::{Consumer, Tally};
use crate::reading::{Serving, Source};
use crate::report::median;
use crate::{cpu, output};

const READ_TIMEOUT: Duration = Duration::from_secs(120);
/// What a server has to do with the last acceptances is done by then, and counts.
const SETTLED_WITHIN: Duration = Duration::from_millis(500);

/// What one turn found.
struct Found {
    per_second: f64,
    cpu_micros: Option<f64>,
    load_micros: Option<f64>,
}

/// Measures each in turn.
///
/// # Errors
/// What could not be started, or did not come.
pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let sources = args.reading.sources();
    let mut found: Vec<Vec<f64>> = vec![Vec::new(); sources.len()];
    for _ in 0..args.rounds {
        for (source, found) in sources.iter().zip(&mut found) {
            let serving = source.start(args, args.reading.messages).await?;
            let measured = measure(args, &serving).await;
            let stopped = serving.stop().await;
            let measured = measured?;
            stopped.with_context(|| source.name())?;
            found.push(measured.per_second);
            print(args, *source, &measured);
        }
    }
    if !args.json && args.rounds > 1 {
        for (source, found) in sources.iter().zip(found) {
            output::line(format_args!("{:<13} median {:.0} messages/s", source.name(), median(found)));
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for eyes")]
async fn measure(args: &Args, serving: &Serving) -> anyhow::Result<Found> {
    let messages = args.reading.messages;
    let mut consumers = Vec::new();
    for _ in 0..args.reading.consumers {
        consumers.push(Consumer::attach(&serving.way).await?);
    }
    let (tally, own) = (Arc::new(Tally::new(messages)), [std::process::id()]);
    let before = (cpu::used(&serving.pids), cpu::used(&own));
    let began = Instant::now();
    let mut running = JoinSet::new();
    for consumer in consumers {
        let tally = tally.clone();
        running.spawn(async move { consumer.run(&tally).await });
    }
    tokio::select! {
        done = timeout(READ_TIMEOUT, tally.done()) => {
            done.with_context(|| format!("{} of {messages} messages did not come", tally.left()))?;
        }
        Some(ended) = running.join_next() => {
            ended??;
            bail!("a consumer ended");
        }
    }
    let took = began.elapsed();
    let loaded = cpu::used(&own);
    sleep(SETTLED_WITHIN).await;
    let after = cpu::used(&serving.pids);
    let micros = |before: Option<Duration>, after: Option<Duration>| {
        Some(after?.saturating_sub(before?).as_secs_f64() * 1e6 / messages as f64)
    };
    Ok(Found {
        per_second: messages as f64 / took.as_secs_f64(),
        cpu_micros: micros(before.0, after).filter(|_| !serving.pids.is_empty()),
        load_micros: micros(before.1, loaded),
    })
}

fn print(args: &Args, source: Source, found: &Found) {
    let (name, consumers) = (source.name(), args.reading.consumers);
    if !args.json {
        let cpu = |micros: Option<f64>| micros.map_or_else(|| "-".to_owned(), |micros| format!("{micros:.1}"));
        return output::line(format_args!(
            "{name:<13} {consumers} consumers  {:.0} messages/s  cpu {} us/message  load {} us/message",
            found.per_second,
            cpu(found.cpu_micros),
            cpu(found.load_micros)
        ));
    }
    let object = [
        ("what", json!(name)),
        ("consumers", json!(consumers)),
        ("messages", json!(args.reading.messages)),
        ("messagesPerSecond", json!(found.per_second)),
        ("cpuMicrosPerMessage", json!(found.cpu_micros)),
        ("loadCpuMicrosPerMessage", json!(found.load_micros)),
    ];
    let object: Map<String, Value> = object.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    output::object(object);
}
