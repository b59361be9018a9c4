//! What the SDK sends, and what is refused.

use super::*;
use crate::credential::{Claimed, client_id, password};

const VECTORS: &str = include_str!("../../fixtures/device-side.json");

fn captured() -> (Enrolment, Secret) {
    let vectors: Vec<serde_json::Value> = serde_json::from_str(VECTORS).unwrap();
    let vector = vectors.iter().find(|vector| vector["productSecret"].is_string()).unwrap();
    let text = |name: &str| vector[name].as_str().unwrap();
    let asked = enrolment(text("mqttClientId"), text("username"), text("password").as_bytes()).unwrap().unwrap();
    (asked, Secret::new(text("productSecret")))
}

#[test]
fn what_the_sdk_sends_is_understood_and_its_signature_is_right() {
    let (asked, secret) = captured();

    assert_eq!(asked.device.to_string(), "a1BwAGVxxxx/light1");
    assert_eq!(asked.wants, EnrolsFor::Secret);
    assert_eq!(is_signed(&asked, &secret), Ok(()));
}

#[test]
fn whatever_else_is_signed_is_refused() {
    let (asked, secret) = captured();
    let other = |change: fn(&mut Enrolment)| {
        let mut asked = asked.clone();
        change(&mut asked);
        is_signed(&asked, &secret).unwrap_err()
    };

    let sign = NotEnrolled::Sign(asked.device.clone());
    assert_eq!(is_signed(&asked, &Secret::new("another")), Err(sign.clone()));
    assert_eq!(other(|asked| asked.random.push('x')), sign);
    assert_eq!(other(|asked| asked.sign.clear()), sign);
    assert_eq!(other(|asked| asked.sign_method = Some("none".to_owned())), NotEnrolled::SignMethod("none".to_owned()));
    let unsigned = other(|asked| asked.device.name = "light2".parse().unwrap());
    assert!(matches!(unsigned, NotEnrolled::Sign(device) if device.name.as_str() == "light2"));
}

#[test]
fn usual_login_is_no_enrolment() {
    let (asked, _) = captured();
    let id = client_id(&asked.device, true, 1);

    assert_eq!(enrolment(&id, "light1&a1BwAGVxxxx", b""), None);
    let malformed = enrolment("x|authType=register|", "nobody", b"").unwrap();
    assert_eq!(malformed, Err(Refusal::Username("nobody".to_owned())));
}

#[test]
fn token_is_good_for_its_client_id_and_device_alone() {
    let (asked, _) = captured();
    let secret = Secret::new("a device's");
    let Enrolled::Token { client_id: id, token } = token(&asked.device, &secret) else { panic!("no token") };
    let login = |id: &str, user: &str, given: &str| {
        let id = format!("{id}|authType=connwl,securemode=-2,_ss=1,ext=3,lan=Python,_v=1|");
        Claimed::read(&id, user).unwrap().verify(given.as_bytes(), Some(&secret))
    };

    let right = login(&id, "light1&a1BwAGVxxxx", token.expose()).unwrap();
    assert!(right.ext_rrpc && right.device == asked.device);
    assert!(login("another", "light1&a1BwAGVxxxx", token.expose()).is_err());
    assert!(login(&id, "light2&a1BwAGVxxxx", token.expose()).is_err());
    // The secret's own password is none for who says that it has a token.
    let own = password(&asked.device, &id, &secret);
    assert!(login(&id, "light1&a1BwAGVxxxx", &own).is_err());
}

#[test]
fn each_is_told_on_its_topic() {
    let (asked, _) = captured();
    let read = |enrolled: &Enrolled| {
        let (topic, payload) = told(&asked.device, enrolled);
        (topic, serde_json::from_str::<serde_json::Value>(&payload).unwrap())
    };

    let (topic, payload) = read(&Enrolled::Secret(Secret::new("s")));
    assert_eq!(
        (topic, payload),
        (
            "/ext/register",
            json!({
                "productKey": "a1BwAGVxxxx", "deviceName": "light1", "deviceSecret": "s",
            })
        )
    );
    let (topic, payload) = read(&token(&asked.device, &Secret::new("s")));
    assert_eq!((topic, &payload["clientId"]), ("/ext/regnwl", &json!("a1BwAGVxxxx.light1")));
    assert_eq!(payload["deviceToken"].as_str().map(str::len), Some(64));
}
