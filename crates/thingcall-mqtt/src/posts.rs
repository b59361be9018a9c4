//! What devices report, on a connection of its own: however much of it there is, no answer to a call waits behind it, and what a
//! broker refuses here ends no calls.
//!
//! **Invariants:** of several instances one hears each report, where the broker has shared subscriptions. No session is kept for
//! this connection: a broker would go on giving it its share of the reports while nobody is there.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use thingcall_alink::{POST_FILTERS, Uplink, uplink};
use thingcall_core::{PeerText, TransportKind, Unawaited};
use thingcall_transport::{Backoff, ConnectResult, Ended};
use tokio::time::sleep;
use tracing::{debug, info, warn};

use crate::client::{self, Event, Target};
use crate::config::Posts;
use crate::mqtt::Mqtt;

/// All instances together are one subscriber of this name.
const SHARED: &str = "$share/thingcall/";

/// Hears what devices report, and connects again when it hears no more; until it is dropped.
pub(crate) async fn hear(mqtt: Arc<Mqtt>) -> Infallible {
    let config = &mqtt.config;
    let mut backoff = Backoff::new(config.reconnect_pause_min, config.reconnect_pause_max);
    let mut told = false;
    loop {
        let Ended { why, .. } = receive(&mqtt, || backoff.begin_anew()).await;
        mqtt.posts_up.set(0);
        let (transport, why) = (mqtt.contact.name, PeerText::new(&why).to_string());
        if told {
            debug!(%transport, why, "reports of devices are not heard");
        } else {
            warn!(%transport, why, "reports of devices are not heard; calls are served all the same");
            told = true;
        }
        sleep(backoff.next_wait()).await;
    }
}

async fn receive(mqtt: &Arc<Mqtt>, well: impl FnOnce()) -> Ended {
    let client_id = format!("{}-posts", mqtt.client_id);
    let (client, mut event_loop) =
        client::build(Target { client_id: &client_id, keeps_session: false, ..mqtt.target() });
    let filters = filters(mqtt.config.posts);
    let mut well = Some(well);
    loop {
        match event_loop.poll().await {
            Ok(Event::Connected { .. }) => {
                if let Err(ended) = client.subscribe_to(&filters) {
                    return ended;
                }
            }
            Ok(Event::Subscribed { refused, .. }) if refused.is_empty() => {
                mqtt.posts_up.set(1);
                info!(transport = %mqtt.contact.name, %client_id, "hears what devices report");
                if let Some(well) = well.take() {
                    well();
                }
            }
            Ok(Event::Subscribed { refused, .. }) => return not_subscribed(mqtt, &filters, &refused),
            Ok(Event::Message { topic, payload, .. }) => take(mqtt, &topic, &payload),
            Ok(Event::Sent(_) | Event::Acked(_) | Event::Nothing) => {}
            Err(ended) => return ended,
        }
    }
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

/// Hands a message on. Nothing here waits.
fn take(mqtt: &Mqtt, topic: &Bytes, payload: &Bytes) {
    let Ok(topic) = std::str::from_utf8(topic) else { return };
    match uplink(TransportKind::Mqtt, topic, payload, mqtt.config.message_bytes_max, |_| false) {
        Uplink::Raw(raw) => mqtt.contact.take_raw_post(raw, topic, &Unawaited),
        said @ (Uplink::Post(_) | Uplink::Other(_) | Uplink::Dropped(..)) => {
            mqtt.contact.take(said, topic, payload, &Unawaited)
        }
        // What may be an answer is heard on the other connection.
        Uplink::Reply(_) => {}
    }
}
