//! What devices report, on a connection of its own: however much of it there is, no answer to a call waits behind it, and what a
//! broker refuses here ends no calls.
//!
//! **Invariants:** of several instances one hears each report, where the broker has shared subscriptions. No session is kept
//! for those: a broker would go on giving it its share of the reports while nobody is there. What an instance hears that has
//! no others is kept while it is away, and acknowledged once it is written; what cannot be written comes again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc_v4::ManualAck;
use thingcall_alink::{POST_FILTERS, Uplink, device_of_topic, uplink};
use thingcall_core::{Arrival, DropReason, PeerText, Takes, TransportKind, Unawaited};
use thingcall_transport::{Arrivals, Backoff, ConnectResult, Ended};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use crate::client::{self, Client, Event, Target};
use crate::config::Posts;
use crate::mqtt::Mqtt;

/// All instances together are one subscriber of this name.
const SHARED: &str = "$share/thingcall/";
/// How often it is looked whether a report waits too long for being written.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// A report that is not written by then is asked for again, with all behind it. The store itself gives up sooner.
pub(crate) const HELD_MAX: Duration = Duration::from_secs(15);
/// How long a stop waits for what is being written.
const WRITTEN_MAX: Duration = Duration::from_secs(1);
/// How long it waits for what the broker had given this instance of what it shares with others.
const SHARE_COMES_WITHIN: Duration = Duration::from_millis(300);

/// Hears what devices report, and connects again when it hears no more; until `stop`.
pub(crate) async fn hear(mqtt: Arc<Mqtt>, stop: CancellationToken) {
    let config = &mqtt.config;
    let mut backoff = Backoff::new(config.reconnect_pause_min, config.reconnect_pause_max);
    let mut told = false;
    loop {
        let well = || {
            backoff.begin_anew();
            told = false;
        };
        let Ended { why, .. } = Hearing::begin(&mqtt, &stop).receive(well).await;
        mqtt.posts_up.set(0);
        if stop.is_cancelled() {
            return;
        }
        let (transport, why) = (mqtt.contact.name, PeerText::new(&why).to_string());
        if told {
            debug!(%transport, why, "reports of devices are not heard");
        } else {
            warn!(%transport, why, "reports of devices are not heard; calls are served all the same");
            told = true;
        }
        tokio::select! { () = sleep(backoff.next_wait()) => {}, () = stop.cancelled() => return }
    }
}

/// Whose a message says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// An instance of this program published it.
    Ours,
    /// It does not say.
    None,
}

/// One connection.
struct Hearing {
    mqtt: Arc<Mqtt>,
    client_id: String,
    client: Client,
    event_loop: client::Loop,
    filters: Vec<String>,
    /// Where the broker keeps what is not acknowledged.
    arrivals: Option<Arrivals<ManualAck>>,
    stop: CancellationToken,
}

impl Hearing {
    /// One that is not connected yet.
    fn begin(mqtt: &Arc<Mqtt>, stop: &CancellationToken) -> Self {
        let (client_id, keeps_session) = (format!("{}-posts", mqtt.client_id), mqtt.config.keeps_posts());
        let (client, event_loop) = client::build(Target { client_id: &client_id, keeps_session, ..mqtt.target() });
        let arrivals = keeps_session.then(|| {
            let (client, early) = (client.clone(), mqtt.contact.metrics.early_acks.clone());
            Arrivals::patient(early, move |puback| client.acknowledge(puback))
        });
        let filters = filters(mqtt.config.posts());
        Self { mqtt: mqtt.clone(), client_id, client, event_loop, filters, arrivals, stop: stop.clone() }
    }

    async fn receive(mut self, well: impl FnOnce()) -> Ended {
        let _leaving = self.leaves_when_stopped();
        let _looking = self
            .arrivals
            .clone()
            .map(|arrivals| AbortOnDropHandle::new(tokio::spawn(ask_again(arrivals, self.client.clone()))));
        let mut well = Some(well);
        loop {
            match self.event_loop.poll().await {
                Ok(Event::Connected { .. }) => {
                    if let Err(ended) = self.client.subscribe_to(&self.filters) {
                        return ended;
                    }
                }
                Ok(Event::Subscribed { refused, .. }) if refused.is_empty() => {
                    self.mqtt.posts_up.set(1);
                    let (transport, client_id, kept) =
                        (self.mqtt.contact.name, &self.client_id, self.arrivals.is_some());
                    info!(%transport, %client_id, kept, "hears what devices report");
                    if let Some(well) = well.take() {
                        well();
                    }
                }
                Ok(Event::Subscribed { refused, .. }) => return not_subscribed(&self.mqtt, &self.filters, &refused),
                Ok(Event::Message { topic, payload, puback, is_own }) => {
                    let marked = if is_own { Mark::Ours } else { Mark::None };
                    self.came(&topic, &payload, puback, marked);
                }
                Ok(Event::Sent(_) | Event::Acked(_) | Event::Nothing) => {}
                Err(ended) => return self.why(ended),
            }
        }
    }

