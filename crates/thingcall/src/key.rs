//! `thingcall key ...`: access keys, in the store.

use serde_json::json;
use thingcall_core::{AccessKey, ResultShape, Secret};
use thingcall_store::NewKey;

use crate::output::{self, Output};
use crate::tool::{self, Place, word};

/// What to do with access keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key and print it; its secret is not shown again
    #[command(after_help = "Example:\n  thingcall key add --id partner1 --account partner --json")]
    Add(Add),
    /// List all keys, without their secrets
    List {
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// Refuse what is signed with this key from now on, and end its consumers' connections; `key enable` undoes it
    Disable(One),
    /// Take again what is signed with a key that was disabled
    Enable(One),
}

/// One key.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// The key's id
    id: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// What makes a key.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// Its id [default: a new one]
    #[arg(long)]
    id: Option<String>,
    /// Its secret [default: a random one]
    #[arg(long, env = "THINGCALL_KEY_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Whom it belongs to; the keys of an account share its quota
    #[arg(long, default_value = "default")]
    account: String,
    /// The STS token that every request with this key must carry
    #[arg(long, value_name = "TOKEN")]
    security_token: Option<String>,
    /// What `Result` holds for this key, where it differs from the server's
    #[arg(long, value_name = "envelope|data", value_parser = word::<ResultShape>)]
    result: Option<ResultShape>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall key ...`.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Add(add) => add.run().await,
        Command::List { output, place } => {
            let store = place.open_existing().await?;
            let json = |key: &std::sync::Arc<AccessKey>| json!({ "accessKeyId": key.id, "account": key.account, "enabled": key.enabled, "result": key.result });
            output::list(output, &store.keys(), json, &["KEY", "ACCOUNT", "STATE"], |key| {
                let state = if key.enabled { "enabled" } else { "disabled" };
                vec![key.id.clone(), key.account.clone(), state.to_owned()]
            });
            store.close().await;
            Ok(())
        }
        Command::Disable(one) => one.set_enabled(false).await,
        Command::Enable(one) => one.set_enabled(true).await,
    }
}

impl One {
    async fn set_enabled(self, enabled: bool) -> anyhow::Result<()> {
        let store = self.place.open_existing().await?;
        store.set_key_enabled(&self.id, enabled).await?;
        tool::known(&store).await;
        output::one(self.output, &[("accessKeyId", json!(self.id)), ("enabled", json!(enabled))]);
        store.close().await;
        Ok(())
    }
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let store = self.place.open().await?;
        let new = NewKey {
            id: self.id,
            secret: self.secret.as_deref().map(Secret::new),
            account: self.account,
            security_token: self.security_token.as_deref().map(Secret::new),
            result: self.result,
        };
        let key = store.add_key(new).await?;
        tool::known(&store).await;
        output::one(self.output, &[("accessKeyId", json!(key.id)), ("accessKeySecret", json!(key.secret.expose()))]);
        store.close().await;
        Ok(())
    }
}
