//! Messages of applications' own for many devices of a product.
//!
//! **Invariants:** none is kept for a device that is away. So many go to all devices of a product at once, in tasks of their own,
//! at most so many devices a second; a drain ends them between two pages. What no device has, and no journal, is in no record
//! of a call: a line of the log tells of each.

use std::sync::Arc;
use std::time::Duration;

use enum_map::EnumMap;
use thingcall_core::{
    Args, Broadcast, BroadcastOrder, BroadcastTo, CallError, CallId, CallMode, DeliverError, Delivery, Device, Letter,
    LetterTo, NotBroadcast, Outcome, Presence, Qos, ServiceId,
};
use thingcall_tsl::{Product, Route};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{info, warn};

use crate::Engine;
use crate::broadcasts::{Became, Broadcasts};

/// So many devices are read at once, and told before the next are.
const PAGE_DEVICES: usize = 100;
/// How long it waits where a way to devices takes no more for the moment, and how often.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(20);
const NO_ROOM_MAX: usize = 50;

/// One that is going to all devices of a product.
struct Round {
    id: CallId,
    product: Arc<Product>,
    letter: Arc<Letter>,
    service: ServiceId,
    qos: Qos,
    told: EnumMap<Became, u64>,
    _running: TaskTrackerToken,
    _room: OwnedSemaphorePermit,
}

impl Engine {
    /// Sends a message to devices of a product, those that are connected; to all of them, it is on its way when this returns.
    /// What it returns is its number.
    ///
    /// # Errors
    /// Why it did not leave.
    pub async fn broadcast(&self, order: BroadcastOrder) -> Result<CallId, CallError> {
        let told = self.tell_many(&order).await;
        let outcome = told.as_ref().map_or_else(CallError::outcome, |_| Outcome::Ok);
        let product = self.metrics.product(&order.product);
        self.metrics.call_ended(product, Some(CallMode::Async), None, outcome);
        told
    }

    async fn tell_many(&self, order: &BroadcastOrder) -> Result<CallId, CallError> {
        let running = self.enter()?;
        let slot = self.slots.own_at(Instant::now().into_std()).ok_or(CallError::NoLease)?;
        let unknown = || CallError::UnknownProduct(order.product.to_string());
        let product = self.registry.product(&order.product).ok_or_else(unknown)?;
        let id = self.ids.next(slot, |id| self.pending.contains(id) || self.unawaited.contains(id));
        match &order.to {
            BroadcastTo::Topic(topic) => {
                let (product, topic) = (order.product.clone(), topic.clone());
                let told = Broadcast { id, product, topic, payload: order.payload.clone(), qos: order.qos };
                let messages = self.tell_subscribers(&told).await?;
                info!(%id, product = %told.product, topic = &*told.topic, messages, "broadcast");
            }
            BroadcastTo::Everyone => self.begin_round(id, order, product, running)?,
        }
        Ok(id)
    }

    /// By every way to devices: none knows where all of those are that subscribed.
    async fn tell_subscribers(&self, told: &Broadcast) -> Result<u64, CallError> {
        let (mut messages, mut failed) = (None, CallError::TransportDown);
        for transport in self.transports.all() {
            match transport.broadcast(told).await {
                Ok(sent) => {
                    self.broadcasts.messages[Became::Sent].inc_by(sent);
                    *messages.get_or_insert(0) += sent;
                }
                Err(NotBroadcast::Topic(why)) => return Err(CallError::InvalidTopic(why)),
                Err(NotBroadcast::Failed(why)) => {
                    self.broadcasts.messages[Became::Failed].inc();
                    warn!(id = %told.id, transport = %transport.name(), %why, "a broadcast did not leave this way");
                    failed = failure(why);
                }
            }
        }
        messages.ok_or(failed)
    }

