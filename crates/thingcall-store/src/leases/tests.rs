//! What is noted of leases.

use thingcall_core::{CallId, UnixMillis};

use super::*;
use crate::{Config, Store};

/// Gives what it is asked for, and renews no slot above 1.
struct Fake;

#[async_trait]
impl Leases for Fake {
    async fn take(&self, _: &Instance, wanted: Option<u8>) -> Result<Lease, LeaseError> {
        Ok(Lease { slot: wanted.unwrap_or(0), generation: 1 })
    }

    async fn renew(&self, _: &Instance, held: &[Lease]) -> Result<Renewal, LeaseError> {
        Ok(Renewal { held: held.iter().filter(|lease| lease.slot < 2).copied().collect(), slots: Vec::new() })
    }

    async fn take_over(&self, _: &Instance, slot: u8, seen: u64) -> Result<Option<Lease>, LeaseError> {
        Ok(Some(Lease { slot, generation: seen + 1 }))
    }

    async fn release(&self, _: &[Lease]) -> Result<(), LeaseError> {
        Ok(())
    }

    async fn all(&self) -> Result<Vec<SlotState>, LeaseError> {
        Ok(Vec::new())
    }
}

fn me() -> Instance {
    let word = || "a".to_owned();
    Instance {
        name: word(),
        run: 1,
        api: word(),
        operator: word(),
        version: word(),
        since: UnixMillis(1),
        calls: 0,
        embedded: false,
        plugins: Vec::new(),
        shares: String::new(),
        clients: Vec::new(),
    }
}

#[tokio::test]
async fn what_is_taken_is_ours_until_it_is_lost_or_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Config::default(), folder.path()).await.unwrap();
    let leases = store.noting(Arc::new(Fake));
    let ours = |slot| store.shared().held.is_ours(CallId::new(slot, 1));
    assert!(ours(9), "nobody leases yet");
    let own = leases.take(&me(), Some(1)).await.unwrap();
    let other = leases.take_over(&me(), 2, 7).await.unwrap().unwrap();
    assert!(ours(1) && ours(2) && !ours(9));
    leases.renew(&me(), &[own, other]).await.unwrap();
    assert!(ours(1) && !ours(2));
    leases.release(&[own]).await.unwrap();
    assert!(!ours(1));
}
