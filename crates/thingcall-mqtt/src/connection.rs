//! A connection: connect, subscribe, receive.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use rumqttc_v4::ManualAck;
use thingcall_alink::REPLY_FILTERS;
use thingcall_core::Unawaited;
use thingcall_transport::{Arrivals, ConnectResult, Ended, Probed, Protocol, Session, Watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use crate::client::{self, Client, Event, Loop};
use crate::config::{Posts, Presence};
use crate::events::{EVENT_FILTERS, are_heard};
use crate::mqtt::{Mqtt, Open};
use crate::posts;
use crate::unacked::Unacked;

/// Woken again within this time, the connection is busy: what else is ready is likely to have messages for it too.
const BUSY_WITHIN: Duration = Duration::from_micros(50);

/// How many replies may wait to be acknowledged: brokers give a client fewer, some ten.
const REPLIES_UNACKNOWLEDGED_MAX: usize = 1024;
/// How often it is looked whether one waits too long.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// How long the goodbye waits for the end of the connection on which devices report.
const POSTS_END_MAX: Duration = Duration::from_millis(1500);

/// Drives the socket, but on a busy connection, one woken within `busy_within` of having come to rest, lets the tasks that
/// are ready run before: the messages they queue leave in one write. Woken by the first of them, it would run next, and
/// write each alone.
///
/// An idle one is driven at once: a task that lets others run wakes a second worker, which finds nothing to do, and the
/// message waits for that. So is one that nothing is `queued` on: what woke it is an answer to be read.
async fn unhurried<T>(busy_within: Duration, queued: impl Fn() -> bool, driving: impl Future<Output = T>) -> T {
    let mut driving = pin!(driving);
    let mut rested: Option<Instant> = None;
    poll_fn(|context| {
        if rested.take().is_some_and(|rested| rested.elapsed() < busy_within) && queued() {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = driving.as_mut().poll(context);
        rested = polled.is_pending().then(Instant::now);
        polled
    })
    .await
}

/// A connection that is subscribed.
pub struct Connection {
    mqtt: Arc<Mqtt>,
    client: Client,
    event_loop: Loop,
    unacked: Unacked,
    packet_bytes_max: usize,
    /// Where the broker keeps a session for us, and in it what we have not acknowledged.
    arrivals: Option<Arrivals<ManualAck>>,
}

impl Connection {
    /// Connects and subscribes; only then deliveries are taken.
    pub(crate) async fn open(mqtt: &Arc<Mqtt>) -> Result<Self, Ended> {
        let (client, mut event_loop) = client::build(mqtt.target());
        let arrivals = mqtt.config.keeps_session().then(|| arrivals(mqtt, &client));
        let mut limit = None;
        loop {
            match event_loop.poll().await? {
                Event::Connected { packet_bytes_max, resumed } => {
                    limit = packet_bytes_max;
                    mqtt.catches_up(resumed);
                    client.subscribe()?;
                }
                Event::Subscribed { refused, .. } if refused.is_empty() => break,
                Event::Subscribed { refused, .. } => return Err(not_subscribed(mqtt, &refused)),
                Event::Message { topic, payload, puback, .. } => {
                    take(mqtt, (&topic, &payload), arrivals.as_ref().zip(puback))
                }
                Event::Sent(_) | Event::Acked(_) | Event::Nothing => {}
            }
        }
        let packet_bytes_max = limit.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        mqtt.begins();
        Ok(Self { mqtt: mqtt.clone(), client, event_loop, unacked: mqtt.unacked(), packet_bytes_max, arrivals })
    }

    async fn receive(&mut self) -> Ended {
        let mqtt = self.mqtt.clone();
        let queued = || mqtt.contact.metrics.send_queue_length.get() > 0;
        loop {
            match unhurried(BUSY_WITHIN, queued, self.event_loop.poll()).await {
                Ok(Event::Message { topic, payload, puback, .. }) => {
                    take(&self.mqtt, (&topic, &payload), self.arrivals.as_ref().zip(puback));
                }
                Ok(Event::Sent(packet)) => {
                    self.mqtt.contact.metrics.send_queue_length.dec();
                    self.unacked.sent(packet);
                }
                Ok(Event::Acked(packet)) => self.unacked.acked(packet),
                Ok(Event::Subscribed { filters, refused }) if filters == EVENT_FILTERS.len() => {
                    if !are_heard(&refused) {
                        self.mqtt.tell_of_no_events();
                    }
                }
                // The probe's.
                Ok(Event::Subscribed { refused, .. }) if !refused.is_empty() => {
                    self.mqtt.probe_refused();
                    self.mqtt.look();
                }
                Ok(Event::Connected { .. } | Event::Subscribed { .. } | Event::Nothing) => {}
                Err(ended) => return ended,
            }
        }
    }
}

impl Session for Connection {
    type Open = Open;

    fn open(&self) -> Open {
        Open { client: self.client.clone(), packet_bytes_max: self.packet_bytes_max }
    }

    async fn run(&mut self, stop: &CancellationToken) -> Ended {
        let Mqtt { config, client_id, .. } = &*self.mqtt;
        info!(broker = %config.url, %client_id, "connected and subscribed");
        if config.presence == Presence::Emqx
            && let Err(ended) = self.client.subscribe_to_events()
        {
            return ended;
        }
        let _watch = Watch::start(self.mqtt.clone(), self.open());
        let posts = (config.posts() != Posts::None)
            .then(|| AbortOnDropHandle::new(tokio::spawn(posts::hear(self.mqtt.clone(), stop.clone()))));
        // Beside the loop, which ends when the broker has heard it.
        let (stop, client) = (stop.clone(), self.client.clone());
        let _goodbye = AbortOnDropHandle::new(tokio::spawn(async move {
            stop.cancelled().await;
            if let Some(posts) = posts {
                // Its devices are answered on this one.
                timeout(POSTS_END_MAX, posts).await.ok();
            }
            client.disconnect();
        }));
        let _looking = self.arrivals.clone().map(|arrivals| AbortOnDropHandle::new(tokio::spawn(look(arrivals))));
        self.receive().await
    }
}

fn arrivals(mqtt: &Mqtt, client: &Client) -> Arrivals<ManualAck> {
    let (client, early) = (client.clone(), mqtt.contact.metrics.early_acks.clone());
    Arrivals::new(REPLIES_UNACKNOWLEDGED_MAX, early, move |puback| client.acknowledge(puback))
}

/// Takes a message, and acknowledges it then, or once it is written.
fn take(mqtt: &Mqtt, (topic, payload): (&Bytes, &Bytes), owed: Option<(&Arrivals<ManualAck>, ManualAck)>) {
    let Some((arrivals, puback)) = owed else { return mqtt.take(topic, payload, &Unawaited) };
    let arriving = arrivals.came();
    mqtt.take(topic, payload, &arriving);
    arriving.taken(puback);
}

async fn look(arrivals: Arrivals<ManualAck>) {
    loop {
        sleep(LOOK_PAUSE).await;
        arrivals.look();
    }
}

/// Why deliveries are not taken though the broker let us in. It would carry commands, and no answer.
fn not_subscribed(mqtt: &Mqtt, refused: &[usize]) -> Ended {
    let refused: Vec<&str> = refused.iter().filter_map(|at| REPLY_FILTERS.get(*at).copied()).collect();
    let (user, topics) = (mqtt.user(), refused.join(", "));
    Ended::new(ConnectResult::Auth, format_args!("its access rules must let {user} subscribe to {topics}"))
}

#[cfg(test)]
mod tests;
