//! What columns hold, in either database, and what it becomes in memory.

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, TypeInfo, ValueRef};
use thingcall_core::{
    CallId, DeviceKey, DeviceName, Identifier, InvalidId, ModuleId, Outcome, ProductKey, RecordState, ServiceId,
    TransportKind, UnixMillis,
};

use crate::calls::CallKey;

/// Which commands wait in the outbox: [`waits`](crate::outbox::waits) in SQL. The index `calls_waiting` begins with its
/// first two terms.
macro_rules! waiting {
    () => {
        "qos = 1 AND state < 2 AND COALESCE(transport, 'embedded') = 'embedded'"
    };
}
pub(crate) use waiting;

/// All of a record, and whether its device may connect.
macro_rules! records {
    ($which:literal) => {
        concat!(
            "SELECT calls.*, EXISTS (SELECT 1 FROM devices WHERE devices.iot_id = calls.iot_id AND devices.enabled) \
             AS device_enabled FROM calls WHERE ",
            $which
        )
    };
}
pub(crate) use records;

/// A row of either database.
pub(crate) trait Columns {
    /// A text.
    fn text(&self, column: &str) -> Result<&str, sqlx::Error>;
    /// A text that may be missing.
    fn maybe_text(&self, column: &str) -> Result<Option<&str>, sqlx::Error>;
    /// A number.
    fn number(&self, column: &str) -> Result<i64, sqlx::Error>;
    /// A number that may be missing.
    fn maybe_number(&self, column: &str) -> Result<Option<i64>, sqlx::Error>;
    /// Yes or no.
    fn flag(&self, column: &str) -> Result<bool, sqlx::Error>;
    /// Bytes that may be missing.
    fn maybe_bytes(&self, column: &str) -> Result<Option<&[u8]>, sqlx::Error>;
}

macro_rules! columns {
    ($($row:ty, $number:ident);*) => {$(
        impl Columns for $row {
            fn text(&self, column: &str) -> Result<&str, sqlx::Error> {
                self.try_get(column)
            }

            fn maybe_text(&self, column: &str) -> Result<Option<&str>, sqlx::Error> {
                self.try_get(column)
            }

            fn number(&self, column: &str) -> Result<i64, sqlx::Error> {
                self.maybe_number(column)?.ok_or_else(|| sqlx::Error::ColumnNotFound(column.to_owned()))
            }

            fn maybe_number(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
                $number(self, column)
            }

            fn flag(&self, column: &str) -> Result<bool, sqlx::Error> {
                self.try_get(column)
            }

            fn maybe_bytes(&self, column: &str) -> Result<Option<&[u8]>, sqlx::Error> {
                self.try_get(column)
            }
        }
    )*};
}
columns!(SqliteRow, number_of_sqlite; PgRow, number_of_postgres);

fn number_of_sqlite(row: &SqliteRow, column: &str) -> Result<Option<i64>, sqlx::Error> {
    row.try_get(column)
}

/// Of which there are several kinds.
fn number_of_postgres(row: &PgRow, column: &str) -> Result<Option<i64>, sqlx::Error> {
    match row.try_get_raw(column)?.type_info().name() {
        "INT2" => Ok(row.try_get::<Option<i16>, _>(column)?.map(i64::from)),
        "INT4" => Ok(row.try_get::<Option<i32>, _>(column)?.map(i64::from)),
        _ => row.try_get(column),
    }
}

/// The call a row is about.
pub(crate) fn call_key(row: &impl Columns) -> Result<CallKey, sqlx::Error> {
    Ok((device_key(row.text("product")?, row.text("device")?)?, call_id(row)?))
}

/// The id in a row.
pub(crate) fn call_id(row: &impl Columns) -> Result<CallId, sqlx::Error> {
    Ok(CallId::from_u32(u32::try_from(row.number("call_id")?).unwrap_or(u32::MAX)))
}

/// A state as rows hold it.
pub(crate) const fn rank(state: RecordState) -> i16 {
    match state {
        RecordState::Queued => 0,
        RecordState::Sent => 1,
        RecordState::Acked => 2,
        RecordState::Ended => 3,
    }
}

/// The state of a row; one that is unknown is an ended call's.
pub(crate) const fn state_of(rank: i64) -> RecordState {
    match rank {
        0 => RecordState::Queued,
        1 => RecordState::Sent,
        2 => RecordState::Acked,
        _ => RecordState::Ended,
    }
}

/// The service a row names.
pub(crate) fn service(row: &impl Columns) -> Result<ServiceId, sqlx::Error> {
    let module = row.maybe_text("module")?.map(ModuleId::try_from);
    Ok(ServiceId {
        module: module.transpose().map_err(decode)?,
        service: Identifier::try_from(row.text("service")?).map_err(decode)?,
    })
}

/// The transport a row names.
pub(crate) fn transport(row: &impl Columns) -> Result<Option<TransportKind>, sqlx::Error> {
    Ok(row.maybe_text("transport")?.and_then(|word| word.parse().ok()))
}

/// The outcome a row names.
pub(crate) fn outcome(row: &impl Columns) -> Result<Option<Outcome>, sqlx::Error> {
    Ok(row.maybe_text("outcome")?.and_then(|word| word.parse().ok()))
}

/// A time that may be missing.
pub(crate) fn maybe_time(row: &impl Columns, column: &str) -> Result<Option<UnixMillis>, sqlx::Error> {
    Ok(row.maybe_number(column)?.map(UnixMillis))
}

/// A name and its product, as rows hold them.
pub(crate) fn device_key(product: &str, name: &str) -> Result<DeviceKey, sqlx::Error> {
    Ok(DeviceKey {
        product: ProductKey::try_from(product).map_err(decode)?,
        name: DeviceName::try_from(name).map_err(decode)?,
    })
}

/// An id in a row that is none: somebody else wrote into the database.
pub(crate) fn decode(error: InvalidId) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// The number of a kind of the past in a row.
pub(crate) const fn kind_number(kind: thingcall_core::PastKind) -> i64 {
    match kind {
        thingcall_core::PastKind::Property => 0,
        thingcall_core::PastKind::Event => 1,
    }
}
