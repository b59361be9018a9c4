//! Devices that come for their secrets over HTTP: `POST /auth/register/device`. Source: `crates/PROTOCOL.md` 6.5.
//!
//! **Invariant:** nobody has signed as an application here, so little is read of anybody, and little is told: the SDK reads
//! `code`, `message` and `data.deviceSecret`, always with HTTP 200.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming as Unread;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response};
use serde_json::{Value, json};
use thingcall_core::{DeviceKey, Enrolled, Enrolment, EnrolsFor, NotEnrolled, PeerText, Registrar};
use thingcall_listen::Caller;
use tracing::info;

use crate::answer::HttpAnswer;
use crate::app::App;
use crate::body;
use crate::gateway::GatewayError;
use crate::params::Params;

/// Where devices ask.
pub(crate) const PATH: &str = "/auth/register/device";

/// Why a device gets nothing.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Unread(#[from] GatewayError),
    #[error("{0:?} is not taken here; right is POST")]
    Method(String),
    #[error("{0:?} is no device: productKey and deviceName have to be those of one")]
    Malformed(String),
    #[error(transparent)]
    Not(#[from] NotEnrolled),
}

impl Reason {
    /// The code in the answer, as devices know them of replies.
    const fn code(&self) -> u16 {
        match self {
            Self::Unread(_) | Self::Method(_) => 400,
            Self::Malformed(_) => 460,
            Self::Not(why) => match why {
                NotEnrolled::SignMethod(_) => 460,
                NotEnrolled::Off(_)
                | NotEnrolled::Sign(_)
                | NotEnrolled::Unknown(_)
                | NotEnrolled::Activated(_)
                | NotEnrolled::Disabled(_) => 403,
                NotEnrolled::TooOften(_) => 429,
                NotEnrolled::NotRegistered(_) | NotEnrolled::NotLookedUp(_) => 500,
            },
        }
    }
}

/// Answers a device.
pub(crate) async fn answer(
    app: &App,
    registrar: &Arc<dyn Registrar>,
    request: Request<Unread>,
    caller: Caller,
) -> HttpAnswer {
    let said = match enrol(app, registrar, request, &caller).await {
        Ok((device, secret)) => {
            info!(%device, "the device has its secret, over HTTP");
            let data = json!({
                "productKey": device.product.as_str(), "deviceName": device.name.as_str(), "deviceSecret": secret,
            });
            json!({ "code": 200, "data": data, "message": "success" })
        }
        Err(reason) => {
            let text = reason.to_string();
            info!(reason = %PeerText::new(&text), "a device gets no secret over HTTP");
            json!({ "code": reason.code(), "data": Value::Null, "message": text })
        }
    };
    let mut answer = Response::new(Full::new(Bytes::from(said.to_string())));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

async fn enrol(
    app: &App,
    registrar: &Arc<dyn Registrar>,
    request: Request<Unread>,
    caller: &Caller,
) -> Result<(DeviceKey, String), Reason> {
    let (head, unread) = request.into_parts();
    if head.method != Method::POST {
        return Err(Reason::Method(head.method.as_str().chars().take(64).collect()));
    }
    let form = body::form(&app.config, &head, unread, caller).await?;
    let asked = asked(&Params::read("", &form))?;
    match registrar.enrol(&asked).await? {
        Enrolled::Secret(secret) => Ok((asked.device, secret.expose().to_owned())),
        // Nobody asks for one here.
        Enrolled::Token { token, .. } => Ok((asked.device, token.expose().to_owned())),
    }
}

fn asked(params: &Params<'_>) -> Result<Enrolment, Reason> {
    params.check()?;
    let (product, name) = (params.need("productKey")?, params.need("deviceName")?);
    let malformed = || Reason::Malformed(format!("{product}/{name}").chars().take(80).collect());
    let device = DeviceKey {
        product: product.try_into().map_err(|_| malformed())?,
        name: name.try_into().map_err(|_| malformed())?,
    };
    Ok(Enrolment {
        device,
        random: params.need("random")?.to_owned(),
        sign_method: params.get("signMethod").map(str::to_owned),
        sign: params.need("sign")?.as_bytes().to_vec(),
        wants: EnrolsFor::Secret,
    })
}
