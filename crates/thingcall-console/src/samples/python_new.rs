//! Python with `alibabacloud-iot20180120`.

use super::literal::python;
use super::{Ask, CONNECT_SECONDS, READ_SECONDS, is_of_the_platform, lines};
use crate::given::{Given, Value};

/// The code.
pub(super) fn code(ask: &Ask<'_>) -> String {
    if is_of_the_platform(ask.action) { by_class(ask) } else { by_name(ask) }
}

fn client(ask: &Ask<'_>) -> String {
    format!(
        r#"config = Config(
    access_key_id=os.environ["ALIBABA_CLOUD_ACCESS_KEY_ID"],
    access_key_secret=os.environ["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
    security_token=os.environ.get("ALIBABA_CLOUD_SECURITY_TOKEN"),
    endpoint={},
    protocol="HTTP",
    connect_timeout={},
    read_timeout={},
)
client = Client(config)
"#,
        python(ask.endpoint),
        CONNECT_SECONDS * 1000,
        READ_SECONDS * 1000,
    )
}

/// By the SDK's own class for the action.
fn by_class(ask: &Ask<'_>) -> String {
    let (action, method) = (ask.action, method(ask.action));
    let params: String = ask.params.iter().map(param).collect();
    format!(
        r#"import json
import os

from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config

# In milliseconds; a synchronous call may take 8 seconds.
{client}
request = models.{action}Request().from_map({{
{params}}})
response = client.{method}(request)
print(json.dumps(response.body.to_map(), indent=2, ensure_ascii=False))
"#,
        client = client(ask),
    )
}

fn param(given: &Given) -> String {
    let value = match &given.value {
        Value::Text(text) => python(text),
        Value::Number(number) => number.clone(),
        Value::Flag(flag) => if *flag { "True" } else { "False" }.to_owned(),
        Value::Texts(texts) => format!("[{}]", texts.iter().map(|text| python(text)).collect::<Vec<_>>().join(", ")),
        Value::Structures(all) => {
            let member = |(name, text): &(&str, String)| format!("{}: {}", python(name), python(text));
            let one = |members: &Vec<(&str, String)>| members.iter().map(member).collect::<Vec<_>>().join(", ");
            let all: Vec<_> = all.iter().map(|members| format!("{{{}}}", one(members))).collect();
            format!("[{}]", all.join(", "))
        }
    };
    format!("    {}: {value},\n", python(given.name))
}

/// What the SDK calls the action: `RRpc` is `rrpc` within a longer name, and `r_rpc` as a whole.
fn method(action: &str) -> String {
    let mut all = String::new();
    for (at, character) in action.char_indices() {
        if at > 0 && character.is_ascii_uppercase() {
            all.push('_');
        }
        all.push(character.to_ascii_lowercase());
    }
    if all == "r_rpc" { all } else { all.replace("_r_rpc", "_rrpc") }
}

/// By the action's name alone: the platform does not have it, so no class is there.
fn by_name(ask: &Ask<'_>) -> String {
    format!(
        r#"import json
import os

from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.models import Config, OpenApiRequest, Params
from alibabacloud_tea_util.models import RuntimeOptions

# In milliseconds; a synchronous call may take 8 seconds.
{client}
params = Params(
    action="{action}",
    version="2018-01-20",
    protocol="HTTP",
    pathname="/",
    method="POST",
    auth_type="AK",
    style="RPC",
    req_body_type="formData",
    body_type="json",
)
request = OpenApiRequest(query={{
{query}}})
response = client.call_api(params, request, RuntimeOptions())
print(json.dumps(response["body"], indent=2, ensure_ascii=False))
"#,
        client = client(ask),
        action = ask.action,
        query = lines(ask, |name, text| format!("    {}: {},\n", python(name), python(text))),
    )
}
