//! What can be done to a device: enable, disable, remove it, show its secret, change its tags.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use thingcall_core::{DeviceKey, Target, audit_target};

use super::one::{Said, shown};
use super::{path_of, tags};
use crate::form::Form;
use crate::operations::DeviceLogin;
use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::address;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
enum What {
    Enable,
    Disable,
    Remove,
    Secret,
    Tag,
    Untag,
}

/// Does it.
pub(crate) async fn change(Path((product, name, what)): Path<(String, String, String)>, form: Form) -> Response {
    let seat = &form.seat;
    let of = [("ProductKey", product.as_str()), ("DeviceName", name.as_str())];
    let done = match what.parse() {
        Ok(What::Enable) => seat.performed("EnableThing", &of).await.map(drop),
        Ok(What::Disable) => seat.performed("DisableThing", &of).await.map(drop),
        Ok(What::Remove) => match remove(&form, &of).await {
            Ok(()) => return Redirect::to(&address("/devices", &[("product", &product)])).into_response(),
            Err(why) => Err(why),
        },
        Ok(What::Secret) => return with_secret(seat, &product, &name).await,
        Ok(What::Tag) => tags::add(&form, &of).await,
        Ok(What::Untag) => tags::remove(&form, &of).await,
        Err(_) => {
            Err(Refused { code: "404".to_owned(), text: format!("{what:?} is nothing that can be done to a device") })
        }
    };
    match done {
        Ok(()) => Redirect::to(&path_of(&product, &name)).into_response(),
        Err(why) => shown(seat, (&product, &name), &Said { why: Some(&why), login: None }).await,
    }
}

async fn remove(form: &Form, of: &[(&str, &str)]) -> Result<(), Refused> {
    let lang = form.seat.lang;
    if form.field("sure") != "yes" {
        let text = lang.say("Tick the box beside the button if it shall be gone.", "请勾选确认框后再删除。");
        return Err(Refused { code: lang.say("not confirmed", "未确认").to_owned(), text: text.to_owned() });
    }
    form.seat.performed("DeleteDevice", of).await.map(drop)
}

/// Its page, with what it logs in with.
pub(super) async fn with_secret(seat: &Seat, product: &str, name: &str) -> Response {
    let target = audit_target([("ProductKey", product), ("DeviceName", name)].into_iter());
    match seat.noting("ShowDeviceSecret", target, login(seat, product, name)).await {
        Ok(login) => shown(seat, (product, name), &Said { why: None, login: Some(&login) }).await,
        Err(why) => {
            let page = shown(seat, (product, name), &Said { why: Some(&why), login: None }).await;
            (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
        }
    }
}

/// What tells a device's secret in the API is what tells it here.
async fn login(seat: &Seat, product: &str, name: &str) -> Result<DeviceLogin, Refused> {
    seat.must_allow("QueryDeviceDetail", Target::Device { product, name })?;
    let unknown = |text: String| Refused { code: "iot.device.NotExistedDevice".to_owned(), text };
    let product = product.parse().map_err(|why: thingcall_core::InvalidId| unknown(why.to_string()))?;
    let name = name.parse().map_err(|why: thingcall_core::InvalidId| unknown(why.to_string()))?;
    seat.desk.operations.login(DeviceKey { product, name }).await.map_err(unknown)
}
