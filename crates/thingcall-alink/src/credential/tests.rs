//! The SDKs' own CONNECTs, and what is refused.

use super::*;

const VECTORS: &str = include_str!("../../fixtures/device-side.json");

fn key(vector: &serde_json::Value) -> DeviceKey {
    DeviceKey {
        product: vector["productKey"].as_str().unwrap().parse().unwrap(),
        name: vector["deviceName"].as_str().unwrap().parse().unwrap(),
    }
}

fn secret() -> Secret {
    Secret::new("secret123")
}

fn verify(
    client_id: &str,
    username: &str,
    password: &[u8],
    secret_of: impl FnOnce(&DeviceKey) -> Option<Secret>,
) -> Result<Login, Refusal> {
    let claimed = Claimed::read(client_id, username)?;
    let secret = secret_of(claimed.device());
    claimed.verify(password, secret.as_ref())
}

#[test]
fn every_captured_connect_is_let_in() {
    let vectors: Vec<serde_json::Value> = serde_json::from_str(VECTORS).unwrap();
    let captured = vectors.iter().filter(|v| v["mqttClientId"].is_string() && v["deviceSecret"].is_string());
    let mut seen = 0;
    for vector in captured {
        let (client_id, password) = (vector["mqttClientId"].as_str().unwrap(), vector["password"].as_str().unwrap());
        for password in [password.to_owned(), password.to_uppercase()] {
            let login = verify(client_id, vector["username"].as_str().unwrap(), password.as_bytes(), |device| {
                assert_eq!(*device, key(vector));
                Some(secret())
            })
            .unwrap_or_else(|e| panic!("{}: {e}", vector["what"]));
            assert_eq!(login.ext_rrpc, client_id.contains("ext=1"), "{}", vector["what"]);
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn each_documented_digest_is_let_in() {
    let vectors: Vec<serde_json::Value> = serde_json::from_str(VECTORS).unwrap();
    let vector = vectors.iter().find(|v| v["passwords"].is_object()).unwrap();
    for (method, password) in vector["passwords"].as_object().unwrap() {
        let client_id = format!("a1BwAGVxxxx.light1|timestamp=1700000000000,_ss=1,signmethod={method},ext=3|");
        let login = verify(&client_id, "light1&a1BwAGVxxxx", password.as_str().unwrap().as_bytes(), |_| Some(secret()));
        assert_eq!(login, Ok(Login { device: key(vector), ext_rrpc: true }), "{method}");
    }
}

#[test]
fn what_a_simulated_device_sends_is_let_in() {
    let device = DeviceKey { product: "pk".parse().unwrap(), name: "d:1".parse().unwrap() };
    for ext in [true, false] {
        let id = client_id(&device, ext, 1);
        let login = verify(&id, &username(&device), password(&device, &id, &secret()).as_bytes(), |_| Some(secret()));
        assert_eq!(login, Ok(Login { device: device.clone(), ext_rrpc: ext }));
    }
}

#[test]
fn a_client_id_without_bars_is_signed_as_it_is_with_md5() {
    let device = DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() };
    let password = password(&device, "plain", &secret());
    assert_eq!(password.len(), 32);
    verify("plain", "d1&pk", password.as_bytes(), |_| Some(secret())).unwrap();
}

#[test]
fn a_refusal_says_what_is_wrong() {
    let refused = |client_id: &str, username: &str, password: &str| {
        verify(client_id, username, password.as_bytes(), |device| (device.name.as_str() == "d1").then(secret))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused("c", "d1", "x"), r#"user name "d1" is not of the form deviceName&productKey"#);
    assert_eq!(refused("c", "d1&p/k", "x"), r#"user name "d1&p/k" is not of the form deviceName&productKey"#);
    assert_eq!(refused("c", "d2&pk", "x"), "device pk/d2 is not registered");
    assert!(refused("c", "d1&pk", "x").starts_with("device pk/d1 sent a wrong password"));
    assert!(refused("c|signmethod=rot13|", "d1&pk", "x").starts_with(r#"signmethod "rot13" is unknown"#));
    assert!(refused(&"c".repeat(513), "d1&pk", "x").starts_with("client id has 513 bytes"));
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let device = DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() };
    let id = client_id(&device, true, 1_700_000_000_000);
    let right = password(&device, &id, &secret());
    let verdict =
        |id: &str, name: &str, password: &str| verify(id, name, password.as_bytes(), |_| Some(secret())).is_ok();
    assert!(verdict(&id, "d1&pk", &right));
    assert!(!verdict(&id.replace("pk.d1", "pk.d2"), "d1&pk", &right));
    assert!(!verdict(&id.replace("1700000000000", "1700000000001"), "d1&pk", &right));
    assert!(!verdict(&id, "d2&pk", &right));
    assert!(!verdict(&id, "d1&pk", &right[1..]));
    assert!(!verdict(&id, "d1&pk", ""));
}

#[test]
fn client_ids_of_sdks_name_their_device() {
    let named = |client_id: &str| named_in(client_id).iter().map(ToString::to_string).collect::<Vec<_>>();

    assert_eq!(named("pk&d.1|securemode=3,timestamp=1|"), ["pk/d.1"]);
    assert_eq!(named("pk.d1|ext=3|"), ["pk/d1"]);
    assert_eq!(named("\n  pk&d1_aliyun-iot-device-sdk-js|x=1|"), ["pk/d1_aliyun-iot-device-sdk-js", "pk/d1"]);
    assert!(named("d1|securemode=3|").is_empty());
    assert!(named("").is_empty());
}
