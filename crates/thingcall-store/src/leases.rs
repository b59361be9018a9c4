//! The leases of this process, which the store must know of: what it writes is about calls of slots that are held.
//!
//! **Invariant:** a lease is known here before whoever asked for it is told.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{Instance, Lease, LeaseError, Leases, Renewal, SlotState};

use crate::shared::Shared;

/// Leases somewhere, noted in the store.
pub(crate) struct Noted {
    pub(crate) leases: Arc<dyn Leases>,
    pub(crate) shared: Arc<Shared>,
}

#[async_trait]
impl Leases for Noted {
    async fn take(&self, me: &Instance, wanted: Option<u8>) -> Result<Lease, LeaseError> {
        let lease = self.leases.take(me, wanted).await?;
        self.shared.held.take(lease);
        Ok(lease)
    }

    async fn renew(&self, me: &Instance, held: &[Lease]) -> Result<Renewal, LeaseError> {
        let renewal = self.leases.renew(me, held).await?;
        let lost: Vec<_> = held.iter().filter(|lease| !renewal.held.contains(lease)).copied().collect();
        self.shared.held.lose(&lost);
        Ok(renewal)
    }

    async fn take_over(&self, me: &Instance, slot: u8, seen: u64) -> Result<Option<Lease>, LeaseError> {
        let lease = self.leases.take_over(me, slot, seen).await?;
        lease.into_iter().for_each(|lease| self.shared.held.take(lease));
        Ok(lease)
    }

    async fn release(&self, held: &[Lease]) -> Result<(), LeaseError> {
        self.shared.held.lose(held);
        self.leases.release(held).await
    }

    async fn all(&self) -> Result<Vec<SlotState>, LeaseError> {
        self.leases.all().await
    }
}

#[cfg(test)]
mod tests;
