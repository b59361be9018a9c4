//! The pages, a file for each part of the menu. Each asks what it shows, and shows what it was told; they do not know each other.

pub(crate) mod calls;
pub(crate) mod changes;
pub(crate) mod device_log;
pub(crate) mod devices;
pub(crate) mod explorer;
pub(crate) mod keys;
pub(crate) mod overview;
pub(crate) mod plugins;
pub(crate) mod products;
pub(crate) mod results;
pub(crate) mod settings;
pub(crate) mod signature;
