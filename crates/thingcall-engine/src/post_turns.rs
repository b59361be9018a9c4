//! Whose turn it is: reports of one device go into the log in the order in which they came.
//!
//! **Invariants:** a turn comes when all before it of its device have ended, whatever became of them. Nothing is kept of a
//! device of which nothing is under way, and no device waits for another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use thingcall_core::DeviceKey;
use tokio::sync::oneshot;

/// The last turn of each device of which something is under way.
#[derive(Default)]
pub(crate) struct Turns(Mutex<Last>);

#[derive(Default)]
struct Last {
    of: HashMap<DeviceKey, Before>,
    given: u64,
}

/// A turn that others wait for.
struct Before {
    number: u64,
    /// Ends with the turn. Where that was given up before it came, it says whom to wait for instead.
    ended: oneshot::Receiver<Before>,
}

/// One report's turn. The next one of its device comes when it is dropped.
pub(crate) struct Turn {
    turns: Arc<Turns>,
    device: DeviceKey,
    number: u64,
    before: Option<Before>,
    ends: Option<oneshot::Sender<Before>>,
}

impl Turns {
    /// The turn behind all that were given of this device.
    pub(crate) fn give(self: &Arc<Self>, device: &DeviceKey) -> Turn {
        let (ends, ended) = oneshot::channel();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.given += 1;
        let number = last.given;
        let before = last.of.insert(device.clone(), Before { number, ended });
        Turn { turns: self.clone(), device: device.clone(), number, before, ends: Some(ends) }
    }
}

impl Turn {
    /// Returns when those before it have ended.
    pub(crate) async fn comes(&mut self) {
        while let Some(before) = &mut self.before {
            self.before = (&mut before.ended).await.ok();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut last = self.turns.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_last = last.of.get(&self.device).is_some_and(|last| last.number == self.number);
        match (self.before.take(), is_last) {
            (Some(before), true) => drop(last.of.insert(self.device.clone(), before)),
            (None, true) => drop(last.of.remove(&self.device)),
            (Some(before), false) => {
                // Who waits for this one waits for that one now, if it is still there.
                let _gone = self.ends.take().map(|ends| ends.send(before));
            }
            (None, false) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    //! Who waits for whom.

    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn key(name: &str) -> DeviceKey {
        DeviceKey { product: "pk".try_into().unwrap(), name: name.try_into().unwrap() }
    }

    fn has_come(turn: &mut Turn) -> bool {
        pin!(turn.comes()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn one_device_s_turns_come_one_after_the_other_and_nobody_waits_for_another() {
        let turns = Arc::new(Turns::default());
        let (mut first, mut second) = (turns.give(&key("a")), turns.give(&key("a")));
        let mut other = turns.give(&key("b"));
        assert!(has_come(&mut first) && has_come(&mut other) && !has_come(&mut second));
        drop(first);
        assert!(has_come(&mut second));
        drop((second, other));
        assert!(turns.0.lock().unwrap().of.is_empty());
    }

    #[test]
    fn who_gives_up_before_its_turn_lets_nobody_overtake() {
        let turns = Arc::new(Turns::default());
        let give = || turns.give(&key("a"));
        let (first, second, mut third) = (give(), give(), give());
        drop(second);
        assert!(!has_come(&mut third));
        // The last one gives up, too.
        drop(give());
        let mut fourth = give();
        drop(first);
        assert!(has_come(&mut third) && !has_come(&mut fourth));
        drop(third);
        assert!(has_come(&mut fourth));
        drop(fourth);
        assert!(turns.0.lock().unwrap().of.is_empty());
    }
}
