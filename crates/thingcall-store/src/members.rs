//! The devices of a product, page by page, for who tells all of them something.

use std::sync::Arc;

use thingcall_core::{Device, DeviceName, LookUpFailed, ProductKey};
use thingcall_tsl::Route;
use tracing::warn;

use crate::Store;

impl Store {
    /// So many at most of those behind `after`. They are not kept in memory: nobody is about to call them.
    pub(crate) async fn read_members(
        &self,
        product: &ProductKey,
        after: Option<&DeviceName>,
        max: usize,
    ) -> Result<Vec<(Arc<Device>, Route)>, LookUpFailed> {
        let page = self.shared().reads.devices(product, after, max).await.map_err(|failure| {
            warn!(%product, %failure, "the devices of a product could not be read");
            LookUpFailed(failure.trouble().to_string())
        })?;
        page.iter().for_each(|entry| self.shared().devices.add_heard(entry));
        Ok(page.into_iter().map(|entry| (entry.device, entry.live.route())).collect())
    }
}
