//! `thingcall call`: one signed call of a service, to any server with the same API.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use thingcall_api::sign::Signer;
use thingcall_core::{DeviceRef, Secret};

use crate::addresses::Addresses;
use crate::client::{Body, Client, FrontAnswer};
use crate::exit::WrongUse;
use crate::fleet::{self, Fleet};
use crate::output::{self, Output};
use crate::tool::{Place, device_ref};
use crate::trust::Trust;

/// What to call, where and as whom.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "thingcall call [OPTIONS] DEVICE IDENTIFIER [ARGS]\n       thingcall call [OPTIONS] --all PRODUCTKEY IDENTIFIER \
        [ARGS]\n       thingcall call [OPTIONS] --devices FILE IDENTIFIER [ARGS]"
)]
#[command(after_help = "Examples:\n  thingcall call a1BwAGVxxxx/lamp1 Measure '{\"channel\":1}'\n  thingcall call \
    a1BwAGVxxxx/lamp1 testFb:testService '{\"param1\":1}' --json\n  thingcall call --all a1BwAGVxxxx \
    --rate 50/s --results results.jsonl Measure '{}'\n\nWithout a key, the first enabled key of the store \
    in --data is used: beside a running `thingcall serve` that is enough.\nWith a key and no folder, the server is \
    looked for at http://127.0.0.1:8080 too.\nExit status: 0 if the answer says \
    Success=true, else 1.")]
