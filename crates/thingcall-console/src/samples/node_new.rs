//! Node with `@alicloud/iot20180120`.

use super::literal::javascript;
use super::{Ask, READ_SECONDS, is_of_the_platform, lines};
use crate::given::{Given, Value};

/// Actions that its newest version has no class for.
const NO_CLASS: &[&str] = &["AsyncRRpc"];
/// Parameters that its classes would drop without a word.
const DROPPED: &[&str] = &["ContentType", "MessageExpiryInterval", "PayloadFormatIndicator"];

/// The code.
pub(super) fn code(ask: &Ask<'_>) -> String {
    // Pub alone has it.
    let drops = |given: &Given| DROPPED.contains(&given.name) || given.name == "Qos" && ask.action != "Pub";
    if is_of_the_platform(ask.action) && !NO_CLASS.contains(&ask.action) && !ask.params.iter().any(drops) {
        by_class(ask)
    } else {
        by_name(ask)
    }
}

fn client(ask: &Ask<'_>) -> String {
    format!(
        r#"// The SDK gives up after 3 seconds by itself, and a synchronous call may take 8: both must be raised.
const client = new Iot.default(new OpenApi.Config({{
  accessKeyId: process.env.ALIBABA_CLOUD_ACCESS_KEY_ID,
  accessKeySecret: process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
  securityToken: process.env.ALIBABA_CLOUD_SECURITY_TOKEN,
  endpoint: {},
  protocol: "http",
  readTimeout: {wait},
  connectTimeout: {wait},
}}));
"#,
        javascript(ask.endpoint),
        wait = READ_SECONDS * 1000,
    )
}

/// By the SDK's own class for the action.
fn by_class(ask: &Ask<'_>) -> String {
    let action = ask.action;
    let params: String = ask.params.iter().map(|given| param(action, given)).collect();
    format!(
        r#"const Iot = require("@alicloud/iot20180120");
const OpenApi = require("@alicloud/openapi-client");

{client}
const request = new Iot.{action}Request({{
{params}}});
client.{method}(request).then(
  (response) => console.log(JSON.stringify(response.body.toMap(), null, 2)),
  (error) => {{
    console.error(error.code, error.message);
    process.exitCode = 1;
  }},
);
"#,
        client = client(ask),
        method = small(action),
    )
}

/// With a small letter first, as the SDK writes names.
fn small(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

fn param(action: &str, given: &Given) -> String {
    let value = match &given.value {
        Value::Text(text) => javascript(text),
        Value::Number(number) => number.clone(),
        Value::Flag(flag) => flag.to_string(),
        Value::Texts(texts) => {
            format!("[{}]", texts.iter().map(|text| javascript(text)).collect::<Vec<_>>().join(", "))
        }
        Value::Structures(all) => {
            let member = |(name, text): &(&str, String)| format!("{}: {}", small(name), javascript(text));
            let one = |members: &Vec<(&str, String)>| members.iter().map(member).collect::<Vec<_>>().join(", ");
            let class = format!("{action}Request{}", given.name);
            let all: Vec<_> = all.iter().map(|members| format!("new Iot.{class}({{ {} }})", one(members))).collect();
            format!("[{}]", all.join(", "))
        }
    };
    format!("  {}: {value},\n", small(given.name))
}

/// By the action's name alone.
fn by_name(ask: &Ask<'_>) -> String {
    format!(
        r#"const Iot = require("@alicloud/iot20180120");
const OpenApi = require("@alicloud/openapi-client");
const Util = require("@alicloud/tea-util");

{client}
// The SDK's classes do not have all of this.
const params = new OpenApi.Params({{
  action: "{action}",
  version: "2018-01-20",
  protocol: "HTTP",
  pathname: "/",
  method: "POST",
  authType: "AK",
  style: "RPC",
  reqBodyType: "formData",
  bodyType: "json",
}});
const request = new OpenApi.OpenApiRequest({{
  query: {{
{query}  }},
}});
client.callApi(params, request, new Util.RuntimeOptions({{}})).then(
  (response) => console.log(JSON.stringify(response.body, null, 2)),
  (error) => {{
    console.error(error.code, error.message);
    process.exitCode = 1;
  }},
);
"#,
        client = client(ask),
        action = ask.action,
        query = lines(ask, |name, text| format!("    {}: {},\n", javascript(name), javascript(text))),
    )
}