    /// A message came. Nothing here waits.
    fn came(&self, topic: &Bytes, payload: &Bytes, puback: Option<ManualAck>, mark: Mark) {
        match (&self.arrivals, puback) {
            // The broker keeps it, and nobody waits for what would be begun now.
            (Some(_), _) if self.stop.is_cancelled() => {}
            (Some(arrivals), Some(puback)) => {
                let arriving = arrivals.came();
                take(&self.mqtt, topic, payload, (mark, &arriving));
                arriving.taken(puback);
            }
            (Some(_) | None, _) => take(&self.mqtt, topic, payload, (mark, &Unawaited)),
        }
    }

    /// What is being written is acknowledged, or what the broker has for us comes, and then it says goodbye.
    fn leaves_when_stopped(&self) -> AbortOnDropHandle<()> {
        let (client, filters) = (self.client.clone(), self.filters.clone());
        let (arrivals, stop) = (self.arrivals.clone(), self.stop.clone());
        AbortOnDropHandle::new(tokio::spawn(async move {
            stop.cancelled().await;
            let began = Instant::now();
            match arrivals {
                Some(arrivals) => {
                    while !arrivals.is_empty() && began.elapsed() < WRITTEN_MAX {
                        sleep(Duration::from_millis(10)).await;
                    }
                }
                // From now on others get it.
                None if client.unsubscribe_from(&filters) => sleep(SHARE_COMES_WITHIN).await,
                None => {}
            }
            client.disconnect();
        }))
    }

    fn why(&self, ended: Ended) -> Ended {
        match &self.arrivals {
            Some(arrivals) if arrivals.held_for() >= HELD_MAX => {
                let seconds = HELD_MAX.as_secs();
                let why = format_args!("a report was not written within {seconds} s; it is asked for again");
                Ended::new(ConnectResult::Refused, why)
            }
            Some(_) | None => ended,
        }
    }
}

/// Ends the connection where a report waits too long: on the next the broker gives what was not acknowledged again.
async fn ask_again(arrivals: Arrivals<ManualAck>, client: Client) {
    while arrivals.held_for() < HELD_MAX {
        sleep(LOOK_PAUSE).await;
        arrivals.look();
    }
    client.disconnect();
}

fn filters(posts: Posts) -> Vec<String> {
    let filter = |filter: &&str| match posts {
        Posts::Shared => format!("{SHARED}{filter}"),
        Posts::Plain | Posts::None => (*filter).to_owned(),
    };
    POST_FILTERS.iter().map(filter).collect()
}

fn not_subscribed(mqtt: &Mqtt, filters: &[String], refused: &[usize]) -> Ended {
    let refused: Vec<&str> = refused.iter().filter_map(|at| filters.get(*at).map(String::as_str)).collect();
    let (user, topics) = (mqtt.user(), refused.join(", "));
    Ended::new(
        ConnectResult::Auth,
        format_args!(
            "its access rules must let {user} subscribe to {topics}; or set `posts = \"none\"`, and where it has no shared \
             subscriptions and there is one instance, `posts = \"plain\"`"
        ),
    )
}

/// Hands a message on, unless it is one of ours that the broker brings back.
fn take(mqtt: &Mqtt, topic: &Bytes, payload: &Bytes, (mark, arrival): (Mark, &dyn Arrival)) {
    let Ok(topic) = std::str::from_utf8(topic) else { return };
    if mark == Mark::Ours || mqtt.sent.take(topic, payload) {
        let echo = Uplink::Dropped(device_of_topic(topic), DropReason::Echo);
        return mqtt.contact.take(echo, topic, payload, arrival);
    }
    match uplink(TransportKind::Mqtt, topic, payload, mqtt.config.message_bytes_max, |_, _| Takes::Alink) {
        Uplink::Raw(raw) => mqtt.contact.take_raw_post(raw, topic, arrival),
        said @ (Uplink::Post(_) | Uplink::Other(_) | Uplink::Dropped(..)) => {
            mqtt.contact.take(said, topic, payload, arrival)
        }
        // What may be an answer is heard on the other connection.
        Uplink::Reply(_) => {}
    }
}
