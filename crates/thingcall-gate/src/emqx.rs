//! EMQX's questions, answered in JSON.
//!
//! **Invariant:** the list of topics in the answer to a CONNECT allows what `thingcall_alink` allows and ends with what
//! forbids the rest, so EMQX asks no more about that device. A user who is neither configured nor a device is left to
//! EMQX's other authenticators; what is not decided there must be denied by EMQX (`authorization.no_match = deny`).

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};
use strum::{IntoStaticStr, VariantArray};
use thingcall_alink as alink;
use thingcall_core::DeviceKey;

use crate::broker::{self, BrokersQuestion};
use crate::denial::Denial;
use crate::fields::{Fields, Form};
use crate::who::{Attempt, ClientId, Doorkeeper, Who};

/// What EMQX asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, VariantArray, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
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

impl BrokersQuestion for Question {
    const BROKER: &'static str = "emqx";
    const HAS_OTHER_BACKENDS: bool = true;

    async fn decide<'a>(self, keeper: &'a Doorkeeper, fields: &Fields) -> Result<Who<'a>, Denial> {
        match self {
            Self::Authn => {
                let attempt = Attempt {
                    transport: keeper.config.emqx.transport,
                    username: fields.need("username")?,
                    password: fields.get("password").unwrap_or_default(),
                    client_id: Some(client_id(keeper, fields)?),
                    address: fields.get("peerhost"),
                };
                keeper.login(&attempt).await
            }
            Self::Authz => authz(keeper, fields).await,
        }
    }

    fn answer(self, keeper: &Doorkeeper, _: Form, decided: &Result<Who<'_>, Denial>) -> Response {
        let answer = match (self, decided) {
            (_, Err(Denial::NotOurs)) => json!({"result": "ignore"}),
            (_, Err(_)) => json!({"result": "deny"}),
            (Self::Authz, Ok(_)) => json!({"result": "allow"}),
            (Self::Authn, Ok(Who::User(_))) => json!({"result": "allow", "is_superuser": true}),
            (Self::Authn, Ok(Who::Device(device))) => admit(device, keeper.config.emqx.client_id_override),
        };
        broker::json(StatusCode::OK, &answer)
    }
}

fn client_id<'a>(keeper: &Doorkeeper, fields: &'a Fields) -> Result<ClientId<'a>, Denial> {
    let client_id = fields.need("clientid")?;
    Ok(if keeper.config.emqx.client_id_override {
        ClientId::Replaced(client_id)
    } else {
        ClientId::OfSession(client_id)
    })
}

async fn authz<'a>(keeper: &'a Doorkeeper, fields: &Fields) -> Result<Who<'a>, Denial> {
    let who = keeper.who(fields.need("username")?).await?;
    let (client_id, topic) = (client_id(keeper, fields)?, fields.need("topic")?);
    let Who::Device(device) = &who else { return Ok(who) };
    keeper.own_client_id(client_id, device).await?;
    match fields.need("action")? {
        "publish" if alink::may_publish(device, topic) => {
            keeper.published(device, keeper.config.emqx.transport);
        }
        "subscribe" if alink::may_subscribe(device, topic) => {}
        _ => return Err(Denial::Topic),
    }
    Ok(who)
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
