//! Writes what was heard of devices.

use thingcall_core::{DeviceKey, UnixMillis};

use crate::change::Subject;
use crate::database::WriteConnection;
use crate::devices::Devices;
use crate::failure::Failure;
use crate::live::Heard;

/// So many devices are told to other instances by name.
const NEWS_MAX: usize = 500;

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
    let news = if devices.are_shared() { news(&heard) } else { Vec::new() };
    write(conn, &heard, &news, *none_online).await?;
    *none_online = false;
    devices.wrote(&news);
    Ok(())
}

/// What other instances are to know at once. A mass is told as one: their memories look everybody up anew.
fn news(heard: &[(DeviceKey, Heard)]) -> Vec<Subject> {
    let news = heard.iter().filter(|(_, heard)| heard.is_news);
    if news.clone().count() > NEWS_MAX {
        return vec![Subject::Heard(None)];
    }
    news.map(|(device, _)| Subject::Heard(Some(device.clone()))).collect()
}

async fn write(
    conn: &mut dyn WriteConnection,
    heard: &[(DeviceKey, Heard)],
    news: &[Subject],
    none_online: bool,
) -> Result<(), Failure> {
    let mut tx = conn.begin().await?;
    if none_online {
        tx.none_online().await?;
    }
    tx.write_presence(heard, UnixMillis::now()).await?;
    if !news.is_empty() {
        tx.record_changes(news).await?;
    }
    tx.commit().await
}
