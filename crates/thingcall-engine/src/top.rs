//! Which devices and products fail, are silent or slow most often, over the last ten minutes.
//!
//! **Invariants:** what is kept is bounded, however many devices there are. A call that succeeds in time comes nowhere near it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use prometheus::IntGauge;
use strum::{EnumString, IntoStaticStr};
use thingcall_core::{DeviceKey, Outcome, ProductKey, UnixMillis};
use thingcall_metrics::{Maker, gauge_of};
use tokio::time::Instant;

pub use sketch::Often;
use sketch::{MINUTES, Sketch};

mod sketch;

/// What one thing that is counted takes, at most.
const ENTRY_BYTES: usize = 384;
/// Of all places, one in so many is for products.
const PRODUCTS_OF: usize = 16;

/// By what they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum TopBy {
    /// Calls that failed at the device or on the way to it.
    Failures,
    /// Calls that it did not answer in time.
    Timeouts,
    /// Calls that it answered, and slowly (`slow_call`).
    Slow,
}

/// What is noted of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopNote {
    /// When the latest such call ended.
    pub at: UnixMillis,
    /// How.
    pub outcome: Outcome,
    /// How long the slowest of them took.
    pub slowest: Duration,
}

/// Those that come most often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopOf {
    /// Devices.
    pub devices: Vec<Often<DeviceKey, TopNote>>,
    /// Products.
    pub products: Vec<Often<ProductKey, TopNote>>,
}

/// All that is counted.
#[derive(Debug)]
pub(crate) struct Top {
    began: Instant,
    lists: EnumMap<TopBy, Mutex<Lists>>,
    bytes: IntGauge,
}

#[derive(Debug)]
struct Lists {
    devices: Sketch<DeviceKey, TopNote>,
    products: Sketch<ProductKey, TopNote>,
}

impl Top {
    /// For how long something counts.
    pub(crate) const WINDOW: Duration = Duration::from_secs(60 * MINUTES as u64);

    pub(crate) fn register(make: Maker<'_>, bytes_max: usize) -> Result<Self, prometheus::Error> {
        make.limit("top_bytes_limit", "How much these may take", bytes_max)?;
        let bytes = make.gauge("top_bytes", "What the lists of devices that fail or are slow most often take")?;
        let places = bytes_max / ENTRY_BYTES / 3;
        let products = (places / PRODUCTS_OF).max(1);
        let lists = EnumMap::from_fn(|_| {
            let devices = Sketch::new(places.saturating_sub(products));
            Mutex::new(Lists { devices, products: Sketch::new(products) })
        });
        Ok(Self { began: Instant::now(), lists, bytes })
    }

    /// A call to this device ended so, and took so long.
    #[cold]
    pub(crate) fn ended(&self, device: &DeviceKey, outcome: Outcome, (took, slow): (Duration, Duration)) {
        match kind(outcome) {
            Kind::Silence => {
                self.came(TopBy::Timeouts, device, outcome, took);
                self.came(TopBy::Failures, device, outcome, took);
            }
            Kind::Failure => self.came(TopBy::Failures, device, outcome, took),
            Kind::Answer | Kind::Nothing => {}
        }
        if took >= slow && matches!(outcome, Outcome::Ok | Outcome::DeviceError | Outcome::InvalidReply) {
            self.came(TopBy::Slow, device, outcome, took);
        }
    }

    /// Those of the last ten minutes, at most `max` devices and as many products.
    pub(crate) fn most(&self, by: TopBy, max: usize) -> TopOf {
        let minute = self.minute();
        let mut lists = lock(&self.lists[by]);
        TopOf { devices: lists.devices.most(minute, max), products: lists.products.most(minute, max) }
    }

    /// Brings the gauge up to date.
    pub(crate) fn refresh(&self) {
        let entries = self.lists.values().map(|lists| {
            let lists = lock(lists);
            lists.devices.len() + lists.products.len()
        });
        self.bytes.set(gauge_of(entries.sum::<usize>() * ENTRY_BYTES));
    }

