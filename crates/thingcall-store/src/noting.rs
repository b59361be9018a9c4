//! Leases as they are taken and lost, noted for whoever writes of calls.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{Instance, Lease, LeaseError, Leases, Renewal, SlotState};

use crate::Store;
use crate::held::Held;

/// The leases of a store, of which it knows those that are ours.
struct Noting {
    leases: Arc<dyn Leases>,
    store: Arc<Store>,
}

impl Store {
    /// The same leases. From the first that is taken through them on, this process writes of calls in slots that it holds,
    /// and of no others.
    #[must_use]
    pub fn noting(self: &Arc<Self>, leases: Arc<dyn Leases>) -> Arc<dyn Leases> {
        Arc::new(Noting { leases, store: self.clone() })
    }
}

impl Noting {
    fn held(&self) -> &Held {
        &self.store.shared().held
    }
}

#[async_trait]
impl Leases for Noting {
    async fn take(&self, me: &Instance, wanted: Option<u8>) -> Result<Lease, LeaseError> {
        let lease = self.leases.take(me, wanted).await?;
        self.held().take(lease);
        Ok(lease)
    }

    async fn renew(&self, me: &Instance, held: &[Lease]) -> Result<Renewal, LeaseError> {
        let renewal = self.leases.renew(me, held).await?;
        let lost: Vec<_> = held.iter().filter(|lease| !renewal.held.contains(lease)).copied().collect();
        self.held().lose(&lost);
        Ok(renewal)
    }

    async fn take_over(&self, me: &Instance, slot: u8, seen: u64) -> Result<Option<Lease>, LeaseError> {
        let lease = self.leases.take_over(me, slot, seen).await?;
        if let Some(lease) = lease {
            self.held().take(lease);
        }
        Ok(lease)
    }

    async fn release(&self, held: &[Lease]) -> Result<(), LeaseError> {
        self.held().lose(held);
        self.leases.release(held).await
    }

    async fn all(&self) -> Result<Vec<SlotState>, LeaseError> {
        self.leases.all().await
    }
}

#[cfg(test)]
mod tests;