pub(crate) struct Args {
    /// DEVICE is PRODUCTKEY/DEVICENAME or an IotId, and is left out with --all and --devices; IDENTIFIER is the service,
    /// `service` or `module:service`; ARGS are its arguments, a JSON object [default: {}]
    #[arg(value_names = ["DEVICE", "IDENTIFIER", "ARGS"], num_args = 1..=3, required = true)]
    words: Vec<String>,
    #[command(flatten)]
    fleet: fleet::Flags,
    /// The server [default: the one of the data folder]
    #[arg(long, env = "THINGCALL_URL")]
    url: Option<String>,
    /// The access key's id
    #[arg(long, value_name = "ID", env = "THINGCALL_KEY_ID")]
    key_id: Option<String>,
    /// The access key's secret
    #[arg(long, value_name = "S", env = "THINGCALL_KEY_SECRET", hide_env_values = true)]
    key_secret: Option<String>,
    /// 1: an asynchronous call is kept for a device that is away
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=1))]
    qos: Option<u8>,
    /// The server's instance id, where it has one
    #[arg(long, value_name = "ID")]
    instance_id: Option<String>,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall call`.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.fleet.is_given() {
        return Box::pin(args.fleet().await?.run()).await;
    }
    let called = args.called()?;
    let (url, trust) = args.server()?;
    let mut client = Client::connect(&url, &trust, args.signer().await?).await?;
    let answered = client.ask("InvokeThingService", &params(&args, &called)).await?;
    let body = answered.body()?;
    if args.output.json {
        output::line(as_json(&answered, &body));
    } else {
        output::line(as_text(&answered, &body));
    }
    Ok(if body.success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What one call is of.
struct Called {
    device: DeviceRef,
    identifier: String,
    args: String,
}

impl Args {
    /// The call of one device.
    fn called(&self) -> Result<Called, WrongUse> {
        let [device, identifier, args @ ..] = self.words.as_slice() else {
            return Err(WrongUse("which service: thingcall call DEVICE IDENTIFIER [ARGS]".to_owned()));
        };
        let device = device_ref(device).map_err(|why| WrongUse(format!("DEVICE: {why}")))?;
        Ok(Called { device, identifier: identifier.clone(), args: one_of(args) })
    }

    /// The call of many.
    async fn fleet(&self) -> anyhow::Result<Fleet> {
        let (identifier, args) = match self.words.as_slice() {
            [identifier, args @ ..] if args.len() < 2 => (identifier.clone(), one_of(args)),
            _ => {
                let right =
                    "with --all or --devices there is no DEVICE: thingcall call --all PRODUCTKEY IDENTIFIER [ARGS]";
                return Err(WrongUse(right.to_owned()).into());
            }
        };
        let qos = self.qos.map(|qos| ("Qos", qos.to_string()));
        let (url, trust) = self.server()?;
        let instance = self.instance_id.clone().map(|id| ("IotInstanceId", id));
        Ok(Fleet {
            flags: self.fleet.clone(),
            identifier,
            args,
            params: qos.into_iter().chain(instance).collect(),
            url,
            trust,
            signer: self.signer().await?,
            place: self.place.clone(),
            output: self.output,
        })
    }

    /// Where it listens.
    fn server(&self) -> anyhow::Result<(String, Trust)> {
        if let Some(url) = &self.url {
            return Ok((url.clone(), self.trust.clone()));
        }
        let addresses = match self.place.server("--url URL") {
            // A key is of whatever server its owner has in mind, most often the one at the usual port.
            Err(_) if self.key_id.is_some() && !self.place.is_said() => {
                Addresses::configured(&self.place.configuration()?).reached()
            }
            found => found?,
        };
        let trust = self.trust.of_server(addresses.certificates.get("api"));
        Ok((addresses.api_url(), trust))
    }

    async fn signer(&self) -> anyhow::Result<Signer> {
        match (&self.key_id, &self.key_secret) {
            (Some(id), Some(secret)) => {
                Ok(Signer { key_id: id.clone(), secret: Secret::new(secret), security_token: None })
            }
            (None, None) => self.place.signer().await,
            (Some(_), None) => Err(WrongUse("--key-id needs --key-secret, or THINGCALL_KEY_SECRET".to_owned()).into()),
            (None, Some(_)) => Err(WrongUse("--key-secret needs --key-id, or THINGCALL_KEY_ID".to_owned()).into()),
        }
    }
}

impl Place {
    /// The first enabled key of the store.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) async fn signer(&self) -> anyhow::Result<Signer> {
        let missing =
            || WrongUse("no key to sign with; give --key-id and --key-secret, or --data with a store".to_owned());
        let store = self.open_existing().await?;
        let key = store.keys().into_iter().find(|key| key.enabled);
        store.close().await;
        let key = key.ok_or_else(missing)?;
        Ok(Signer { key_id: key.id.clone(), secret: key.secret.clone(), security_token: key.security_token.clone() })
    }
}

/// The arguments that are given, or none.
fn one_of(args: &[String]) -> String {
    args.first().map_or("{}", String::as_str).to_owned()
}

fn params<'a>(args: &'a Args, called: &'a Called) -> Vec<(&'static str, &'a str)> {
    let mut params = vec![("Identifier", called.identifier.as_str()), ("Args", called.args.as_str())];
    match &called.device {
        DeviceRef::Key(key) => {
            params.push(("ProductKey", key.product.as_str()));
            params.push(("DeviceName", key.name.as_str()));
        }
        DeviceRef::IotId(id) => params.push(("IotId", id.as_str())),
    }
    if let Some(qos) = args.qos {
        params.push(("Qos", if qos == 0 { "0" } else { "1" }));
    }
    if let Some(id) = &args.instance_id {
        params.push(("IotInstanceId", id));
    }
    params
}

/// Milliseconds with as many digits as tell something.
pub(crate) fn milliseconds(took: Duration) -> String {
    format!("{:.1} ms", took.as_secs_f64() * 1000.0)
}

fn as_text(answered: &FrontAnswer, body: &Body) -> String {
    let took = milliseconds(answered.took);
    if !body.success {
        let (code, words) = body.failure();
        return format!(
            "failed in {took} (HTTP {})\n  {code}\n  {words}\n  request {}",
            answered.status.as_u16(),
            body.request_id
        );
    }
    let data = body.data.clone().unwrap_or_default();
    let id = data.message_id.unwrap_or_default();
    match data.result {
        None => format!("accepted in {took}, asynchronously; message {id}\n  its result: thingcall explain {id}"),
        Some(result) => format!("answered in {took}, message {id}\n{}", indented(&result)),
    }
}

/// JSON, one member a line; other text as it is.
fn indented(text: &str) -> String {
    let value = serde_json::from_str::<Value>(text).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned())
}

fn as_json(answered: &FrontAnswer, body: &Body) -> Value {
    let data = body.data.clone().unwrap_or_default();
    let result = data.result.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
    let all = [
        ("success", json!(body.success)),
        ("httpStatus", json!(answered.status.as_u16())),
        ("code", json!(body.code)),
        ("errorMessage", json!(body.error_message.as_ref().or(body.message.as_ref()))),
        ("requestId", json!(body.request_id)),
        ("messageId", json!(data.message_id)),
        ("result", json!(result)),
        ("milliseconds", json!(answered.took.as_secs_f64() * 1000.0)),
    ];
    let present = all.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(present.map(|(name, value)| (name.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests;
