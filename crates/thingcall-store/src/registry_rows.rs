//! What of a product's devices is asked for, in either database's words, and what comes of it.

use std::collections::HashMap;

use thingcall_core::{DeviceName, ProductKey, UnixMillis};
use thingcall_tsl::{Applied, Batch, BatchState, DeviceCounts, DeviceStatus, ModelVersion};

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

/// A state as rows hold it.
pub(crate) fn state_word(state: BatchState) -> &'static str {
    state.into()
}

/// A batch of devices.
pub(crate) fn batch(row: &impl Columns) -> Result<Batch, sqlx::Error> {
    let state = row
        .text("state")?
        .parse()
        .map_err(|problem: strum::ParseError| sqlx::Error::Decode(problem.to_string().into()))?;
    Ok(Batch {
        id: row.number("id")?,
        product: ProductKey::try_from(row.text("product")?).map_err(decode)?,
        state,
        created: unsigned(row.number("created")?),
        created_at: UnixMillis(row.number("created_at")?),
    })
}

/// A device of a batch.
pub(crate) fn applied(row: &impl Columns) -> Result<Applied, sqlx::Error> {
    let owned = |column| Ok::<_, sqlx::Error>(row.maybe_text(column)?.map(str::to_owned));
    Ok(Applied { name: name(row)?, nickname: owned("nickname")?, problem: owned("problem")? })
}

/// A device's name.
pub(crate) fn name(row: &impl Columns) -> Result<DeviceName, sqlx::Error> {
    DeviceName::try_from(row.text("name")?).map_err(decode)
}

/// A version of a model.
pub(crate) fn model_version(row: &impl Columns) -> Result<ModelVersion, sqlx::Error> {
    Ok(ModelVersion {
        number: row.text("number")?.to_owned(),
        description: row.maybe_text("description")?.map(str::to_owned),
        created_at: UnixMillis(row.number("at")?),
        published_at: row.maybe_number("published_at")?.map(UnixMillis),
    })
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
