//! Node with `@alicloud/pop-core`.

use super::literal::javascript;
use super::{Ask, READ_SECONDS, lines};

/// The code.
pub(super) fn code(ask: &Ask<'_>) -> String {
    format!(
        r#"const Core = require("@alicloud/pop-core");

const client = new Core({{
  accessKeyId: process.env.ALIBABA_CLOUD_ACCESS_KEY_ID,
  accessKeySecret: process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
  securityToken: process.env.ALIBABA_CLOUD_SECURITY_TOKEN,
  endpoint: {endpoint},
  apiVersion: "2018-01-20",
}});

const params = {{
{params}}};
// The SDK gives up after 3 seconds by itself, and a synchronous call may take 8.
client.request("{action}", params, {{ method: "POST", timeout: {wait} }}).then(
  (body) => console.log(JSON.stringify(body, null, 2)),
  (error) => {{
    console.error(error.code, error.message);
    process.exitCode = 1;
  }},
);
"#,
        endpoint = javascript(&format!("http://{}", ask.endpoint)),
        action = ask.action,
        wait = READ_SECONDS * 1000,
        params = lines(ask, |name, text| format!("  {}: {},\n", javascript(name), javascript(text))),
    )
}
