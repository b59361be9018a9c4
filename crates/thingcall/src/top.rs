//! `thingcall top`: the devices that fail, are silent or slow most often now, at a terminal until `q`.

use std::time::Duration;

use anyhow::{anyhow, bail};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use thingcall_core::UnixMillis;
use tokio::time::{MissedTickBehavior, interval};

use crate::output::{self, Output, Table};
use crate::pending::addresses;
use crate::running::{Operator, Running, ask_at};
use crate::serve::Signals;
use crate::tool::Place;

mod screen;

use screen::{Key, Screen};

/// A server answers from memory.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Which, and how often.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  thingcall top\n  thingcall top --by slow --products\n  thingcall top --once --json\n\nThe devices whose calls failed, had \
    no answer in time, or were answered slowly ([engine] slow_call) most often in the last ten minutes, of every instance that can be reached; \
    each instance counts its own calls. COUNT may be too high by what stands behind it where so many devices fail that not each has a place \
    ([metrics] top_bytes_max).\n\nAt a terminal it is shown again and again: f, t and s choose failures, time-outs and slow answers, p products or \
    devices, q ends. Elsewhere it is shown once."
)]
pub(crate) struct Args {
    /// By what
    #[arg(long, value_name = "WHAT", default_value = "failures", value_parser = ["failures", "timeouts", "slow"])]
    by: String,
    /// Products, not devices
    #[arg(long)]
    products: bool,
    /// So many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// How often it is shown again
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// Show it once
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// What is shown.
#[derive(Debug, Clone)]
struct Shown {
    by: String,
    what: What,
    limit: usize,
}

/// Of what the list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Devices,
    Products,
}

impl What {
    const fn member(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Products => "products",
        }
    }

    const fn heading(self) -> &'static str {
        match self {
            Self::Devices => "DEVICE",
            Self::Products => "PRODUCT",
        }
    }
}

/// What instances told.
#[derive(Debug, Default)]
struct Told {
    /// Each with its instance, most often first.
    rows: Vec<Value>,
    instances: usize,
    /// Those that did not answer, and why.
    silent: Vec<String>,
}

/// Runs `thingcall top`.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Args { by, products, limit, every, once, running, output, place } = args;
    let what = if products { What::Products } else { What::Devices };
    let mut shown = Shown { by, what, limit: limit as usize };
    let live = !once && !output.json && Screen::is_possible();
    let addresses = addresses(running, &place, None).await?;
    if !live {
        let told = ask(&addresses, &shown).await;
        told.silent.iter().for_each(|why| output::note(format_args!("an instance is left out: {why}")));
        if told.instances == 0 {
            bail!("no instance of the store could be asked");
        }
        output::list(output, &told.rows, Clone::clone, &heading(shown.what), |each| row(each, shown.what));
        return Ok(());
    }
    // Whoever ends it gets the terminal back as it was.
    let mut signals = Signals::new()?;
    let mut screen = Screen::open()?;
    let mut ticks = interval(every.max(Duration::from_millis(200)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = signals.next() => return Ok(()),
            key = screen.key() => match key {
                Key::End => return Ok(()),
                Key::Letter('f') => "failures".clone_into(&mut shown.by),
                Key::Letter('t') => "timeouts".clone_into(&mut shown.by),
                Key::Letter('s') => "slow".clone_into(&mut shown.by),
                Key::Letter('p') => {
                    shown.what = if shown.what == What::Devices { What::Products } else { What::Devices };
                }
                Key::Letter(_) => continue,
            },
        }
        let told = ask(&addresses, &shown).await;
        screen.show(&page(&shown, &told, screen.rows()))?;
    }
}

async fn ask(addresses: &[Operator], shown: &Shown) -> Told {
    let mut told = Told::default();
    for address in addresses {
        match ask_one(address, shown).await {
            Ok(rows) => {
                told.instances += 1;
                told.rows.extend(rows);
            }
            Err(error) => told.silent.push(format!("{error:#}")),
        }
    }
    told.rows.sort_by_key(|row| std::cmp::Reverse(row["count"].as_u64()));
    told.rows.truncate(shown.limit);
    told
}

