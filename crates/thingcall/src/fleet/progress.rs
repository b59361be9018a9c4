//! How far it is: a bar on a terminal, a line a second elsewhere. Both on stderr.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::output;

const EACH: Duration = Duration::from_secs(1);
const BAR: &str = "{wide_bar} {pos}/{len} {per_sec:.0} {msg} {eta}";

/// What is shown.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    line: String,
    total: Option<u64>,
    ticks: Interval,
    began: Instant,
    before: Option<u64>,
    ended: u64,
    under_way: usize,
}

impl Progress {
    pub(super) fn new(total: Option<u64>) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            match ProgressStyle::with_template(BAR) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        let began = Instant::now();
        let mut ticks = interval_at(began + EACH, EACH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self { bar, line: String::new(), total, ticks, began, before: None, ended: 0, under_way: 0 }
    }

    /// Returns once a second, and says then how far it is where there is no terminal.
    pub(super) async fn tick(&mut self) {
        self.ticks.tick().await;
        if self.bar.is_none() {
            self.say();
        }
    }

    /// So many calls have ended.
    pub(super) fn show(&mut self, line: &str, ended: u64, under_way: usize) {
        self.before.get_or_insert(ended);
        (self.ended, self.under_way) = (ended, under_way);
        line.clone_into(&mut self.line);
        if let Some(bar) = &self.bar {
            bar.set_position(ended);
            bar.set_message(line.to_owned());
        }
    }

    /// Says something beside it.
    pub(super) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::note(text)),
            None => output::note(text),
        }
    }

    /// There is nothing more to come.
    pub(super) fn end(&self) {
        match &self.bar {
            Some(bar) => bar.finish_and_clear(),
            None => self.say(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "it is for people")]
    fn say(&self) {
        let of = self.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let rate = (self.ended - self.before.unwrap_or(0)) as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        let Self { ended, line, under_way, .. } = self;
        output::note(format_args!("{ended}{of} devices: {line}; {under_way} in hand, {rate:.0}/s"));
    }
}
