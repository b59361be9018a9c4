//! Who works in the slots that are held: the seam between the keeper and the program.

use async_trait::async_trait;
use thingcall_core::Instance;

/// A slot that was leased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The slot.
    pub slot: u8,
    /// Whether it is for new calls; else another instance's, whose calls are to be brought to their end.
    pub own: bool,
    /// Who held it before, as far as this instance saw.
    pub from: Option<String>,
}

/// What begins when a slot is held.
pub type Begin = Box<dyn FnOnce() + Send>;

/// Works in the slots that are held.
#[async_trait]
pub trait Holder: Send + Sync + 'static {
    /// Says what changes about an instance: its calls, its plugins.
    fn tell(&self, me: &mut Instance);

    /// Looks at what is in a slot from before, while no new call gets an id of it and no reply to one of its calls is ours. What
    /// it gives is run when both are so.
    ///
    /// # Errors
    /// What keeps it from that: it is tried again.
    async fn prepare(&self, taken: &Taken) -> Result<Begin, String>;

    /// This one, which was taken over, is held no more; the own one is.
    fn let_go(&self, slot: u8);

    /// No slot is held any more.
    fn lost(&self);
}
