//! Writes what was heard of devices.

use std::collections::HashSet;

use thingcall_core::{DeviceKey, UnixMillis};

use crate::change::Subject;
use crate::failure::Failure;
use crate::live::Heard;
use crate::shared::{Shared, WriteSide};
use crate::turns::Turn;

/// So many devices are told to other instances by name.
const NEWS_MAX: usize = 500;

/// Writes it in one transaction, with what is told of it. What cannot be written is written the next time.
pub(crate) async fn flush(shared: &Shared, side: &mut WriteSide) -> Result<(), Failure> {
    let devices = &shared.devices;
    let (heard, turns) = shared.turns.all(|| devices.take_heard());
    if heard.is_empty() && turns.is_empty() && !side.none_online {
        return Ok(());
    }
    let news = if devices.are_shared() { news(&heard) } else { Vec::new() };
    write(shared, side, (&heard, &turns), &news).await?;
    if std::mem::take(&mut side.none_online) {
        shared.tally.moved(None);
    }
    shared.turns.wrote(turns.len());
    devices.wrote(&news);
    moved(shared, &heard);
    Ok(())
}

/// Who came, went or was there for the first time counts differently from now on.
fn moved(shared: &Shared, heard: &[(DeviceKey, Heard)]) {
    let moved = heard.iter().filter(|(_, heard)| heard.is_news || heard.online.is_some());
    let products: HashSet<_> = moved.map(|(device, _)| &device.product).collect();
    products.into_iter().for_each(|product| shared.tally.moved(Some(product)));
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
    shared: &Shared,
    side: &mut WriteSide,
    (heard, turns): (&[(DeviceKey, Heard)], &[Turn]),
    news: &[Subject],
) -> Result<(), Failure> {
    let now = UnixMillis::now();
    let mut tx = side.conn.begin().await?;
    let mut told = Vec::new();
    if side.none_online {
        if shared.log.words().is_some() {
            told.extend(shared.of_gone(&tx.online_devices().await?, now));
        }
        tx.none_online().await?;
    }
    if !turns.is_empty() {
        let devices: Vec<_> = turns.iter().map(|turn| turn.device.clone()).collect();
        told.extend(shared.of_turns(turns, &tx.devices(&devices).await?));
    }
    tx.write_presence(heard, now).await?;
    let newest = shared.append_own(&mut *tx, &told).await?;
    if !news.is_empty() {
        tx.record_changes(news).await?;
    }
    tx.commit().await?;
    shared.appended_own(&told, newest);
    Ok(())
}
