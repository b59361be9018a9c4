//! Whether one more call may wait for its device, and whose it may be.
//!
//! What one product has, or one account, is at most [`SHARE`] times the room that is left ("dynamic thresholds", as switches share
//! a buffer): alone it gets eight ninths of all, several get even parts, and who has few calls always finds room: of what is
//! left last, only a call of which both the product and the account have few. Products and accounts are told apart by a hash of their names: two may share a part, and what is held is the same whatever there are.
//!
//! Where the way to the devices takes longer than it should, room is taken away and comes back, by a share each time: what
//! would only wait longer is refused at once.
//!
//! **Invariants:** what is counted is what [`Place`]s there are. [`FLOOR`] calls may wait however long the way takes. Nothing here
//! locks or waits.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use enum_map::Enum;
use foldhash::fast::RandomState;
use strum::IntoStaticStr;
use tokio::time::Instant;

/// How many times the room that is left one may have.
const SHARE: usize = 8;
/// Of whom fewer wait, however, may have one more while there is any room at all: a product of a noisy account, an account at a
/// noisy product, and both while the way is congested.
const FEW: usize = 8;
/// Such a part of all room is left last.
const LAST: usize = 16;
/// So many are told apart.
const PARTS: usize = 8192;
/// So many may wait even where the way is congested.
const FLOOR: usize = 64;
/// How often it is looked how long the way takes, at most.
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// Where it was not looked for so long, too few came to fill anything.
const CALM_AFTER: Duration = Duration::from_secs(1);

/// Room for calls that wait.
#[derive(Debug)]
pub(crate) struct Room {
    /// How many there may ever be.
    max: usize,
    /// How many there may be now.
    now: AtomicUsize,
    taken: AtomicUsize,
    products: Box<[AtomicU32]>,
    accounts: Box<[AtomicU32]>,
    hasher: RandomState,
    began: Instant,
    /// When it is to be looked again, in microseconds since it began.
    next_look: AtomicU64,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum NoRoom {
    /// As many wait as may.
    Full,
    /// As many wait as may while the way is congested.
    Congested,
    /// The product has its part.
    Product,
    /// The account has its part.
    Account,
}

/// The place of one call. It is given back by [`Room::leave`].
#[derive(Debug)]
#[must_use]
pub(crate) struct Place {
    product: u16,
    account: Option<u16>,
}

impl Room {
    pub(crate) fn new(max: usize) -> Self {
        let parts = || (0..PARTS).map(|_| AtomicU32::new(0)).collect();
        Self {
            max,
            now: AtomicUsize::new(max),
            taken: AtomicUsize::new(0),
            products: parts(),
            accounts: parts(),
            hasher: RandomState::default(),
            began: Instant::now(),
            next_look: AtomicU64::new(0),
        }
    }

    /// Takes a place for a call to a device of this product, made by this account, where one made it.
    pub(crate) fn enter(&self, product: &str, account: Option<&str>) -> Result<Place, NoRoom> {
        let (now, taken) = (self.now(), self.taken.fetch_add(1, Relaxed));
        if taken >= self.max {
            self.taken.fetch_sub(1, Relaxed);
            return Err(NoRoom::Full);
        }
        let place = Place { product: self.part(product), account: account.map(|account| self.part(account)) };
        let of_product = enter(&self.products, place.product);
        let of_account = place.account.map(|account| enter(&self.accounts, account));
        let part_max = now.saturating_sub(taken).saturating_mul(SHARE);
        let has_few = match (of_product < FEW, of_account.map(|count| count < FEW)) {
            (true, None | Some(true)) => true,
            (false, None | Some(false)) => false,
            // One account at many products, or many at one, do not fill what is left last.
            (true, Some(false)) | (false, Some(true)) => taken < self.max - self.max / LAST,
        };
        let why = match part_max {
            _ if has_few => return Ok(place),
            0 => NoRoom::Congested,
            _ if of_product >= part_max => NoRoom::Product,
            _ if of_account.is_some_and(|count| count >= part_max) => NoRoom::Account,
            _ => return Ok(place),
        };
        self.leave(&place);
        Err(why)
    }

    /// Gives a place back.
    pub(crate) fn leave(&self, place: &Place) {
        leave(&self.products, place.product);
        if let Some(account) = place.account {
            leave(&self.accounts, account);
        }
        self.taken.fetch_sub(1, Relaxed);
    }

    /// How many calls wait.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Relaxed)
    }

    /// How many may wait now.
    pub(crate) fn now(&self) -> usize {
        self.now.load(Relaxed)
    }

    /// Looks how long the way takes, where it is time to and it matters, and gives or takes room; says how much there is then.
    pub(crate) fn look(&self, now: Instant, delay_max: Duration, delay: impl FnOnce() -> Duration) -> Option<usize> {
        let (room, taken) = (self.now(), self.taken());
        if delay_max.is_zero() || taken < FLOOR && room == self.max {
            return None;
        }
        let at = micros(now.saturating_duration_since(self.began));
        let due = self.next_look.load(Relaxed);
        if at < due {
            return None;
        }
        let delay = delay();
        let too_long = delay > delay_max;
        // What was taken away shows when what is under way has arrived.
        let pause = if too_long { delay.clamp(LOOK_PAUSE, LOOK_PAUSE * 10) } else { LOOK_PAUSE };
        // Another thread looks, or did just now.
        self.next_look.compare_exchange(due, at + micros(pause), Relaxed, Relaxed).ok()?;
        let new = if too_long {
            let kept = (delay_max.as_secs_f64() / delay.as_secs_f64()).clamp(0.5, 0.9);
            scaled(room.min(taken), kept).max(FLOOR)
        } else if at >= due.saturating_add(micros(CALM_AFTER)) {
            self.max
        } else {
            room + room / 16 + 1
        };
        let new = new.min(self.max);
        self.now.store(new, Relaxed);
        Some(new)
    }

    fn part(&self, name: &str) -> u16 {
        u16::try_from(self.hasher.hash_one(name) % PARTS as u64).unwrap_or_default()
    }
}

/// Counts one more, and says how many there were.
fn enter(parts: &[AtomicU32], part: u16) -> usize {
    parts.get(usize::from(part)).map_or(0, |count| count.fetch_add(1, Relaxed) as usize)
}

fn leave(parts: &[AtomicU32], part: u16) {
    if let Some(count) = parts.get(usize::from(part)) {
        count.fetch_sub(1, Relaxed);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of calls"
)]
fn scaled(calls: usize, share: f64) -> usize {
    (calls as f64 * share) as usize
}

#[cfg(test)]
mod tests;
