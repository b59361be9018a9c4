//! The acknowledgement of a message to whoever sent it, for a message that must be on disk before.

/// A message as it came. Who takes it may have it acknowledged later than when it is taken.
pub trait Arrival {
    /// Keeps the message from being acknowledged now: the receipt does that.
    fn hold(&self) -> Receipt;
}

/// A message whose sender waits for no acknowledgement: of QoS 0, or one that was acknowledged before.
#[derive(Debug, Clone, Copy)]
pub struct Unawaited;

impl Arrival for Unawaited {
    fn hold(&self) -> Receipt {
        Receipt::default()
    }
}

/// Owes a message's acknowledgement. Dropped without a word it is never given, so the sender still has the message, and
/// sends it again when it connects again.
#[derive(Default)]
pub struct Receipt(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Receipt {
    /// What acknowledges the message; it must not wait.
    pub fn new(acknowledge: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(acknowledge)))
    }

    /// Acknowledges the message: it is on disk, or nothing is to be done with it.
    pub fn settle(self) {
        if let Some(acknowledge) = self.0 {
            acknowledge();
        }
    }
}

impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Receipt(owed)" } else { "Receipt" })
    }
}
