//! The ways on which messages of the log leave by themselves: exchanges, webhooks.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use prometheus::Registry as Metering;
use thingcall_core::UnixMillis;
use thingcall_store::Store;
use thingcall_subscription::LiveReader;
use thingcall_webhook::Webhooks;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info};

use crate::brokers::Brokers;
use crate::config::Config;
use crate::results::{self, Feed, LogResults, Publishing, ToExchange, ToRabbit};

/// How long webhooks may take to end: 2 s for requests that are on their way, and then for noting what became of them.
const WEBHOOKS_TIMEOUT: Duration = Duration::from_secs(3);

/// How often it is looked for live readers whose time is over.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// All of them, and the end of what those wanted of the log who only looked.
pub(crate) struct Ways {
    webhooks: Webhooks,
    publishing: Vec<Publishing>,
    sweeping: AbortOnDropHandle<()>,
}

impl Ways {
    /// Messages leave from now on.
    ///
    /// # Errors
    /// What is wrong with a webhook, or why the log or a metric cannot be had.
    pub(crate) async fn start(
        config: &Config,
        brokers: &Brokers,
        store: &Arc<Store>,
        metering: &Metering,
    ) -> anyhow::Result<Self> {
        // What was left behind has no part in what there is room for.
        sweep_once(store).await;
        let mut publishing = Vec::new();
        publishing.extend(publish_results(brokers, store, config.store.results_due_max.get(), metering).await?);
        publishing.extend(publish_messages(brokers, store, metering).await?);
        let webhooks = Webhooks::start(&config.webhooks, store.clone(), metering).await?;
        let sweeping = AbortOnDropHandle::new(tokio::spawn(sweep(store.clone())));
        Ok(Self { webhooks, publishing, sweeping })
    }

    /// Ends them, within 6 s. What has not left goes back.
    pub(crate) async fn stop(self) {
        drop(self.sweeping);
        self.webhooks.stop(WEBHOOKS_TIMEOUT).await;
        join_all(self.publishing.into_iter().map(Publishing::stop)).await;
    }
}

/// Publishes results of asynchronous calls, where a broker is configured for them. Else none becomes due any more.
async fn publish_results(
    brokers: &Brokers,
    store: &Arc<Store>,
    due_max: usize,
    metering: &Metering,
) -> anyhow::Result<Option<Publishing>> {
    let Some(results) = brokers.results() else {
        LogResults::unwanted(&**store, Feed::Results).await?;
        return Ok(None);
    };
    let outbox = LogResults::wanted(store.clone(), Feed::Results, due_max).await?;
    store.move_due_results().await?;
    Ok(Some(results::start(Feed::Results, Arc::new(outbox), Arc::new(ToRabbit { results }), metering)?))
}

/// Publishes messages of every kind, where a broker is configured for them. Else none is written for that any more.
async fn publish_messages(
    brokers: &Brokers,
    store: &Arc<Store>,
    metering: &Metering,
) -> anyhow::Result<Option<Publishing>> {
    let Some(messages) = brokers.messages() else {
        LogResults::unwanted(&**store, Feed::Messages).await?;
        return Ok(None);
    };
    let outbox = LogResults::wanted(store.clone(), Feed::Messages, messages.due_max()).await?;
    Ok(Some(results::start(Feed::Messages, Arc::new(outbox), Arc::new(ToExchange { messages }), metering)?))
}

/// Ends what those wanted of the log who looked at messages as they came and were killed.
async fn sweep(store: Arc<Store>) {
    loop {
        sleep(SWEEP_EVERY).await;
        sweep_once(&store).await;
    }
}

async fn sweep_once(store: &Store) {
    match LiveReader::sweep(store, UnixMillis::now()).await {
        Ok(0) => {}
        Ok(readers) => info!(readers, "what nobody looks at any more is not written any more"),
        Err(error) => debug!(%error, "live readers cannot be looked at"),
    }
}
