//! The seam to the messages of devices and calls, as they are written.

use async_trait::async_trait;
use thingcall_core::{Message, ProductKey};

/// What came.
#[derive(Debug, Clone)]
pub struct Tailed {
    /// Messages, the oldest first.
    pub messages: Vec<Message>,
    /// Whether some were dropped from the log before they were read.
    pub gap: bool,
}

/// Messages that are written from now on, taken from nobody.
#[async_trait]
pub trait MessageTail: Send {
    /// Waits for some.
    ///
    /// # Errors
    /// Why nothing more can be read.
    async fn next(&mut self) -> Result<Tailed, String>;
}

/// Who has such tails.
#[async_trait]
pub trait Tailing {
    /// Messages of devices of this product, or of all.
    ///
    /// # Errors
    /// Why there can be none, such as as many readers as may be.
    async fn tail(&self, product: Option<ProductKey>) -> Result<Box<dyn MessageTail>, String>;
}
