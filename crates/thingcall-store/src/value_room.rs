//! For which last values there is room, so many of a device.

use std::collections::{BTreeSet, HashMap};

use thingcall_core::{DeviceKey, LastValue};

/// A value and whose it is.
pub(crate) type Owned = (DeviceKey, LastValue);

/// Values that are to be written, of each property one.
#[derive(Debug)]
pub(crate) struct Writing<'v> {
    values: &'v [Owned],
    /// Which of them are of properties of which nothing is kept yet.
    new: BTreeSet<usize>,
    /// How many more of a device may be.
    room: HashMap<&'v DeviceKey, usize>,
    max: usize,
}

impl<'v> Writing<'v> {
    /// Nothing is kept of those that stand at these places among them.
    pub(crate) fn new(values: &'v [Owned], max: usize, new: impl IntoIterator<Item = i64>) -> Self {
        let new = new.into_iter().filter_map(|at| usize::try_from(at).ok()).collect();
        Self { values, new, room: HashMap::new(), max }
    }

    /// The devices of which it must be known how many are kept.
    pub(crate) fn devices(&self) -> Vec<&'v DeviceKey> {
        let devices: BTreeSet<_> =
            self.new.iter().filter_map(|at| self.values.get(*at)).map(|(device, _)| device).collect();
        devices.into_iter().collect()
    }

    /// So many are kept of this one.
    pub(crate) fn has(&mut self, device: &'v DeviceKey, kept: i64) {
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        self.room.insert(device, self.max.saturating_sub(kept));
    }

    /// Those for which there is room, and how many of each device are left out.
    pub(crate) fn fitting(mut self) -> (Vec<&'v Owned>, Vec<(DeviceKey, usize)>) {
        let (mut fitting, mut left_out) = (Vec::with_capacity(self.values.len()), HashMap::<_, usize>::new());
        for (at, value) in self.values.iter().enumerate() {
            let (device, _) = value;
            if !self.new.contains(&at) {
                fitting.push(value);
                continue;
            }
            match self.room.get_mut(device).and_then(|room| Some((room.checked_sub(1)?, room))) {
                Some((less, room)) => {
                    *room = less;
                    fitting.push(value);
                }
                None => *left_out.entry(device).or_default() += 1,
            }
        }
        (fitting, left_out.into_iter().map(|(device, count)| (device.clone(), count)).collect())
    }
}