async fn ask_one(operator: &Operator, shown: &Shown) -> anyhow::Result<Vec<Value>> {
    let path = format!("/debug/top?by={}&limit={}", shown.by, shown.limit);
    let (status, body) = ask_at(operator, Method::GET, &path, ANSWER_TIMEOUT).await?;
    if status != StatusCode::OK {
        let why = body.get("error").and_then(Value::as_str).unwrap_or("it tells nothing of devices that fail");
        return Err(anyhow!("{}: {why}", operator.address));
    }
    let instance = body.get("instance").cloned().unwrap_or_default();
    let mut rows = body.get(shown.what.member()).and_then(Value::as_array).cloned().unwrap_or_default();
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        row.insert("by".to_owned(), json!(shown.by));
        row.insert("instance".to_owned(), instance.clone());
    }
    Ok(rows)
}

fn heading(what: What) -> [&'static str; 7] {
    [what.heading(), "COUNT", "TOO MANY", "LAST", "OUTCOME", "SLOWEST", "INSTANCE"]
}

fn row(each: &Value, what: What) -> Vec<String> {
    let text = |name: &str| each.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| each.get(name).and_then(Value::as_u64).unwrap_or_default();
    let slowest = each.get("slowestSeconds").and_then(Value::as_f64).unwrap_or_default();
    let name = match what {
        What::Devices => format!("{}/{}", text("productKey"), text("deviceName")),
        What::Products => text("productKey"),
    };
    let too_many = match number("tooManyAtMost") {
        0 => String::new(),
        many => format!("<= {many}"),
    };
    let last = text("lastAt");
    let last = last.split_once('T').map_or("", |(_, time)| time.get(..8).unwrap_or(time)).to_owned();
    vec![
        name,
        number("count").to_string(),
        too_many,
        last,
        text("lastOutcome"),
        format!("{slowest:.3} s"),
        text("instance"),
    ]
}

fn instances(count: usize) -> String {
    if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") }
}

/// The whole screen, of so many lines.
fn page(shown: &Shown, told: &Told, rows: usize) -> String {
    let now = output::second(UnixMillis::now());
    let mut lines = vec![
        format!("thingcall top: {} by {}, the last ten minutes, {now}", shown.what.member(), shown.by),
        format!("{}   f failures  t time-outs  s slow  p devices/products  q end", instances(told.instances)),
    ];
    lines.extend(told.silent.iter().map(|why| format!("left out: {why}")));
    lines.push(String::new());
    if told.rows.is_empty() {
        lines.push("none".to_owned());
    } else {
        let mut table = Table::new(&heading(shown.what));
        told.rows.iter().for_each(|each| table.row(row(each, shown.what)));
        let table = table.render(output::columns());
        lines.extend(table.lines().map(str::to_owned));
    }
    lines.truncate(rows.saturating_sub(1).max(4));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    //! What a person sees.

    use super::*;

    fn told() -> Told {
        let row = json!({
            "productKey": "light", "deviceName": "lamp", "count": 12, "tooManyAtMost": 3, "lastAt": "2026-11-30T12:00:05.250Z",
            "lastOutcome": "timeout", "slowestSeconds": 8.0, "instance": "gateway-1",
        });
        Told { rows: vec![row], instances: 2, silent: vec!["10.0.0.3:9464: no answer".to_owned()] }
    }

    #[test]
    fn a_row_says_who_how_often_and_where() {
        let told = told();
        let expected = ["light/lamp", "12", "<= 3", "12:00:05", "timeout", "8.000 s", "gateway-1"];
        assert_eq!(row(&told.rows[0], What::Devices), expected);
        assert_eq!(row(&told.rows[0], What::Products)[0], "light");
    }

    #[test]
    fn a_page_fits_its_screen_and_names_what_is_left_out() {
        let mut told = told();
        let shown = Shown { by: "timeouts".to_owned(), what: What::Devices, limit: 20 };
        let text = page(&shown, &told, 24);
        assert!(text.contains("devices by timeouts") && text.contains("light/lamp"), "{text}");
        assert!(text.contains("left out: 10.0.0.3:9464"), "{text}");

        told.rows = vec![told.rows[0].clone(); 100];
        assert_eq!(page(&shown, &told, 24).lines().count(), 23);
        told.rows.clear();
        assert!(page(&shown, &told, 24).ends_with("\nnone"));
    }
}
