//! What actions that look for calls work with.

use std::sync::Arc;

use thingcall_core::CallRecords;
use thingcall_tsl::Directory;

/// Who keeps calls, and who knows their devices.
pub(crate) struct RecordDesk {
    pub(crate) records: Arc<dyn CallRecords>,
    pub(crate) directory: Arc<dyn Directory>,
}
