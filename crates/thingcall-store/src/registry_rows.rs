//! What of a product's devices is asked for, in either database's words, and what comes of it.

use std::collections::HashMap;

use thingcall_core::ProductKey;
use thingcall_tsl::{DeviceCounts, DeviceStatus};

use crate::columns::{Columns, decode};
use crate::sizes::unsigned;

/// How many devices of each status there are, as columns. The rule is that of `DeviceRecord::status`.
macro_rules! counts {
    ($which:literal) => {
        concat!(
            "SELECT product, COUNT(activated_at) AS activated, \
             COUNT(*) FILTER (WHERE enabled AND NOT online AND activated_at IS NULL) AS unactive, \
             COUNT(*) FILTER (WHERE enabled AND online) AS online, \
             COUNT(*) FILTER (WHERE enabled AND NOT online AND activated_at IS NOT NULL) AS offline, \
             COUNT(*) FILTER (WHERE NOT enabled) AS disabled FROM devices WHERE ",
            $which,
            " GROUP BY product"
        )
    };
}
pub(crate) use counts;

/// The devices of this status, as a condition with an AND before it.
pub(crate) const fn condition(status: Option<DeviceStatus>) -> &'static str {
    match status {
        None => "",
        Some(DeviceStatus::Unactive) => " AND enabled AND NOT online AND activated_at IS NULL",
        Some(DeviceStatus::Online) => " AND enabled AND online",
        Some(DeviceStatus::Offline) => " AND enabled AND NOT online AND activated_at IS NOT NULL",
        Some(DeviceStatus::Disabled) => " AND NOT enabled",
    }
}

/// What rows of [`counts`] say.
pub(crate) fn counted(rows: &[impl Columns]) -> Result<HashMap<ProductKey, DeviceCounts>, sqlx::Error> {
    let of = |row| {
        let product = ProductKey::try_from(Columns::text(row, "product")?).map_err(decode)?;
        let number = |column| Columns::number(row, column).map(unsigned);
        let counts = DeviceCounts {
            activated: number("activated")?,
            unactive: number("unactive")?,
            online: number("online")?,
            offline: number("offline")?,
            disabled: number("disabled")?,
        };
        Ok((product, counts))
    };
    rows.iter().map(of).collect()
}
