//! How a change reaches memory, in this process and in every other that has the file open.
//!
//! A change is written with a row in the table `changes`, in one transaction. Whoever wrote it, and every process's poller,
//! reads the rows after the last one it has taken over and reloads what they name. There is no other way into memory.
//!
//! **Invariant:** rows are taken over in their order, each once, under the write lock.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{DeviceKey, UnixMillis};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::warn;

use crate::change::{Change, ChangeRow, Subject};
use crate::database::{Loaded, Tx, WriteConnection};
use crate::failure::{Failure, Stop};
use crate::memory::{DeviceEntry, Memory, Swap};
use crate::shared::{self, Shared, WriteSide};

/// Rows read at a time.
const CHANGES_AT_ONCE: i64 = 500;

/// Ends a transaction that changed this.
pub(crate) async fn commit(mut tx: Box<dyn Tx + '_>, subject: Subject) -> Result<(), Failure> {
    tx.record_changes(&[subject]).await?;
    tx.commit().await
}

/// Everything that the database has, in a memory of its own.
pub(crate) async fn load(conn: &mut dyn WriteConnection) -> Result<Memory, Failure> {
    let Loaded { products, devices, keys } = conn.load().await?;
    let memory = Memory::default();
    products.into_iter().for_each(|product| memory.put_product(product));
    for entry in devices {
        memory.put_device(&entry.device.key.clone(), Some(entry));
    }
    for key in keys {
        memory.put_key(&key.id.clone(), Some(key));
    }
    Ok(memory)
}

/// Takes over what was changed since the last time.
pub(crate) async fn catch_up(shared: &Shared, side: &mut WriteSide) -> Result<(), Failure> {
    while take_over_some(shared, side).await? {}
    Ok(())
}

/// As `catch_up`, of a change that this process has just written: tried twice, since whoever made it waits.
pub(crate) async fn follow<E>(shared: &Shared, side: &mut WriteSide) -> Result<(), Stop<E>> {
    if let Err(problem) = catch_up(shared, side).await {
        shared.failed(side, &problem);
        catch_up(shared, side).await.map_err(Stop::Unread)?;
    }
    end_gone(shared, side).await;
    Ok(())
}

/// Takes over the next of them; says whether there were any.
async fn take_over_some(shared: &Shared, side: &mut WriteSide) -> Result<bool, Failure> {
    let found = side.conn.changes(side.last_change, CHANGES_AT_ONCE).await?;
    let Some(first) = found.first() else { return Ok(false) };
    if first.seq > side.last_change + 1 {
        reload(shared, side).await?;
        shared.taken_over(side.last_change);
        return Ok(true);
    }
    for ChangeRow { seq, subject } in found {
        match subject {
            Some(subject) => take_over(shared, side, subject).await?,
            None => warn!(seq, "a change of an unknown kind is left out"),
        }
        side.last_change = seq;
    }
    shared.taken_over(side.last_change);
    Ok(true)
}

/// Ends open calls of devices that are gone, again after the remover's own: this process may have accepted a call before
/// it knew. What cannot be ended now is later.
pub(crate) async fn end_gone(shared: &Shared, side: &mut WriteSide) {
    if side.gone.is_empty() {
        return;
    }
    match write_ends(side).await {
        Ok(()) => side.gone.clear(),
        Err(problem) => {
            shared.failed(side, &problem);
        }
    }
}

async fn write_ends(side: &mut WriteSide) -> Result<(), Failure> {
    let mut tx = side.conn.begin().await?;
    tx.end_all(&side.gone, UnixMillis::now()).await?;
    tx.commit().await
}

async fn take_over(shared: &Shared, side: &mut WriteSide, subject: Subject) -> Result<(), Failure> {
    match subject {
        Subject::Product(key) => {
            if let Some(product) = side.conn.product(&key).await? {
                shared.announce(Change::Product(key));
                shared.memory.put_product(product);
            }
        }
        Subject::Device(key) => {
            let entry = side.conn.device(&key).await?;
            put_device(shared, side, &key, entry);
        }
        Subject::Key(id) => {
            shared.memory.put_key(&id, side.conn.key(&id).await?);
            shared.announce(Change::Key(id));
        }
    }
    Ok(())
}

/// Replaces a device in memory and says what that means.
fn put_device(shared: &Shared, side: &mut WriteSide, key: &DeviceKey, entry: Option<DeviceEntry>) {
    let swap = shared.memory.put_device(key, entry);
    if let Some(gone) = gone(&swap) {
        side.waiting.forget(key);
        side.gone.push(gone.device.clone());
    }
    for change in meaning(key, &swap) {
        shared.announce(change);
    }
}

/// The device that is no more, or whose name another one has.
fn gone(swap: &Swap<DeviceEntry>) -> Option<&DeviceEntry> {
    let before = swap.before.as_deref()?;
    let same = swap.after.as_deref().is_some_and(|after| after.device.iot_id == before.device.iot_id);
    (!same).then_some(before)
}

fn meaning(key: &DeviceKey, swap: &Swap<DeviceEntry>) -> Vec<Change> {
    let mut changes = Vec::new();
    let gone = gone(swap).is_some();
    if gone {
        changes.push(Change::DeviceRemoved(key.clone()));
    }
    match (&swap.before, &swap.after) {
        (_, None) => {}
        (Some(before), Some(after)) if !gone => match (before.device.enabled, after.device.enabled) {
            (true, false) => changes.push(Change::DeviceDisabled(key.clone())),
            (false, true) => changes.push(Change::DeviceEnabled(key.clone())),
            (true, true) | (false, false) => {}
        },
        (_, Some(_)) => changes.push(Change::DeviceAdded(key.clone())),
    }
    changes
}

/// Reads everything anew: the rows that say what was changed are gone.
async fn reload(shared: &Shared, side: &mut WriteSide) -> Result<(), Failure> {
    let last_change = side.conn.last_change().await?;
    let fresh = load(&mut *side.conn).await?;
    side.last_change = last_change;
    for product in fresh.products() {
        shared.announce(Change::Product(product.key.clone()));
        shared.memory.put_product(Arc::unwrap_or_clone(product));
    }
    for before in shared.memory.all_devices() {
        if fresh.device_by_key(&before.device.key).is_none() {
            put_device(shared, side, &before.device.key, None);
        }
    }
    for entry in fresh.all_devices() {
        let key = entry.device.key.clone();
        put_device(shared, side, &key, Some((*entry).clone()));
    }
    for key in fresh.keys() {
        shared.announce(Change::Key(key.id.clone()));
        shared.memory.put_key(&key.id, Some((*key).clone()));
    }
    Ok(())
}

/// Looks for other processes' changes until the store closes.
pub(crate) async fn poll(shared: Arc<Shared>, every: Duration, mut closing: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(every.max(Duration::from_millis(1)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared::closed(&mut closing) => return,
            _ = tick.tick() => {}
        }
        // The lock is let go in between: others write while many changes are taken over.
        while look(&shared).await {}
    }
}

/// Takes over some changes of other processes; says whether there may be more.
async fn look(shared: &Shared) -> bool {
    let mut side = shared.write.lock().await;
    let more = match take_over_some(shared, &mut side).await {
        Ok(more) => more,
        Err(problem) => {
            shared.failed(&mut side, &problem);
            false
        }
    };
    end_gone(shared, &mut side).await;
    more
}
