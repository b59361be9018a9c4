//! Writes what was heard of devices.

use thingcall_core::{DeviceKey, UnixMillis};

use crate::database::WriteConnection;
use crate::devices::Devices;
use crate::failure::Failure;
use crate::live::Heard;

/// Writes it in one transaction. What cannot be written is written the next time.
///
/// `none_online`: no device was connected before what was heard.
pub(crate) async fn flush(
    devices: &Devices,
    conn: &mut dyn WriteConnection,
    none_online: &mut bool,
) -> Result<(), Failure> {
    let heard = devices.take_heard();
    if heard.is_empty() && !*none_online {
        return Ok(());
    }
    write(conn, &heard, *none_online).await?;
    *none_online = false;
    devices.wrote();
    Ok(())
}

async fn write(conn: &mut dyn WriteConnection, heard: &[(DeviceKey, Heard)], none_online: bool) -> Result<(), Failure> {
    let mut tx = conn.begin().await?;
    if none_online {
        tx.none_online().await?;
    }
    tx.write_presence(heard, UnixMillis::now()).await?;
    tx.commit().await
}
