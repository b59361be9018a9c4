//! Python with `aliyun-python-sdk-core` and `aliyun-python-sdk-iot`.

use super::literal::python;
use super::{Ask, CONNECT_SECONDS, READ_SECONDS, is_of_the_platform, lines};
use crate::given::{Given, Value};

/// The code.
pub(super) fn code(ask: &Ask<'_>) -> String {
    let action = ask.action;
    let (import, request) = if is_of_the_platform(action) {
        let import = format!("from aliyunsdkiot.request.v20180120.{action}Request import {action}Request");
        let params: String = ask.params.iter().map(param).collect();
        (import, format!("request = {action}Request()\n{params}"))
    } else {
        let made = format!("request = CommonRequest(version=\"2018-01-20\", action_name=\"{action}\")\n");
        let params = lines(ask, |name, text| format!("request.add_query_param({}, {})\n", python(name), python(text)));
        (
            "from aliyunsdkcore.request import CommonRequest".to_owned(),
            made + "request.set_method(\"POST\")\n" + &params,
        )
    };
    let (host, port) = ask.endpoint.rsplit_once(':').unwrap_or((ask.endpoint, "80"));
    format!(
        r#"import os

from aliyunsdkcore.auth.credentials import AccessKeyCredential, StsTokenCredential
from aliyunsdkcore.client import AcsClient
{import}

key = (os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"], os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
token = os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN")
client = AcsClient(
    region_id="cn-shanghai",
    credential=StsTokenCredential(*key, token) if token else AccessKeyCredential(*key),
    port={port},
    connect_timeout={CONNECT_SECONDS},
    timeout={READ_SECONDS},  # seconds; a synchronous call may take 8
)

{request}request.set_endpoint({host})
request.set_protocol_type("http")
request.set_accept_format("json")
print(client.do_action_with_exception(request).decode("utf-8"))
"#,
        host = python(host),
    )
}

fn param(given: &Given) -> String {
    let name = given.name;
    match &given.value {
        Value::Text(text) => format!("request.set_{name}({})\n", python(text)),
        Value::Number(number) => format!("request.set_{name}({number})\n"),
        Value::Flag(flag) => format!("request.set_{name}({})\n", if *flag { "True" } else { "False" }),
        Value::Texts(texts) => {
            let texts: Vec<_> = texts.iter().map(|text| python(text)).collect();
            format!("request.set_{name}s([{}])\n", texts.join(", "))
        }
        Value::Structures(all) => {
            let member = |(name, text): &(&str, String)| format!("{}: {}", python(name), python(text));
            let one = |members: &Vec<(&str, String)>| members.iter().map(member).collect::<Vec<_>>().join(", ");
            let all: Vec<_> = all.iter().map(|members| format!("{{{}}}", one(members))).collect();
            format!("request.set_{name}s([{}])\n", all.join(", "))
        }
    }
}
