//! EMQX's questions, answered in JSON.
//!
//! **Invariant:** the list of topics in the answer to a CONNECT allows what `thingcall_alink` allows and ends with what
//! forbids the rest, so EMQX asks no more about that device. A user who is neither configured nor a device is left to
//! EMQX's other authenticators; what is not decided there must be denied by EMQX (`authorization.no_match = deny`).

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use thingcall_alink as alink;
use thingcall_core::{DeviceKey, UnixMillis};

use crate::endpoint::Broker;
use crate::fields::Fields;
use crate::request;
use crate::who::{App, Attempt, Refused, Who};

/// What EMQX asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// May this client connect?
    Authn,
    /// May it publish or subscribe here?
    Authz,
}

/// What every device's list ends with. `#` matches no topic that begins with `$`, so those that mean something to EMQX
/// are named.
const NOT_FOR_DEVICES: [&str; 8] =
    ["#", "$SYS/#", "$delayed/#", "$events/#", "$exclusive/#", "$file/#", "$queue/#", "$share/#"];

pub(crate) fn decide<'a>(app: &'a App, question: Question, fields: &Fields) -> Result<Who<'a>, Refused> {
    match question {
        Question::Authn => app.login(&Attempt {
            broker: Broker::Emqx,
            username: fields.need("username")?,
            password: fields.get("password").unwrap_or_default(),
            client_id: Some(fields.need("clientid")?),
            address: fields.get("peerhost"),
        }),
        Question::Authz => authz(app, fields),
    }
}

fn authz<'a>(app: &'a App, fields: &Fields) -> Result<Who<'a>, Refused> {
    let who = app.who(fields.need("username")?)?;
    let (client_id, topic) = (fields.need("clientid")?, fields.need("topic")?);
    let Who::Device(device) = &who else { return Ok(who) };
    app.own_client_id(Broker::Emqx, client_id, device)?;
    match fields.need("action")? {
        "publish" if alink::may_publish(device, topic) => {
            app.presence.seen(device, app.config.emqx.transport, UnixMillis::now())
        }
        "subscribe" if alink::may_subscribe(device, topic) => {}
        _ => return Err(Refused::Topic),
    }
    Ok(who)
}

pub(crate) fn answer(app: &App, question: Question, decided: &Result<Who<'_>, Refused>) -> Response {
    let answer = match (question, decided) {
        (_, Err(Refused::NotOurs)) => json!({"result": "ignore"}),
        (_, Err(_)) => json!({"result": "deny"}),
        (Question::Authz, Ok(_)) => json!({"result": "allow"}),
        (Question::Authn, Ok(Who::User(_))) => json!({"result": "allow", "is_superuser": true}),
        (Question::Authn, Ok(Who::Device(device))) => admit(device, app.config.emqx.client_id_override),
    };
    request::json(StatusCode::OK, &answer)
}

fn admit(device: &DeviceKey, client_id_override: bool) -> Value {
    let mut acl: Vec<_> = alink::grants(device)
        .into_iter()
        .map(|grant| {
            let action = if grant.publish { "all" } else { "subscribe" };
            json!({"permission": "allow", "action": action, "topic": grant.filter})
        })
        .collect();
    acl.extend(NOT_FOR_DEVICES.map(|topic| json!({"permission": "deny", "action": "all", "topic": topic})));
    let mut answer = Map::from_iter([
        ("result".to_owned(), "allow".into()),
        ("is_superuser".to_owned(), false.into()),
        ("client_attrs".to_owned(), json!({"product": device.product, "device": device.name})),
        ("acl".to_owned(), acl.into()),
    ]);
    if client_id_override {
        answer.insert("clientid_override".to_owned(), format!("{}.{}", device.product, device.name).into());
    }
    answer.into()
}

#[cfg(test)]
mod tests;
