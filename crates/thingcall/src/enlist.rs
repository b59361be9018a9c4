//! Devices that somebody registers as a list, and what one of them logs in with.
//!
//! **Invariant:** of each device it is said what became of it. What is said to be registered is written by then.

use thingcall_alink as alink;
use thingcall_console::{DeviceLogin, Enlisted, NewDevice};
use thingcall_core::{DeviceKey, DeviceRef, ProductKey, Secret, UnixMillis};
use thingcall_store::Store;
use thingcall_tsl::{self as tsl, Directory, DirectoryError};

/// How many devices one transaction registers.
const DEVICES_AT_ONCE: usize = 500;

/// Registers them; what became of each, in their order.
pub(crate) async fn enlist(store: &Store, product: &ProductKey, devices: Vec<NewDevice>) -> Vec<Enlisted> {
    let mut ends = Vec::with_capacity(devices.len());
    let mut new = Vec::new();
    for device in devices {
        let end = there(store, product, &device).await;
        if end.is_none() {
            new.push((ends.len(), device));
        }
        ends.push(end);
    }
    for some in new.chunks(DEVICES_AT_ONCE) {
        for ((place, _), end) in some.iter().zip(register(store, product, some).await) {
            if let Some(known) = ends.get_mut(*place) {
                *known = Some(end);
            }
        }
    }
    let untold = || Enlisted::Refused("nothing is known of it; look whether it is there".to_owned());
    ends.into_iter().map(|end| end.unwrap_or_else(untold)).collect()
}

/// What is to be said of one that is there already, or cannot be looked for.
async fn there(store: &Store, product: &ProductKey, device: &NewDevice) -> Option<Enlisted> {
    let key = DeviceKey { product: product.clone(), name: device.name.clone() };
    match store.device(&DeviceRef::Key(key)).await {
        Ok(record) if device.secret.as_ref().is_some_and(|secret| *secret == record.secret) => Some(Enlisted::There),
        Ok(_) => Some(Enlisted::Refused("there is a device of this name already".to_owned())),
        Err(DirectoryError::NoDevice(_)) => None,
        Err(error) => Some(Enlisted::Refused(error.to_string())),
    }
}

/// Registers them together, or, where that is refused, one by one.
async fn register(store: &Store, product: &ProductKey, devices: &[(usize, NewDevice)]) -> Vec<Enlisted> {
    let all: Vec<_> = devices.iter().map(|(_, device)| as_new(product, device)).collect();
    match store.register_all(all).await {
        Ok(_) => return devices.iter().map(|_| Enlisted::Added).collect(),
        // Somebody else registered one of them meanwhile, or there is room for some and not for all.
        Err(DirectoryError::Exists(_) | DirectoryError::Full(_)) => {}
        Err(error) => return devices.iter().map(|_| Enlisted::Refused(error.to_string())).collect(),
    }
    let mut ends = Vec::with_capacity(devices.len());
    let mut full = None;
    for (_, device) in devices {
        let refused = match &full {
            Some(why) => Err(DirectoryError::clone(why)),
            None => store.register_all(vec![as_new(product, device)]).await.map(drop),
        };
        if let Err(why @ DirectoryError::Full(_)) = &refused {
            full = Some(why.clone());
        }
        ends.push(refused.map_or_else(|why| Enlisted::Refused(why.to_string()), |()| Enlisted::Added));
    }
    ends
}

fn as_new(product: &ProductKey, device: &NewDevice) -> tsl::NewDevice {
    let NewDevice { name, nickname, secret } = device.clone();
    tsl::NewDevice { product: product.clone(), name: Some(name), secret, nickname, transport: None }
}

/// What a device logs in with.
///
/// # Errors
/// Why that cannot be said.
pub(crate) async fn login(store: &Store, device: DeviceKey) -> Result<DeviceLogin, String> {
    let record = store.device(&DeviceRef::Key(device.clone())).await.map_err(|error| error.to_string())?;
    let client_id = alink::client_id(&device, true, UnixMillis::now().0);
    let password = Secret::new(&alink::password(&device, &client_id, &record.secret));
    Ok(DeviceLogin { secret: record.secret, username: alink::username(&device), client_id, password })
}