    fn came(&self, by: TopBy, device: &DeviceKey, outcome: Outcome, took: Duration) {
        let (minute, at) = (self.minute(), UnixMillis::now());
        let note = |before: Option<TopNote>| {
            let slowest = before.map_or(took, |before| before.slowest.max(took));
            TopNote { at, outcome, slowest }
        };
        let mut lists = lock(&self.lists[by]);
        lists.devices.came(device, minute, note);
        lists.products.came(&device.product, minute, note);
    }

    fn minute(&self) -> u64 {
        self.began.elapsed().as_secs() / 60
    }
}

/// What an outcome says of the device.
enum Kind {
    /// It did not answer.
    Silence,
    /// It was not reached, or its answer is no good.
    Failure,
    /// It answered.
    Answer,
    /// Nothing: the caller, a limit or the server is meant.
    Nothing,
}

const fn kind(outcome: Outcome) -> Kind {
    match outcome {
        Outcome::Timeout => Kind::Silence,
        Outcome::DeviceError
        | Outcome::Offline
        | Outcome::NotDelivered
        | Outcome::InvalidReply
        | Outcome::TransportDown
        | Outcome::PluginFailed => Kind::Failure,
        Outcome::Ok => Kind::Answer,
        Outcome::InvalidArgs
        | Outcome::TooLarge
        | Outcome::UnknownTarget
        | Outcome::Denied
        | Outcome::Throttled
        | Outcome::Overloaded
        | Outcome::Cancelled
        | Outcome::Draining
        | Outcome::NoLease
        | Outcome::Internal => Kind::Nothing,
    }
}

/// Nothing that is done under this lock can panic half way.
fn lock(lists: &Mutex<Lists>) -> MutexGuard<'_, Lists> {
    lists.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    //! What counts as what, and that it stays within its bytes.

    use prometheus::Registry;

    use super::*;

    const SLOW: Duration = Duration::from_secs(3);
    const SECOND: Duration = Duration::from_secs(1);

    fn device(product: &str, name: &str) -> DeviceKey {
        DeviceKey { product: product.parse().unwrap(), name: name.parse().unwrap() }
    }

    fn counts(top: &Top, by: TopBy) -> Vec<(String, u32)> {
        top.most(by, 10).devices.into_iter().map(|often| (often.key.to_string(), often.count)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_end_counts_where_it_belongs_and_passes_after_ten_minutes() {
        let top = Top::register(Maker::new(&Registry::new()), 1 << 20).unwrap();
        let (lamp, fan) = (device("light", "lamp"), device("air", "fan"));
        top.ended(&lamp, Outcome::Timeout, (8 * SECOND, SLOW));
        top.ended(&lamp, Outcome::Offline, (Duration::ZERO, SLOW));
        top.ended(&fan, Outcome::Ok, (4 * SECOND, SLOW));
        top.ended(&fan, Outcome::DeviceError, (SECOND, SLOW));
        top.ended(&fan, Outcome::InvalidArgs, (SECOND, SLOW));
        top.ended(&fan, Outcome::Overloaded, (SECOND, SLOW));

        let [lamp, fan] = ["light/lamp", "air/fan"].map(str::to_owned);
        assert_eq!(counts(&top, TopBy::Failures), [(lamp.clone(), 2), (fan.clone(), 1)]);
        assert_eq!(counts(&top, TopBy::Timeouts), [(lamp, 1)]);
        assert_eq!(counts(&top, TopBy::Slow), [(fan, 1)]);
        let slow = top.most(TopBy::Slow, 1);
        assert_eq!((slow.products[0].key.as_str(), slow.products[0].value.slowest), ("air", 4 * SECOND));

        tokio::time::advance(Top::WINDOW).await;
        assert_eq!(counts(&top, TopBy::Failures), []);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_have_their_limit_however_many_devices_fail() {
        let (registry, bytes_max) = (Registry::new(), 100 * ENTRY_BYTES);
        let top = Top::register(Maker::new(&registry), bytes_max).unwrap();
        for number in 0..1000 {
            let device = device(&format!("product-{number}"), &format!("device-{number}"));
            top.ended(&device, Outcome::Timeout, (8 * SECOND, SLOW));
        }
        top.refresh();
        let bytes = usize::try_from(top.bytes.get()).unwrap();
        assert!(bytes > bytes_max / 2 && bytes <= bytes_max, "{bytes}");
    }
}
