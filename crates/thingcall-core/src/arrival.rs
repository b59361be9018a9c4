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

/// What acknowledges a message; nothing of it may wait. Dropped, it never does.
pub trait Owed: Send + Sync {
    /// Acknowledges the message.
    fn settle(self: Box<Self>);

    /// The message is a report. It is acknowledged by nothing else, however long that takes: it is lost if it was and cannot be
    /// written, while an answer is kept in memory until it can.
    fn of_report(&mut self) {}
}

impl<F: FnOnce() + Send + Sync> Owed for F {
    fn settle(self: Box<Self>) {
        self();
    }
}

/// Owes a message's acknowledgement. Dropped without a word it is never given, so the sender still has the message, and
/// sends it again when it connects again.
#[derive(Default)]
pub struct Receipt(Option<Box<dyn Owed>>);

impl Receipt {
    /// What acknowledges the message.
    pub fn new(owed: impl Owed + 'static) -> Self {
        Self(Some(Box::new(owed)))
    }

    /// Says that the message is a report.
    #[must_use]
    pub fn of_report(mut self) -> Self {
        if let Some(owed) = &mut self.0 {
            owed.of_report();
        }
        self
    }

    /// Acknowledges the message: it is on disk, or nothing is to be done with it.
    pub fn settle(self) {
        if let Some(owed) = self.0 {
            owed.settle();
        }
    }
}

impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Receipt(owed)" } else { "Receipt" })
    }
}
