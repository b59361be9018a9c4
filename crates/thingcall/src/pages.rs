//! A product's devices, which may be more than memory should hold.

use thingcall_core::{DeviceName, ProductKey};
use thingcall_store::Store;
use thingcall_tsl::{DeviceRecord, Directory, DirectoryError};

/// Read at a time.
const PAGE_DEVICES: usize = 500;

/// A product's devices, page by page.
pub(crate) struct Pages<'a> {
    product: &'a ProductKey,
    after: Option<DeviceName>,
    ended: bool,
}

impl<'a> Pages<'a> {
    pub(crate) const fn new(product: &'a ProductKey) -> Self {
        Self { product, after: None, ended: false }
    }

    /// The next ones; `None` behind the last.
    ///
    /// # Errors
    /// If the store cannot be read, or has no such product.
    pub(crate) async fn next(&mut self, store: &Store) -> Result<Option<Vec<DeviceRecord>>, DirectoryError> {
        if self.ended {
            return Ok(None);
        }
        let page = store.devices(self.product, self.after.as_ref(), PAGE_DEVICES).await?;
        self.ended = page.len() < PAGE_DEVICES;
        self.after = page.last().map(|record| record.device.key.name.clone());
        Ok(Some(page))
    }
}
