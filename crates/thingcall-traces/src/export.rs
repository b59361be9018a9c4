//! The task that sends what waits.
//!
//! **Invariants:** one batch is on its way at a time. One that a collector does not take is sent again a few times, and then dropped
//! and counted. A collector that is away has a line when it is missed, one a minute while it is, and one when it is there again.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{PeerText, Span};
use thingcall_transport::Backoff;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::encode::Encoder;
use crate::metrics::{Dropped, Export, Metrics};
use crate::queue::Queue;
use crate::sender::{Again, NotTaken, Sender};

/// How often a batch is sent.
const TRIES_MAX: u32 = 5;
/// Before it is sent again; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// Between lines about a collector that is away.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The task.
pub(crate) struct Exporter {
    queue: Arc<Queue>,
    encoder: Encoder,
    sender: Sender,
    metrics: Metrics,
    interval: Duration,
    stopping: CancellationToken,
    /// When it was last said that the collector takes nothing.
    told: Option<Instant>,
    backoff: Backoff,
}

impl Exporter {
    pub(crate) fn new(
        (queue, metrics): (Arc<Queue>, Metrics),
        (encoder, sender): (Encoder, Sender),
        interval: Duration,
        stopping: CancellationToken,
    ) -> Self {
        let backoff = Backoff::new(PAUSE_MIN, PAUSE_MAX);
        Self { queue, encoder, sender, metrics, interval, stopping, told: None, backoff }
    }

    /// Sends until the server stops, and then what waits still.
    pub(crate) async fn run(mut self) {
        while !self.stopping.is_cancelled() {
            tokio::select! {
                () = self.queue.full() => {}
                () = sleep(self.interval) => {}
                () = self.stopping.cancelled() => {}
            }
            self.send_all().await;
        }
        self.send_all().await;
    }

    async fn send_all(&mut self) {
        loop {
            let batch = self.queue.batch();
            if batch.is_empty() {
                return;
            }
            self.send(batch).await;
        }
    }

    async fn send(&mut self, batch: Vec<Span>) {
        let spans = batch.len();
        // Dropped half way, by a stop that is over its time, these were not sent.
        let mut unsent = Unsent { metrics: self.metrics.clone(), spans };
        let batch = self.encoder.encode(batch);
        for _ in 0..TRIES_MAX {
            let began = Instant::now();
            let sent = self.sender.send(&batch).await;
            self.metrics.seconds.observe(began.elapsed().as_secs_f64());
            match sent {
                Ok(accepted) => {
                    self.metrics.exports[Export::Ok].inc();
                    let rejected = accepted.rejected.min(spans);
                    self.metrics.exported.inc_by(u64::try_from(spans - rejected).unwrap_or(u64::MAX));
                    self.metrics.drop(Dropped::Rejected, rejected);
                    unsent.spans = 0;
                    self.works(rejected, &accepted.said);
                    return;
                }
                Err(NotTaken { why, again }) => {
                    self.metrics.exports[Export::Failed].inc();
                    self.fails(&why);
                    let wait = match again {
                        Again::Never => break,
                        Again::Later => self.backoff.next_wait(),
                        Again::After(pause) => pause,
                    };
                    tokio::select! {
                        () = sleep(wait) => {}
                        // Once more, and that is it.
                        () = self.stopping.cancelled() => {}
                    }
                }
            }
        }
        unsent.spans = 0;
        self.metrics.drop(Dropped::NotSent, spans);
    }

    fn works(&mut self, rejected: usize, said: &str) {
        self.backoff.begin_anew();
        if rejected > 0 {
            warn!(spans = rejected, why = %PeerText::new(said), "the collector rejected spans");
        }
        if self.told.take().is_some() {
            info!("the collector takes spans again");
        }
    }

    fn fails(&mut self, why: &str) {
        if self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            self.told = Some(Instant::now());
            let dropped = self.metrics.dropped[Dropped::NotSent].get() + self.metrics.dropped[Dropped::QueueFull].get();
            warn!(why = %PeerText::at_most(why, 300), dropped, "the collector does not take spans");
        }
    }
}

/// Spans that were neither sent nor given up.
struct Unsent {
    metrics: Metrics,
    spans: usize,
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.metrics.drop(Dropped::Stopped, self.spans);
    }
}
