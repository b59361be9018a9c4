//! How a change reaches memory, in this process and in every other that has the file open.
//!
//! A change is written with a row in the table `changes`, in one transaction. Whoever wrote it, and every process,
//! where the database tells it or it is time to look, reads the rows after the last one it has taken over: products and keys are read anew, devices forgotten, to be looked
//! up when they are called next.
//!
//! **Invariant:** rows are taken over in their order, each once, under the write lock.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thingcall_core::ProductKey;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::change::{Change, ChangeRow, Subject};
use crate::database::{Loaded, Tx, WriteConnection};
use crate::failure::{Failure, Stop};
use crate::memory::Memory;
use crate::shared::{self, Shared, WriteSide};

/// Rows read at a time.
const CHANGES_AT_ONCE: i64 = 500;
/// How often it is looked where the database tells of changes: it may say that it does, and what stands between may not
/// let it.
const LISTENING_LOOK: Duration = Duration::from_secs(1);

/// Ends a transaction that changed this.
pub(crate) async fn commit(tx: Box<dyn Tx + '_>, subject: Subject) -> Result<(), Failure> {
    commit_all(tx, &[subject]).await
}

/// Ends a transaction that changed these.
pub(crate) async fn commit_all(mut tx: Box<dyn Tx + '_>, subjects: &[Subject]) -> Result<(), Failure> {
    tx.record_changes(subjects).await?;
    tx.commit().await
}

/// All products and keys that the database has, in a memory of its own.
pub(crate) async fn load(conn: &mut dyn WriteConnection) -> Result<Memory, Failure> {
    let Loaded { products, keys } = conn.load().await?;
    let memory = Memory::default();
    products.into_iter().for_each(|product| memory.put_product(product));
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
    count_devices(shared, side).await?;
    shared.taken_over(side.last_change);
    Ok(true)
}

/// Counts the devices, where another process registered or removed any.
async fn count_devices(shared: &Shared, side: &mut WriteSide) -> Result<(), Failure> {
    if side.devices.is_old() {
        let devices = side.conn.count_devices().await?;
        side.devices.counted(devices);
    }
    shared.sizes.devices.store(side.devices.get(), Ordering::Relaxed);
    Ok(())
}

async fn take_over(shared: &Shared, side: &mut WriteSide, subject: Subject) -> Result<(), Failure> {
    match subject {
        Subject::Product(key) => take_over_product(shared, side, key).await?,
        Subject::Added(product) => {
            shared.devices.added();
            shared.tally.changed(product.as_ref());
            side.devices.is_told();
            shared.announce(Change::DevicesAdded);
        }
        Subject::Device(key) => {
            shared.devices.changed(&key);
            shared.tally.moved(Some(&key.product));
            shared.announce(Change::DeviceChanged(key));
        }
        Subject::Disabled(key) => {
            shared.devices.changed(&key);
            shared.tally.moved(Some(&key.product));
            shared.announce(Change::DeviceDisabled(key));
        }
        Subject::Removed(key) => {
            shared.devices.removed(&key);
            shared.tally.changed(Some(&key.product));
            side.waiting.forget(&key);
            side.devices.is_told();
            shared.announce(Change::DeviceRemoved(key));
        }
        Subject::Heard(device) => {
            shared.devices.heard(device.as_ref());
            shared.tally.moved(device.as_ref().map(|device| &device.product));
        }
        Subject::Key(id) => {
            shared.memory.put_key(&id, side.conn.key(&id).await?);
            shared.announce(Change::Key(id));
        }
        Subject::Subscribed => shared.groups.replace(shared.reads.subscribed().await?),
        Subject::Reader(name) => {
            let row = shared.reads.reader(&name).await?;
            if row.is_none() {
                shared.log.forget(&name);
            }
            shared.log.wants(&name, row.map(|row| row.wishes.now().cloned().unwrap_or_default()));
        }
    }
    Ok(())
}

async fn take_over_product(shared: &Shared, side: &mut WriteSide, key: ProductKey) -> Result<(), Failure> {
    match side.conn.product(&key).await? {
        Some(product) => shared.memory.put_product(product),
        None => {
            shared.memory.remove_product(&key);
            shared.tally.changed(Some(&key));
        }
    }
    shared.announce(Change::Product(key));
    Ok(())
}

/// Reads products and keys anew and forgets all devices: the rows that say what was changed are gone.
async fn reload(shared: &Shared, side: &mut WriteSide) -> Result<(), Failure> {
    let last_change = side.conn.last_change().await?;
    let fresh = load(&mut *side.conn).await?;
    let slots = shared.held.slots();
    let waiting = side.conn.waiting(slots.as_deref()).await?;
    side.devices.lost();
    count_devices(shared, side).await?;
    side.last_change = last_change;
    side.waiting.replace(waiting);
    shared.devices.all_changed();
    shared.tally.changed(None);
    load_readers(shared).await?;
    shared.memory.keep_products(|key| fresh.product(key).is_some());
    for product in fresh.products() {
        shared.announce(Change::Product(product.key.clone()));
        shared.memory.put_product(Arc::unwrap_or_clone(product));
    }
    for key in fresh.keys() {
        shared.announce(Change::Key(key.id.clone()));
        shared.memory.put_key(&key.id, Some((*key).clone()));
    }
    shared.announce(Change::Missed);
    Ok(())
}

/// Groups, subscriptions, what readers of messages want, and how many batches there are, as the database has it.
pub(crate) async fn load_readers(shared: &Shared) -> Result<(), Failure> {
    shared.sizes.batches.store(shared.reads.count_batches().await?, Ordering::Relaxed);
    shared.groups.replace(shared.reads.subscribed().await?);
    let readers = shared.reads.readers().await?.into_iter();
    shared.log.want(readers.map(|row| (row.name, row.wishes.now().cloned().unwrap_or_default())));
    Ok(())
}

/// Looks for other processes' changes until the store closes: when the database tells that there are any, and so often.
pub(crate) async fn look_for(shared: Arc<Shared>, every: Duration, mut closing: watch::Receiver<bool>) {
    loop {
        let wait = if shared.told.listens() { every.max(LISTENING_LOOK) } else { every };
        tokio::select! {
            () = shared::closed(&mut closing) => return,
            () = shared.told.wait() => {}
            () = sleep(wait) => {}
        }
        // The lock is let go in between: others write while many changes are taken over.
        while look(&shared).await {}
    }
}

/// Listens to the database until the store closes.
pub(crate) async fn listen(shared: Arc<Shared>, mut closing: watch::Receiver<bool>) {
    tokio::select! {
        () = shared::closed(&mut closing) => {}
        () = shared.reads.tell(&shared.told) => {}
        () = hear(&shared) => {}
    }
}

/// Lets those know who wait for messages, without an end.
async fn hear(shared: &Shared) {
    loop {
        shared.log.is_at(shared.told.newest().await);
    }
}

/// Takes over some changes of other processes; says whether there may be more.
async fn look(shared: &Shared) -> bool {
    let mut side = shared.write.lock().await;
    match take_over_some(shared, &mut side).await {
        Ok(more) => more,
        Err(problem) => {
            shared.failed(&mut side, &problem);
            false
        }
    }
}
