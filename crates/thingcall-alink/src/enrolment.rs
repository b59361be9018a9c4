//! A device without a secret: how it asks for one, and how it is told. Source: `PROTOCOL.md` 6.5.
//!
//! It connects with the client id `{id}|random=..,authType=register,signmethod=..|` or `authType=regnwl`; its password is the
//! hexadecimal HMAC of `deviceName{dn}productKey{pk}random{r}`, keyed with its product's secret. It is told what it gets on
//! `/ext/register` or `/ext/regnwl`, to which it never subscribes.

use serde_json::json;
use subtle::ConstantTimeEq;
use thingcall_core::{DeviceKey, Enrolled, Enrolment, EnrolsFor, NotEnrolled, Secret};

use crate::credential::{Auth, ClientId, Method, Refusal, device_of, token_of};

/// What a CONNECT asks that is of a device without a secret; `None` if it is none.
pub fn enrolment(client_id: &str, username: &str, password: &[u8]) -> Option<Result<Enrolment, Refusal>> {
    let id = ClientId::parse(client_id);
    let wants = match id.auth {
        Auth::Register => EnrolsFor::Secret,
        Auth::RegisterForToken => EnrolsFor::Token,
        Auth::Secret | Auth::Token => return None,
    };
    let asked = ClientId::check_length(client_id).and_then(|()| {
        let device = device_of(username).ok_or_else(|| Refusal::Username(username.chars().take(80).collect()))?;
        Ok(Enrolment {
            device,
            random: id.random.unwrap_or_default().to_owned(),
            sign_method: id.sign_method.map(str::to_owned),
            sign: password.to_vec(),
            wants,
        })
    });
    Some(asked)
}

/// Whether this is signed with the product's secret.
///
/// # Errors
/// `SignMethod` or `Sign`.
pub fn is_signed(asked: &Enrolment, product_secret: &Secret) -> Result<(), NotEnrolled> {
    let Enrolment { device, random, sign_method, sign, .. } = asked;
    let Some(method) = Method::named(sign_method.as_deref()) else {
        return Err(NotEnrolled::SignMethod(sign_method.iter().flat_map(|text| text.chars()).take(40).collect()));
    };
    let content = format!("deviceName{}productKey{}random{random}", device.name, device.product);
    let right = method.digest(product_secret, &content);
    // An empty digest would match an empty signature.
    let same = !right.is_empty() && bool::from(right.as_bytes().ct_eq(&sign.to_ascii_lowercase()));
    if same { Ok(()) } else { Err(NotEnrolled::Sign(device.clone())) }
}

/// What a device connects with that has a token: what stands before the bar of its client id, and the token.
pub fn token(device: &DeviceKey, secret: &Secret) -> Enrolled {
    let client_id = format!("{}.{}", device.product, device.name);
    let token = Secret::new(&token_of(device, &client_id, secret));
    Enrolled::Token { client_id, token }
}

/// The topic and the payload by which a device is told what it gets.
pub fn told(device: &DeviceKey, enrolled: &Enrolled) -> (&'static str, String) {
    let (product, name) = (device.product.as_str(), device.name.as_str());
    match enrolled {
        Enrolled::Secret(secret) => {
            let told = json!({ "productKey": product, "deviceName": name, "deviceSecret": secret.expose() });
            ("/ext/register", told.to_string())
        }
        Enrolled::Token { client_id, token } => {
            let (client_id, token) = (client_id.as_str(), token.expose());
            let told =
                json!({ "productKey": product, "deviceName": name, "clientId": client_id, "deviceToken": token });
            ("/ext/regnwl", told.to_string())
        }
    }
}

#[cfg(test)]
mod tests;
