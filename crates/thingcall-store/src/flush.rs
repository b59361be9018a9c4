//! Writes what is known of devices' connections.

use thingcall_core::IotId;

use crate::database::WriteConnection;
use crate::failure::Failure;
use crate::live::Seen;
use crate::marked::Marked;

/// Writes the marked devices in one transaction. What cannot be written stays marked.
pub(crate) async fn flush(marked: &Marked, conn: &mut dyn WriteConnection) -> Result<(), Failure> {
    let devices = marked.take();
    if devices.is_empty() {
        return Ok(());
    }
    let rows: Vec<(&IotId, Seen)> = devices.iter().map(|(id, live)| (id, live.take())).collect();
    let written = write(conn, &rows).await;
    if written.is_err() {
        for (id, live) in &devices {
            marked.change(id, live, |_| {});
        }
    }
    written
}

async fn write(conn: &mut dyn WriteConnection, rows: &[(&IotId, Seen)]) -> Result<(), Failure> {
    let mut tx = conn.begin().await?;
    tx.write_presence(rows).await?;
    tx.commit().await
}
