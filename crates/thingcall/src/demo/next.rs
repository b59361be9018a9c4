//! What to try while the demonstration goes on: lines that work as they are printed.

use std::path::Path;

use thingcall_api::sign;
use thingcall_core::{AccessKey, UnixMillis};

use super::{PRODUCT, WITH_EXT, WITHOUT_EXT, signer};
use crate::output::{self, Paint};
use crate::server::Server;

/// Prints what to try next.
pub(super) fn print(paint: Paint, server: &Server, key: &AccessKey, folder: &Path) {
    let api = server.addresses.api;
    let program = std::env::current_exe().map_or_else(|_| "thingcall".to_owned(), |path| path.display().to_string());
    let data = folder.join("data");
    output::line(format_args!("\n{}", paint.bold("The server goes on until Ctrl-C. Try, in another terminal:")));

    let section = |title: &str| output::line(format_args!("\n{}", paint.bold(title)));
    section("With this program");
    output::line(format_args!(
        "{program} call {PRODUCT}/{WITHOUT_EXT} testFb:testService '{{\"param1\":7}}' --data {}",
        data.display()
    ));
    output::line(format_args!("{program} device list --data {}", data.display()));

    section("With curl (signed now: it works once, and within 15 minutes)");
    output::line(format_args!("curl 'http://{api}/?{}'", curl_query(key)));
    output::line(format_args!("curl http://{}/metrics", server.addresses.metrics));

    section("With Python alone (signs by itself, works any number of times), and a key of its own");
    output::line(format_args!("export KEY=$({program} key add --data {} --json)", data.display()));
    output::line(python(&api.to_string()));

    section("With Alibaba's Python SDK, unmodified: pip install alibabacloud-iot20180120");
    output::line(format_args!("export KEY=$({program} key add --data {} --json)", data.display()));
    output::line(python_sdk(&api.to_string()));

    section("A device of your own");
    output::line(format_args!("{program} device add --product {PRODUCT} --name mine --data {}", data.display()));
    output::line(format_args!("{program} device simulate {PRODUCT}/mine --data {}", data.display()));
}

fn curl_query(key: &AccessKey) -> String {
    let params =
        [("ProductKey", PRODUCT), ("DeviceName", WITH_EXT), ("Identifier", "Measure"), ("Args", r#"{"channel":1}"#)];
    sign::v1_request("GET", "InvokeThingService", &params, &signer(key), UnixMillis::now())
}

/// The older signature in the standard library's words; the shortest that works as it is pasted.
fn python(api: &str) -> String {
    format!(
        r#"python3 - <<'END'
import base64, hmac, json, os, time, urllib.parse, urllib.request, uuid
key = json.loads(os.environ["KEY"])
quote = lambda text: urllib.parse.quote(text, safe="-_.~")
params = {{"Action": "InvokeThingService", "Version": "2018-01-20", "Format": "JSON", "AccessKeyId": key["accessKeyId"],
          "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": str(uuid.uuid4()),
          "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
          "ProductKey": "{PRODUCT}", "DeviceName": "{WITH_EXT}", "Identifier": "Measure", "Args": '{{"channel":2}}'}}
query = "&".join(f"{{quote(name)}}={{quote(value)}}" for name, value in sorted(params.items()))
mac = hmac.new((key["accessKeySecret"] + "&").encode(), ("GET&%2F&" + quote(query)).encode(), "sha1")
query += "&Signature=" + quote(base64.b64encode(mac.digest()).decode())
print(urllib.request.urlopen("http://{api}/?" + query).read().decode())
END"#
    )
}

fn python_sdk(api: &str) -> String {
    format!(
        r#"python3 - <<'END'
import json, os
from alibabacloud_iot20180120.client import Client
from alibabacloud_iot20180120.models import InvokeThingServiceRequest
from alibabacloud_tea_openapi.models import Config
key = json.loads(os.environ["KEY"])
client = Client(Config(access_key_id=key["accessKeyId"], access_key_secret=key["accessKeySecret"],
      endpoint="{api}", protocol="HTTP"))
print(client.invoke_thing_service(InvokeThingServiceRequest(product_key="{PRODUCT}", device_name="{WITHOUT_EXT}",
      identifier="testFb:testService", args='{{"param1":1}}')).body)
END"#
    )
}
