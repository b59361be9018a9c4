//! What a device connects with, and how each device SDK is told so.
//!
//! **Invariant:** no secret stands in a sample: it comes from the device's environment.

use maud::{Markup, html};

use crate::layout;
use crate::operations::DeviceLogin;
use crate::seat::Seat;
use crate::shown::facts;

/// The part of its page.
pub(super) fn section(seat: &Seat, path: &str, (product, name): (&str, &str), login: Option<&DeviceLogin>) -> Markup {
    let lang = seat.lang;
    let broker = broker(seat);
    let (host, port) = broker.clone().unwrap_or_else(|| ("BROKER".to_owned(), 1883));
    html! {
        section {
            h2 { (lang.say("Connect it", "连接参数")) }
            @if broker.is_none() {
                p.hint { (lang.say("Devices connect to a broker beside this server: put its address in place of BROKER.", "设备连接外部 Broker：请将 BROKER 替换为其地址。")) }
            }
            (facts(&[
                (lang.say("Host", "主机"), html! { code { (host) } }),
                (lang.say("Port", "端口"), html! { code { (port) } }),
                (lang.say("MQTT user name", "MQTT 用户名"), html! { code { (name) "&" (product) } }),
            ]))
            @match login {
                Some(login) => (secrets(seat, login)),
                None => form method="post" action=(format!("{path}/secret")) {
                    (layout::token(seat))
                    button type="submit" { (lang.say("Show its secret, client id and password", "显示密钥、客户端 ID 与密码")) }
                },
            }
            @for (sdk, code) in samples(&host, port, (product, name)) {
                details { summary { (sdk) } pre tabindex="0" { code { (code) } } }
            }
        }
    }
}

fn secrets(seat: &Seat, login: &DeviceLogin) -> Markup {
    let lang = seat.lang;
    html! {
        div.told role="status" {
            p { (lang.say("Whoever has these is this device. They are not shown again when the page is loaded anew.", "持有以下信息即可冒充该设备；刷新页面后不再显示。")) }
            (facts(&[
                (lang.say("Device secret", "DeviceSecret"), html! { code { (login.secret.expose()) } }),
                (lang.say("MQTT client id", "MQTT 客户端 ID"), html! { code { (login.client_id) } }),
                (lang.say("MQTT password for it", "对应的 MQTT 密码"), html! { code { (login.password.expose()) } }),
            ]))
        }
    }
}

/// Where the embedded broker listens, if there is one.
fn broker(seat: &Seat) -> Option<(String, u16)> {
    let listeners = seat.desk.operations.instance().listeners;
    let (_, address) = listeners.into_iter().find(|(name, _)| *name == "mqtt")?;
    let host = if address.ip().is_unspecified() { "THIS-SERVER".to_owned() } else { address.ip().to_string() };
    Some((host, address.port()))
}

fn samples(host: &str, port: u16, (product, name): (&str, &str)) -> [(&'static str, String); 4] {
    let python = format!(
        "# pip install aliyun-iot-linkkit paho-mqtt==1.6.1\nimport os\nfrom linkkit import linkkit\n\n\
         device = linkkit.LinkKit(host_name=\"cn-shanghai\", product_key=\"{product}\", device_name=\"{name}\",\n    \
         device_secret=os.environ[\"DEVICE_SECRET\"])\n\
         device.config_mqtt(endpoint=\"{host}\", port={port}, secure=\"\")\n\
         device.on_connect = lambda session, code, data: print(\"connected\", code)\n\
         device.connect_async()\ndevice.start_worker_loop()\ninput()\n"
    );
    let node = format!(
        "// npm install alibabacloud-iot-device-sdk\nconst iot = require(\"alibabacloud-iot-device-sdk\");\n\n\
         const device = iot.device({{\n  productKey: \"{product}\",\n  deviceName: \"{name}\",\n  \
         deviceSecret: process.env.DEVICE_SECRET,\n  brokerUrl: \"mqtt://{host}:{port}\",\n}});\n\
         device.on(\"connect\", () => console.log(\"connected\"));\n"
    );
    let c = format!(
        "/* C Link SDK 4; no AIOT_MQTTOPT_NETWORK_CRED: plain TCP */\nvoid *mqtt = aiot_mqtt_init();\nuint16_t port = {port};\n\
         aiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_HOST, \"{host}\");\naiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_PORT, &port);\n\
         aiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_PRODUCT_KEY, \"{product}\");\n\
         aiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_DEVICE_NAME, \"{name}\");\n\
         aiot_mqtt_setopt(mqtt, AIOT_MQTTOPT_DEVICE_SECRET, getenv(\"DEVICE_SECRET\"));\n\
         int32_t result = aiot_mqtt_connect(mqtt);\n"
    );
    let plain = format!(
        "# CLIENT_ID and PASSWORD as shown above; the password goes with that very client id\n\
         mosquitto_pub -h {host} -p {port} -V mqttv311 -i \"$CLIENT_ID\" -u '{name}&{product}' -P \"$PASSWORD\" \\\n  \
         -q 1 -t '/{product}/{name}/user/update' -m 'hello'\n"
    );
    [
        ("Python: aliyun-iot-linkkit", python),
        ("Node: alibabacloud-iot-device-sdk", node),
        ("C: Link SDK 4", c),
        ("MQTT: mosquitto_pub", plain),
    ]
}
