//! The ways on which messages of the log leave by themselves: exchanges, topics, webhooks.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use prometheus::Registry as Metering;
use thingcall_core::{MessageFilter, MessageKind, ProductKey, Tracer, UnixMillis};
use thingcall_store::Store;
use thingcall_subscription::LiveReader;
use thingcall_tsl::Registry;
use thingcall_webhook::{TargetName, Targets, Webhooks};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use crate::brokers::Brokers;
use crate::config::Config;
use crate::results::{self, Feed, LogResults, Publishing, ToExchange, ToRabbit, ToTopics};

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
        tracer: Option<Arc<dyn Tracer>>,
        metering: &Metering,
    ) -> anyhow::Result<Self> {
        // What was left behind has no part in what there is room for.
        sweep_once(store).await;
        let mut publishing = Vec::new();
        publishing.extend(publish_results(brokers, store, config.store.results_due_max.get(), metering).await?);
        publishing.extend(publish_messages(brokers, store, metering).await?);
        publishing.extend(publish_on_topics(brokers, store, metering).await?);
        for (webhook, product) in unknown(&config.webhooks, &**store) {
            warn!(%webhook, %product, "a webhook wants messages of a product that is not there; `thingcall product list` shows those that are");
        }
        let webhooks = Webhooks::start(&config.webhooks, store.clone(), tracer, metering).await?;
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

/// Products that webhooks name and that there are not.
fn unknown<'a>(targets: &'a Targets, registry: &dyn Registry) -> Vec<(&'a TargetName, &'a ProductKey)> {
    let named = targets.iter().flat_map(|(name, target)| target.products.iter().map(move |product| (name, product)));
    named.filter(|(_, product)| registry.product(product).is_none()).collect()
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
    let filter = MessageFilter { kinds: vec![MessageKind::Result], ..MessageFilter::default() };
    let outbox = LogResults::wanted(store.clone(), Feed::Results, &filter, due_max).await?;
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
    let (filter, due_max) = (messages.filter(), messages.due_max());
    let outbox = LogResults::wanted(store.clone(), Feed::Messages, filter, due_max).await?;
    Ok(Some(results::start(Feed::Messages, Arc::new(outbox), Arc::new(ToExchange { messages }), metering)?))
}

/// The same on topics of an MQTT broker.
async fn publish_on_topics(
    brokers: &Brokers,
    store: &Arc<Store>,
    metering: &Metering,
) -> anyhow::Result<Option<Publishing>> {
    let Some(messages) = brokers.topics() else {
        LogResults::unwanted(&**store, Feed::Topics).await?;
        return Ok(None);
    };
    let outbox = LogResults::wanted(store.clone(), Feed::Topics, messages.filter(), messages.due_max()).await?;
    Ok(Some(results::start(Feed::Topics, Arc::new(outbox), Arc::new(ToTopics { messages }), metering)?))
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

#[cfg(test)]
mod tests {
    //! Live readers, on a store that has room for few; what is said of what webhooks want.

    use thingcall_core::{MessageLog, Wanted};
    use thingcall_store::MessagesConfig;
    use thingcall_tsl::{InMemoryRegistry, Product, ProductNotes, ProductSettings};

    use super::*;

    #[tokio::test]
    async fn where_there_is_no_room_a_reader_that_nobody_looks_at_gives_way_to_one_that_does() {
        const MINUTE: i64 = 60_000;
        let folder = tempfile::tempdir().unwrap();
        let messages = MessagesConfig { stream_readers_max: 2.try_into().unwrap(), ..MessagesConfig::default() };
        let config = thingcall_store::Config { messages, ..thingcall_store::Config::default() };
        let store = Store::open(config, folder.path()).await.unwrap();
        let wanted = Wanted { of: vec![(None, [MessageKind::Event].into_iter().collect())] };
        let begin = |minute: i64| LiveReader::begin(store.clone(), wanted.clone(), UnixMillis(minute * MINUTE));
        let (_left, mut looks) = (begin(0).await.unwrap(), begin(0).await.unwrap());
        assert!(begin(1).await.is_err(), "who left may come again");
        // It needs a place of its own to live on.
        looks.renew(UnixMillis(6 * MINUTE + 1)).await.unwrap();
        let came = begin(7).await.unwrap();
        assert!(begin(7).await.is_err(), "those that somebody looks at stay");
        came.end().await.unwrap();
        looks.end().await.unwrap();
        assert!(store.readers().await.unwrap().is_empty());
    }

    #[test]
    fn a_product_that_is_not_there_is_seen() {
        let text =
            r#"{ "url": "http://h/", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "products": ["a", "b"] }"#;
        let name: TargetName = "t".parse().expect("a name");
        let targets = Targets::from([(name.clone(), serde_json::from_str(text).expect("a target"))]);
        let (there, missing) = (ProductKey::try_from("a").expect("a key"), ProductKey::try_from("b").expect("a key"));
        let registry = InMemoryRegistry::default();
        registry.put_product(Product {
            key: there,
            name: String::new(),
            settings: ProductSettings::default(),
            model: None,
            created_at: UnixMillis(0),
            notes: ProductNotes::default(),
            silence: Arc::default(),
        });
        assert_eq!(unknown(&targets, &registry), [(&name, &missing)]);
    }
}
