//! How many devices there are, without counting a million rows for each that is registered.
//!
//! **Invariant:** this process's own changes are counted as they are made; where another made one, all are counted anew.

/// The number, under the write lock.
#[derive(Debug, Default)]
pub(crate) struct DeviceCount {
    devices: u64,
    /// This process's own changes that are not taken over yet.
    own: u64,
    is_old: bool,
}

impl DeviceCount {
    /// As counted just now.
    pub(crate) const fn new(devices: u64) -> Self {
        Self { devices, own: 0, is_old: false }
    }

    /// As it is known.
    pub(crate) const fn get(&self) -> u64 {
        self.devices
    }

    /// This process has registered so many.
    pub(crate) const fn registered(&mut self, devices: u64) {
        self.devices += devices;
        self.own += 1;
    }

    /// This process has removed one.
    pub(crate) const fn removed(&mut self) {
        self.devices = self.devices.saturating_sub(1);
        self.own += 1;
    }

    /// Somebody registered some or removed one.
    pub(crate) const fn is_told(&mut self) {
        match self.own.checked_sub(1) {
            Some(own) => self.own = own,
            None => self.is_old = true,
        }
    }

    /// Nobody knows what was changed.
    pub(crate) const fn lost(&mut self) {
        self.own = 0;
        self.is_old = true;
    }

    /// Whether they are to be counted.
    pub(crate) const fn is_old(&self) -> bool {
        self.is_old
    }

    /// They were.
    pub(crate) const fn counted(&mut self, devices: u64) {
        self.devices = devices;
        self.is_old = false;
    }
}
