//! The questions of Mosquitto's go-auth, answered by status, and in the body for whoever reads that: a JSON object to a
//! question in JSON, `ok` or `deny` to a form.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use thingcall_alink as alink;
use thingcall_core::{DeviceKey, UnixMillis};

use crate::endpoint::Broker;
use crate::fields::Fields;
use crate::request::{self, Form};
use crate::who::{App, Attempt, Refused, Who};

/// What go-auth asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// May this user log in?
    User,
    /// May it use this topic?
    Acl,
    /// May it do everything? Asked before `Acl`.
    Superuser,
}

pub(crate) fn decide<'a>(app: &'a App, question: Question, fields: &Fields) -> Result<Who<'a>, Refused> {
    let username = fields.need("username")?;
    match question {
        Question::User => app.login(&Attempt {
            broker: Broker::Mosquitto,
            username,
            password: fields.get("password").unwrap_or_default(),
            client_id: Some(fields.need("clientid")?),
            address: None,
        }),
        Question::Superuser => app.user(username).map(Who::User).ok_or(Refused::Superuser),
        Question::Acl => {
            let who = app.who(username)?;
            if let Who::Device(device) = &who {
                app.own_client_id(Broker::Mosquitto, fields.need("clientid")?, device)?;
                acl(app, device, fields)?;
            }
            Ok(who)
        }
    }
}

fn acl(app: &App, device: &DeviceKey, fields: &Fields) -> Result<(), Refused> {
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
        return Err(Refused::Topic);
    }
    if fields.get("acc") == Some("2") {
        app.presence.seen(device, app.config.mosquitto.transport, UnixMillis::now());
    }
    Ok(())
}

pub(crate) fn answer(form: Form, decided: &Result<Who<'_>, Refused>) -> Response {
    let ok = decided.is_ok();
    let status = if ok { StatusCode::OK } else { StatusCode::FORBIDDEN };
    match form {
        Form::Json => request::json(status, &json!({"ok": ok, "error": if ok { "" } else { "deny" }})),
        Form::Text => (status, if ok { "ok" } else { "deny" }).into_response(),
    }
}

#[cfg(test)]
mod tests;
