//! Why the directory refused.

use thingcall_core::{DeviceRef, ProductKey};

/// Why the directory refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// No such product.
    #[error("product {0} does not exist")]
    NoProduct(ProductKey),
    /// No such device.
    #[error("device {0} does not exist")]
    NoDevice(DeviceRef),
    /// The name is taken.
    #[error("{0} exists already")]
    Exists(String),
    /// A product that has devices stays.
    #[error(
        "product {product} has {devices} devices; delete them first with DeleteDevice or `thingcall device remove`"
    )]
    HasDevices {
        /// The product.
        product: ProductKey,
        /// How many.
        devices: u64,
    },
    /// No such batch.
    #[error("there is no batch {0}; it is too old, or its product is gone or another one")]
    NoBatch(i64),
    /// A batch with names that are taken.
    #[error("batch {0} has names that are taken; check others with BatchCheckDeviceNames")]
    BatchRefused(i64),
    /// A device would have more tags than it may.
    #[error("the device would have {tags} tags and {max} are allowed")]
    TooManyTags {
        /// How many it would have.
        tags: usize,
        /// How many it may have.
        max: usize,
    },
    /// A product without a model.
    #[error("product {0} has no thing model")]
    NoModel(ProductKey),
    /// A model that is published already.
    #[error("nothing has changed since version {0} of the thing model was published")]
    Published(String),
    /// A limit is reached; says which.
    #[error("{0}")]
    Full(String),
    /// The store cannot be written or read. The text is for callers too, and says whether the change was made.
    #[error("{0}")]
    Unwritable(String),
    /// The store failed; the text is for logs.
    #[error("store: {0}")]
    Store(String),
}