    fn begin_round(
        &self,
        id: CallId,
        order: &BroadcastOrder,
        product: Arc<Product>,
        running: TaskTrackerToken,
    ) -> Result<(), CallError> {
        let Broadcasts { room, max, .. } = &self.broadcasts;
        let room = room.clone().try_acquire_owned().map_err(|_| {
            CallError::Overloaded(format!(
                "{max} messages are going to all devices of a product already (broadcasts_max)"
            ))
        })?;
        let service = ServiceId::try_from("PubBroadcast").map_err(|why| CallError::Internal(why.to_string()))?;
        let letter = Arc::new(Letter { to: LetterTo::Broadcast, payload: order.payload.clone(), extras: None });
        let (qos, told) = (order.qos, EnumMap::default());
        let round = Round { id, product, letter, service, qos, told, _running: running, _room: room };
        // It is there as long as anybody calls it.
        let engine = self.me.upgrade().ok_or(CallError::Draining)?;
        drop(tokio::spawn(engine.go_round(round)));
        Ok(())
    }

    /// Tells all devices of a product, page by page.
    async fn go_round(self: Arc<Self>, mut round: Round) {
        self.broadcasts.running.inc();
        let (id, product) = (round.id, round.product.key.clone());
        let pause = Duration::from_secs(1) * u32::try_from(PAGE_DEVICES).unwrap_or(u32::MAX)
            / self.broadcasts.devices_per_second;
        let (mut next_at, mut after) = (Instant::now(), None);
        loop {
            if self.is_draining() {
                warn!(%id, %product, "a broadcast was ended: the server stops, and devices with later names were not told");
                break;
            }
            let page = match self.registry.members(&product, after.as_ref(), PAGE_DEVICES).await {
                Ok(page) => page,
                Err(why) => {
                    warn!(%id, %product, %why, "a broadcast was ended: devices with later names were not told");
                    break;
                }
            };
            let Some((last, _)) = page.last() else { break };
            after = Some(last.key.name.clone());
            for (device, route) in page {
                let became = self.tell_member(&round, device, route).await;
                round.told[became] += 1;
                self.broadcasts.messages[became].inc();
            }
            next_at = next_at.max(Instant::now() - pause) + pause;
            sleep_until(next_at).await;
        }
        let (sent, offline, failed) =
            (round.told[Became::Sent], round.told[Became::Offline], round.told[Became::Failed]);
        info!(%id, %product, sent, offline, failed, "broadcast to all devices");
        self.broadcasts.running.dec();
    }

    async fn tell_member(&self, round: &Round, device: Arc<Device>, route: Route) -> Became {
        if !device.enabled {
            return Became::Offline;
        }
        let Ok(transport) = self.transports.choose(&device, &round.product.settings, || route) else {
            return Became::Failed;
        };
        if transport.presence(&device.key) == Presence::Offline {
            return Became::Offline;
        }
        let delivery = Delivery {
            id: round.id,
            device,
            service: round.service.clone(),
            params: Args::checked("{}"),
            letter: Some(round.letter.clone()),
            raw: None,
            mode: CallMode::Async,
            qos: round.qos,
            deadline: None,
            sync_topic: None,
            trace: None,
        };
        for _ in 0..NO_ROOM_MAX {
            match transport.deliver(&delivery).await {
                Ok(_) => return Became::Sent,
                Err(DeliverError::Offline) => return Became::Offline,
                Err(DeliverError::QueueFull(_)) => sleep(NO_ROOM_PAUSE).await,
                Err(
                    DeliverError::Down | DeliverError::Lost | DeliverError::TooLarge { .. } | DeliverError::Refused(_),
                ) => break,
            }
        }
        Became::Failed
    }
}

/// What the caller is told of it.
fn failure(why: DeliverError) -> CallError {
    match why {
        DeliverError::Offline | DeliverError::Down => CallError::TransportDown,
        DeliverError::Lost => CallError::TransportLost,
        DeliverError::QueueFull(max) => CallError::Overloaded(format!("{max} messages wait to be sent already")),
        DeliverError::TooLarge { bytes, max } => {
            CallError::TooLarge(format!("the message has {bytes} bytes; at most {max} are carried to the devices"))
        }
        DeliverError::Refused(why) => CallError::NotDelivered(why),
    }
}
