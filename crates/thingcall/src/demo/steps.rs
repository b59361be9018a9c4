//! The demonstration's calls: what is asked, what comes back, and whether it is what should come.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use thingcall_core::{AccessKey, CallId, Journal, Record, RecordState};
use thingcall_store::Store;
use tokio::time::{Instant, sleep};

use super::{AWAY, PLUGIN_FILE, PRODUCT, Show, WITH_EXT, WITHOUT_EXT};
use crate::call::milliseconds;
use crate::client::{Body, Client};
use crate::explain::timeline;
use crate::output::{self, Paint};
use crate::server::Server;

/// How long the result of the asynchronous call may take.
const RESULT_TIMEOUT: Duration = Duration::from_secs(5);

/// One call and what should come of it.
struct Step {
    title: &'static str,
    device: &'static str,
    identifier: &'static str,
    args: &'static str,
    expected: Expected,
}

/// What an answer should be.
enum Expected {
    /// The device's data has this member.
    Data(&'static str, &'static str),
    /// The device's data has this member, and the plugin, if it is there, asked the device twice.
    Merged(&'static str, &'static str),
    /// A message id and no result; the result comes to the journal.
    Later,
    /// A failure with this code.
    Failure(&'static str),
}

const STEPS: &[Step] = &[
    Step {
        title: "A synchronous service: the answer holds what the device answered.",
        device: WITH_EXT,
        identifier: "Measure",
        args: r#"{"channel":3}"#,
        expected: Expected::Data("channel", "3"),
    },
    Step {
        title: "An asynchronous service: answered at once; the result comes later, under the message id.",
        device: WITH_EXT,
        identifier: "SetScene",
        args: r#"{"scene":1,"fade":2.5}"#,
        expected: Expected::Later,
    },
    Step {
        title: "A service of a custom module, on a device of another kind (it takes calls on other topics).",
        device: WITHOUT_EXT,
        identifier: "testFb:testService",
        args: r#"{"param1":42}"#,
        expected: Expected::Merged("param1", "42"),
    },
    Step {
        title: "A wrong argument: refused with what would be right; the device is not asked.",
        device: WITH_EXT,
        identifier: "Measure",
        args: r#"{"channel":99}"#,
        expected: Expected::Failure("iot.device.InvokeThingServiceFailed"),
    },
    Step {
        title: "A device that is not connected: fails at once, not after 8 seconds.",
        device: AWAY,
        identifier: "Measure",
        args: r#"{"channel":3}"#,
        expected: Expected::Failure("iot.messagebroker.OFFLINE"),
    },
];

/// Says what runs.
pub(super) fn introduce(paint: Paint, server: &Server, key: &AccessKey, folder: &Path) {
    let mqtt = server.addresses.mqtt.map(|address| address.to_string()).unwrap_or_default();
    output::line(paint.bold("A thingcall server, in a scratch folder"));
    output::line(format_args!("  API      http://{}", server.addresses.api));
    output::line(format_args!("  MQTT     mqtt://{mqtt}"));
    output::line(format_args!("  metrics  http://{}/metrics", server.addresses.metrics));
    if let Some(console) = server.addresses.console {
        output::line(format_args!("  console  http://{console}/"));
    }
    output::line(format_args!("  key      {}", key.id));
    output::line(format_args!("  folder   {}", folder.display()));
    output::line(format_args!(
        "  product  {PRODUCT} with devices {WITH_EXT}, {WITHOUT_EXT} (simulated, over MQTT) and {AWAY} (not connected)"
    ));
}

/// Makes the calls. Returns how many did not go as they should.
///
/// # Errors
/// If the server does not answer at all.
pub(super) async fn run(show: &Show, client: &mut Client, store: &Store) -> anyhow::Result<usize> {
    let paint = show.paint;
    let mut failed = 0;
    for (number, step) in (1..).zip(STEPS) {
        output::line(format_args!("\n{}", paint.bold(&format!("{number}. {}", step.title))));
        match step.run(show, client, store).await? {
            Ok(()) => output::line(paint.good("    as it should be")),
            Err(why) => {
                failed += 1;
                output::line(paint.bad(&format!("    not as it should be: {why}")));
            }
        }
    }
    Ok(failed)
}

impl Step {
    async fn run(&self, show: &Show, client: &mut Client, store: &Store) -> anyhow::Result<Result<(), String>> {
        let Self { device, identifier, args, .. } = self;
        let (paint, asked_before) = (show.paint, show.asked.load(Ordering::Relaxed));
        output::line(format_args!("    request         InvokeThingService {PRODUCT}/{device} {identifier} {args}"));
        let params = [("ProductKey", PRODUCT), ("DeviceName", device), ("Identifier", identifier), ("Args", args)];
        let answered = client.ask("InvokeThingService", &params).await?;
        let body = answered.body()?;
        let text = String::from_utf8_lossy(&answered.text).into_owned();
        let shown = if body.success { text } else { paint.bad(&text) };
        output::line(format_args!("    answer          {shown}"));
        output::line(paint.faint(&format!("    took            {}", milliseconds(answered.took))));
        Ok(match self.expected {
            Expected::Data(name, value) => has(&body, name, value),
            Expected::Merged(name, value) => {
                let asked = show.asked.load(Ordering::Relaxed) - asked_before;
                has(&body, name, value).and_then(|()| merged(show, asked))
            }
            Expected::Later => completed(&body, store).await,
            Expected::Failure(code) => failed_with(&body, code),
        })
    }
}

fn has(body: &Body, name: &str, value: &str) -> Result<(), String> {
    let result = body.data.as_ref().and_then(|data| data.result.as_deref()).ok_or("no Result in the answer")?;
    let result: Value = serde_json::from_str(result).map_err(|error| format!("Result is not JSON: {error}"))?;
    let found = result.get("data").and_then(|data| data.get(name)).map(ToString::to_string);
    if found.as_deref() == Some(value) { Ok(()) } else { Err(format!("data.{name} should be {value}")) }
}

/// Says who handled the call: the plugin, or nobody in its place.
fn merged(show: &Show, asked: usize) -> Result<(), String> {
    match (show.plugin, asked) {
        (true, 2) => {
            output::line("    handled by      the plugin test-fb: it asked the device twice at once, and merged");
            Ok(())
        }
        (true, asked) => Err(format!("the plugin test-fb should ask the device twice; it was asked {asked} times")),
        (false, _) => {
            output::line(format_args!(
                "    handled by      the built-in path: {PLUGIN_FILE} is not beside this program (cargo build -p test-fb)"
            ));
            Ok(())
        }
    }
}

fn failed_with(body: &Body, code: &str) -> Result<(), String> {
    let is = !body.success && body.code.as_deref() == Some(code);
    if is { Ok(()) } else { Err(format!("it should fail with {code}")) }
}

/// Waits for the call's record to end, and shows it.
async fn completed(body: &Body, store: &Store) -> Result<(), String> {
    let data = body.data.clone().unwrap_or_default();
    if data.result.is_some() {
        return Err("an asynchronous call has no Result yet".to_owned());
    }
    let id: CallId = data.message_id.unwrap_or_default().parse().map_err(|error| format!("MessageId: {error}"))?;
    let until = Instant::now() + RESULT_TIMEOUT;
    while Instant::now() < until {
        let records = store.find(id).await.map_err(|error| error.to_string())?;
        if let Some(record) = records.first().filter(|record| record.state == RecordState::Ended) {
            show(record);
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Err("its result did not come within 5 s".to_owned())
}

fn show(record: &Record) {
    output::line(format_args!("    the record, as `thingcall explain {}` shows it:", record.id));
    for line in timeline(record).lines() {
        output::line(format_args!("      {line}"));
    }
}
