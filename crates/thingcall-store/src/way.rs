//! What calls learn of the way to a device.

use std::sync::Arc;

use thingcall_core::{IotId, SyncTopic};
use thingcall_tsl::{Route, Way};

use crate::live::Live;
use crate::marked::Marked;

/// The way to one device. Whoever calls it holds this, also after the device is gone.
#[derive(Debug)]
pub(crate) struct Learnt {
    id: IotId,
    live: Arc<Live>,
    marked: Arc<Marked>,
}

impl Learnt {
    pub(crate) const fn new(id: IotId, live: Arc<Live>, marked: Arc<Marked>) -> Self {
        Self { id, live, marked }
    }
}

impl Way for Learnt {
    fn route(&self) -> Route {
        self.live.route()
    }

    fn answered(&self, topic: SyncTopic) -> bool {
        if self.live.answered() == Some(topic) {
            return false;
        }
        let mut is_new = false;
        self.marked.change(&self.id, &self.live, |seen| is_new = seen.sync_topic.replace(topic) != Some(topic));
        is_new
    }

    fn unanswered(&self, before: u8) {
        self.live.unanswered(before);
    }
}
