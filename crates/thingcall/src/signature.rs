//! `thingcall signature ...`: how a request is signed, and why a signature does not match.
//!
//! **Invariant:** secrets are used and never printed.

mod shown;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};
use thingcall_api::sign::Signer;
use thingcall_api::signing::{self, Ask, Explanation, PASTED_BYTES_MAX, Style, Verb, Verdict, With};
use thingcall_core::{AccessKey, Keys, Secret, UnixMillis};

use crate::addresses::Addresses;
use crate::config::Config;
use crate::exit::WrongUse;
use crate::output::{self, Output};
use crate::tool::Place;

/// What to do with signatures.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Say why the signature of a request matches or does not, and show the first difference
    #[command(after_help = "\
What can be pasted: a curl command, a whole HTTP request, a signed URL, the answer or the error that says SignatureDoesNotMatch, or \
the string that was signed. Below a request or an answer may stand the string that your code signed: it is held against the server's.

The key is the store's, by the id that the request says; or the secret of --key-secret, which is best in THINGCALL_KEY_SECRET. It is not \
printed, and neither is any signature that was not given.

Exit status: 0 if the signature is right, whatever the request's age, else 1; 2 if nothing in it can be explained.

Examples:
  thingcall signature explain request.txt
  pbpaste | thingcall signature explain
  thingcall signature explain --json < error.txt | jq -r '.findings[0].what'")]
    Explain(Explain),
    /// Sign a request and show each step: canonical request, string to sign, signature, and the command that sends it
    #[command(after_help = "\
Without a key, the first enabled key of the store in --data is used. What is printed holds the signature and not the secret.

Examples:
  thingcall signature steps GetDeviceStatus ProductKey=a1BwAGVxxxx DeviceName=lamp1
  thingcall signature steps InvokeThingService --style v1 --method GET IotId=Q7uOhVRdZRRlDnTLv00100 Identifier=Set 'Args={}'")]
    Steps(Steps),
}

/// Which key signs.
#[derive(Debug, clap::Args)]
struct KeyFlags {
    /// The access key's id
    #[arg(long, value_name = "ID", env = "THINGCALL_KEY_ID")]
    key_id: Option<String>,
    /// The access key's secret
    #[arg(long, value_name = "S", env = "THINGCALL_KEY_SECRET", hide_env_values = true)]
    key_secret: Option<String>,
}

/// What to explain.
#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// What was pasted [default: standard input]
    file: Option<PathBuf>,
    #[command(flatten)]
    key: KeyFlags,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// What to sign.
#[derive(Debug, clap::Args)]
pub(crate) struct Steps {
    /// The action, such as InvokeThingService
    action: String,
    /// The action's own parameters
    #[arg(value_name = "NAME=VALUE", value_parser = pair)]
    params: Vec<(String, String)>,
    /// acs3: ACS3-HMAC-SHA256 by headers; v1: HMAC-SHA1 by parameters
    #[arg(long, value_name = "acs3|v1", default_value = "acs3", value_parser = style)]
    style: Style,
    /// By which method it is sent
    #[arg(long, value_name = "GET|POST", default_value = "POST", value_parser = verb)]
    method: Verb,
    /// The server [default: the one of the data folder]
    #[arg(long, env = "THINGCALL_URL")]
    url: Option<String>,
    #[command(flatten)]
    key: KeyFlags,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "write NAME=VALUE".to_owned())
}

fn style(text: &str) -> Result<Style, String> {
    match text {
        "acs3" => Ok(Style::Acs3),
        "v1" => Ok(Style::V1),
        _ => Err("it is acs3 or v1".to_owned()),
    }
}

fn verb(text: &str) -> Result<Verb, String> {
    match text {
        "GET" => Ok(Verb::Get),
        "POST" => Ok(Verb::Post),
        _ => Err("it is GET or POST".to_owned()),
    }
}

/// Runs `thingcall signature ...`.
///
/// # Errors
/// Why it failed.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Explain(explain) => explain.run().await,
        Command::Steps(steps) => steps.run().await,
    }
}

/// One key, whose secret was given by hand.
struct One {
    id: Option<String>,
    secret: Secret,
}

impl Keys for One {
    fn key(&self, id: &str) -> Option<Arc<AccessKey>> {
        let is_it = self.id.as_deref().is_none_or(|own| own == id);
        let key = || AccessKey {
            id: id.to_owned(),
            secret: self.secret.clone(),
            account: String::new(),
            enabled: true,
            security_token: None,
            result: None,
            allow: None,
            temporary: None,
        };
        is_it.then(|| Arc::new(key()))
    }
}

