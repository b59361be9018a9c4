//! Quotas whose size becomes another while calls come.
//!
//! **Invariant:** what an account took before counts against the new size: accounts and what they took stay as they are.

use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use enum_map::{Enum, EnumMap};
use prometheus::IntGauge;

use super::{Accounts, Each, Quota, SharedAccounts};
use crate::config::Config;

/// Actions that call many devices at once. Each has a quota of its own, since one of them is up to a hundred calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum Batch {
    /// InvokeThingsService.
    Service,
    /// SetDevicesProperty.
    Properties,
    /// PubBroadcast on a topic.
    Broadcast,
    /// PubBroadcast to all devices of a product.
    BroadcastToAll,
}

impl Batch {
    /// How many of them there may be, as the configuration says.
    pub(crate) const fn max(self, config: &Config) -> u32 {
        match self {
            Self::Service | Self::Properties => config.batch_calls_per_second_max,
            Self::Broadcast => config.broadcasts_per_second_max,
            Self::BroadcastToAll => config.broadcasts_to_all_per_minute_max,
        }
    }
}

/// A quota, and how one of another size is made.
pub(crate) struct Retuned {
    now: ArcSwap<Quota>,
    each: Each,
    counted: Accounts,
    /// Where instances share it.
    shared: Option<Arc<SharedAccounts>>,
}

impl Retuned {
    pub(crate) fn new(max: u32, each: Each, counted: Accounts, shared: Option<Arc<SharedAccounts>>) -> Self {
        let retuned = Self { now: ArcSwap::from_pointee(Quota::None), each, counted, shared };
        retuned.set(max);
        retuned
    }

    /// What is taken from now.
    pub(crate) fn now(&self) -> arc_swap::Guard<Arc<Quota>> {
        self.now.load()
    }

    fn set(&self, max: u32) {
        let quota = match (NonZeroU32::new(max), &self.shared) {
            (None, _) => Quota::None,
            (Some(max), None) => Quota::own(max, self.each, self.counted.clone()),
            (Some(max), Some(shared)) => {
                shared.set_max(max);
                Quota::Shared(shared.clone())
            }
        };
        self.now.store(Arc::new(quota));
    }
}

/// All quotas of a front.
pub(crate) struct QuotaLimits {
    pub(crate) calls: Retuned,
    pub(crate) batches: EnumMap<Batch, Retuned>,
    /// What metrics say of them.
    pub(crate) calls_limit: IntGauge,
    pub(crate) batches_limit: IntGauge,
    pub(crate) broadcasts_limit: IntGauge,
    pub(crate) to_all_limit: IntGauge,
}

/// A front's quotas, for whoever changes them.
#[derive(Clone)]
pub struct Quotas(pub(crate) Arc<QuotaLimits>);

impl Quotas {
    /// From now on they are as large as these keys of `[api]` say.
    pub fn set(&self, config: &Config) {
        let Self(limits) = self;
        limits.calls.set(config.calls_per_second_max);
        limits.calls_limit.set(config.calls_per_second_max.into());
        limits.batches_limit.set(config.batch_calls_per_second_max.into());
        limits.broadcasts_limit.set(config.broadcasts_per_second_max.into());
        limits.to_all_limit.set(config.broadcasts_to_all_per_minute_max.into());
        limits.batches.iter().for_each(|(batch, quota)| quota.set(batch.max(config)));
    }
}
