//! The questions of Mosquitto's go-auth, answered by status, and in the body for whoever reads that: a JSON object to a
//! question in JSON, `ok` or `deny` to a form.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use strum::{IntoStaticStr, VariantArray};
use thingcall_alink as alink;
use thingcall_core::DeviceKey;

use crate::broker::{self, BrokersQuestion};
use crate::denial::Denial;
use crate::fields::{Fields, Form};
use crate::who::{Attempt, ClientId, Doorkeeper, Who};

/// What go-auth asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Question {
    /// May this user log in?
    User,
    /// May it use this topic?
    Acl,
    /// May it do everything? Asked before `Acl`.
    Superuser,
}

impl BrokersQuestion for Question {
    const BROKER: &'static str = "mosquitto";

    async fn decide<'a>(self, keeper: &'a Doorkeeper, fields: &Fields) -> Result<Who<'a>, Denial> {
        let username = fields.need("username")?;
        match self {
            Self::User => {
                let attempt = Attempt {
                    transport: keeper.config.mosquitto.transport,
                    username,
                    password: fields.get("password").unwrap_or_default(),
                    client_id: Some(ClientId::OfSession(fields.need("clientid")?)),
                    address: None,
                };
                keeper.login(&attempt).await
            }
            Self::Superuser => keeper.user(username).map(Who::User).ok_or(Denial::Superuser),
            Self::Acl => {
                let who = keeper.who(username).await?;
                if let Who::Device(device) = &who {
                    keeper.own_client_id(ClientId::OfSession(fields.need("clientid")?), device).await?;
                    acl(keeper, device, fields)?;
                }
                Ok(who)
            }
        }
    }

    fn answer(self, _: &Doorkeeper, form: Form, decided: &Result<Who<'_>, Denial>) -> Response {
        let ok = decided.is_ok();
        let status = if ok { StatusCode::OK } else { StatusCode::FORBIDDEN };
        match form {
            Form::Json => broker::json(status, &json!({"ok": ok, "error": if ok { "" } else { "deny" }})),
            Form::Text => (status, if ok { "ok" } else { "deny" }).into_response(),
        }
    }
}

fn acl(keeper: &Doorkeeper, device: &DeviceKey, fields: &Fields) -> Result<(), Denial> {
    let topic = fields.need("topic")?;
    let allowed = match fields.need("acc")? {
        // A message on its way to the device.
        "1" => alink::may_subscribe(device, topic),
        // A filter of it. Mosquitto asks again, as above, about each message that comes through.
        "4" => alink::may_ask_for(device, topic),
        "2" => alink::may_publish(device, topic),
        "3" => alink::may_subscribe(device, topic) && alink::may_publish(device, topic),
        _ => false,
    };
    if !allowed {
        return Err(Denial::Topic);
    }
    if fields.get("acc") == Some("2") {
        keeper.published(device, keeper.config.mosquitto.transport);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