impl Explain {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let text = pasted(self.file.as_ref())?;
        let config = self.place.configuration()?;
        let explanation = if let Some(secret) = &self.key.key_secret {
            let one = One { id: self.key.key_id.clone(), secret: Secret::new(secret) };
            explained(&text, (&one, &[]), &config)
        } else {
            let store = self.place.open_existing().await?;
            let explanation = explained(&text, (&*store, &store.keys()), &config);
            store.close().await;
            explanation
        };
        let explanation = explanation.map_err(WrongUse)?;
        if self.output.json {
            output::object(shown::as_json(&explanation));
        } else {
            shown::print(&explanation);
        }
        Ok(match explanation.verdict {
            Verdict::Right => ExitCode::SUCCESS,
            Verdict::Wrong | Verdict::Unknown => ExitCode::FAILURE,
        })
    }
}

/// What was pasted; of more than is read, enough to say so.
fn pasted(file: Option<&PathBuf>) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    let max = PASTED_BYTES_MAX as u64 + 1;
    match file.filter(|file| file.as_os_str() != "-") {
        Some(file) => {
            let opened = std::fs::File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
            opened.take(max).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", file.display()))?;
        }
        None => {
            std::io::stdin().lock().take(max).read_to_end(&mut bytes).context("cannot read standard input")?;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Explains what was pasted with these keys.
fn explained(text: &str, keys: (&dyn Keys, &[Arc<AccessKey>]), config: &Config) -> Result<Explanation, String> {
    let hosts = hosts(config);
    let (keys, others) = keys;
    let with = With { keys, others, now: UnixMillis::now(), skew: config.api.clock_skew, hosts: &hosts };
    signing::explain(text, &with).map_err(|why| why.english)
}

/// Under which names callers of this machine know the server.
pub(crate) fn hosts(config: &Config) -> Vec<String> {
    let mut all = vec![config.api.listen];
    // A server that runs may listen elsewhere than at the port that is configured, such as 0.
    all.extend(Addresses::of_server(&config.data).ok().flatten().map(|running| running.api));
    all.into_iter().flat_map(|address| [address.to_string(), format!("localhost:{}", address.port())]).collect()
}

impl Steps {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let signer = match (&self.key.key_id, &self.key.key_secret) {
            (Some(id), Some(secret)) => {
                Signer { key_id: id.clone(), secret: Secret::new(secret), security_token: None }
            }
            (None, None) => self.place.signer().await?,
            (Some(_), None) => {
                return Err(WrongUse("--key-id needs --key-secret, or THINGCALL_KEY_SECRET".to_owned()).into());
            }
            (None, Some(_)) => {
                return Err(WrongUse("--key-secret needs --key-id, or THINGCALL_KEY_ID".to_owned()).into());
            }
        };
        let url = match &self.url {
            Some(url) => url.clone(),
            None => self.server()?,
        };
        let params: Vec<_> = self.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).context("the system has no random bytes")?;
        let signed = signing::steps(&Ask {
            endpoint: &url,
            action: &self.action,
            params: &params,
            style: self.style,
            verb: self.method,
            signer: &signer,
            at: UnixMillis::now(),
            nonce: &hex::encode(nonce),
        });
        let signed = signed.map_err(|why| WrongUse(why.english))?;
        if self.output.json {
            let headers: serde_json::Map<String, Value> =
                signed.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            output::object(json!({
                "steps": signed.steps, "method": signed.method, "url": signed.url, "headers": headers, "body": signed.body,
                "curl": signed.curl,
            }));
        } else {
            shown::steps(&signed.steps);
            shown::step("command", &signed.curl);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The server of the data folder, whether or not it runs.
    fn server(&self) -> anyhow::Result<String> {
        let config = self.place.configuration()?;
        let running = Addresses::of_server(&config.data).ok().flatten();
        let addresses = running.unwrap_or_else(|| Addresses::configured(&config));
        Ok(addresses.reached().api_url())
    }
}

#[cfg(test)]
mod tests {
    //! A secret by hand is of the key that is meant.

    use super::*;

    #[test]
    fn a_secret_by_hand_is_of_one_key_where_that_is_said() {
        let any = One { id: None, secret: Secret::new("s") };
        assert_eq!(any.key("a").map(|key| key.id.clone()).as_deref(), Some("a"));
        let one = One { id: Some("a".to_owned()), secret: Secret::new("s") };
        assert!(one.key("a").is_some() && one.key("b").is_none());
    }

    #[test]
    fn parameters_have_names() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("=b").is_err() && pair("a").is_err());
    }
}
