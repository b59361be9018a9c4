//! All of it, as whoever traces sees it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use prometheus::Registry;
use thingcall_core::{Begins, Problem, Span, TraceContext, TraceId, Traced, Tracer};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use crate::config::Config;
use crate::encode::Encoder;
use crate::export::Exporter;
use crate::metrics::{Decision, Dropped, Metrics};
use crate::queue::Queue;
use crate::sampler::Sampler;
use crate::sender::Sender;

/// Why traces do not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// What is wrong with the configuration.
    #[error("traces.{0}")]
    Wrong(#[from] Problem),
    /// A metric.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

/// Who records traces and sends them on, where anybody does.
pub struct Tracing {
    tracer: Option<Arc<Recorder>>,
    stopping: CancellationToken,
    exporting: Option<AbortOnDropHandle<()>>,
}

struct Recorder {
    sampler: Sampler,
    queue: Arc<Queue>,
    metrics: Metrics,
}

impl Tracing {
    /// Records from now on, where the configuration names a collector. Needs a running tokio.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn start(config: &Config, registry: &Registry) -> Result<Self, NotStarted> {
        let (stopping, mut exporting) = (CancellationToken::new(), None);
        let metrics = Metrics::register(config, registry)?;
        let tracer = Sender::new(config)?.map(|sender| {
            let queue = Arc::new(Queue::new((config.queue_spans_max, config.batch_spans_max), metrics.clone()));
            let encoder = Encoder::new(config.resource());
            let parts = ((queue.clone(), metrics.clone()), (encoder, sender));
            let exporter = Exporter::new(parts.0, parts.1, config.export_interval, stopping.clone());
            exporting = Some(AbortOnDropHandle::new(tokio::spawn(exporter.run())));
            info!(endpoint = config.endpoint.as_deref(), sampled = config.sampled, "traces are recorded");
            let sampler = Sampler::new(config, tokio::time::Instant::now().into_std());
            Arc::new(Recorder { sampler, queue, metrics })
        });
        Ok(Self { tracer, stopping, exporting })
    }

    /// Who is asked to trace; nobody where there is no collector.
    pub fn tracer(&self) -> Option<Arc<dyn Tracer>> {
        self.tracer.clone().map(|tracer| tracer as Arc<dyn Tracer>)
    }

    /// Sends what waits, for at most so long. What ends later is dropped and counted.
    pub async fn stop(self, within: Duration) {
        let (Some(tracer), Some(exporting)) = (self.tracer, self.exporting) else { return };
        tracer.queue.close();
        self.stopping.cancel();
        if timeout(within, exporting).await.is_err() {
            let left = std::iter::from_fn(|| Some(tracer.queue.batch().len()).filter(|spans| *spans > 0)).sum();
            tracer.metrics.drop(Dropped::Stopped, left);
            warn!(spans = left, "the collector did not take what waits in time; it is lost");
        }
    }
}

impl Tracer for Recorder {
    fn begin(self: Arc<Self>, what: Begins, came: Instant) -> Arc<Traced> {
        let caller = match &what {
            Begins::Request(caller) => caller.as_ref(),
            Begins::Call => None,
        };
        let trace_id = caller.map_or_else(TraceId::random, |caller| caller.trace_id);
        let now = tokio::time::Instant::now().into_std();
        let decision = self.sampler.decide(caller, trace_id, now);
        self.metrics.traces[decision].inc();
        let is_recorded = decision == Decision::Recorded;
        let state = caller.and_then(|caller| caller.state.clone());
        let context = TraceContext { state, ..TraceContext::root(trace_id, is_recorded) };
        let then = SystemTime::now().checked_sub(now.saturating_duration_since(came)).unwrap_or_else(SystemTime::now);
        Traced::new(context, &what, (came, then), is_recorded.then_some(self as Arc<dyn Tracer>))
    }

    fn take(&self, spans: Vec<Span>) {
        self.sampler.made(spans.len());
        self.queue.put(spans);
    }

    fn too_many(&self, spans: u64) {
        self.metrics.dropped[Dropped::TooMany].inc_by(spans);
    }
}
