//! `thingcall key ...`: access keys, in the store.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};
use thingcall_console::KeyChange;
use thingcall_core::{
    AUDIT_DONE, AccessKey, AllowList, AuditDoor, AuditEntry, AuditLog, Keys, ResultShape, Rule, Secret, UnixMillis,
    audit_target,
};
use thingcall_store::{KeyError, NewKey, NewTemporaryKey, Store};

use crate::output::{self, Output, moment, second};
use crate::tool::{self, Place, word};

/// How rules are written.
macro_rules! rules_help {
    ($examples:literal) => {
        concat!(
            "A rule allows actions about what it names: parts with semicolons between them, each with commas between its \
             patterns, in which * stands for any characters. actions=, or of all actions if it is left out; products= \
             (with all their devices), devices= (PRODUCTKEY/DEVICENAME) and groups= (ids of consumer groups), or about \
             everything if all three are left out. What no rule of a key allows is answered with Forbidden.RAM. Lists of \
             products need products=*, lists of groups groups=*. GET /events is the action StreamMessages, a consumer's \
             login ConsumeMessages.\n\nExamples:\n",
            $examples
        )
    };
}

const ADD_HELP: &str = rules_help!(
    "  thingcall key add --id partner1 --account partner --json\n  thingcall key add --id lamps --allow \
     'actions=Query*,Get*,InvokeThingService;products=a1B*;devices=pk/lamp*'"
);
const ALLOW_HELP: &str = rules_help!(
    "  thingcall key allow lamps 'actions=Query*,Get*' 'actions=InvokeThingService;devices=pk/lamp*'\n  thingcall key allow \
     lamps --everything"
);

const TEMPORARY_HELP: &str =
    rules_help!("  thingcall key temporary lamps --expires-in 1h --allow 'actions=InvokeThingService' --json");

/// What to do with access keys.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a key and print it; its secret is not shown again
    #[command(after_help = ADD_HELP)]
    Add(Add),
    /// Make a key of another one that ends by itself, and print it with its security token
    #[command(after_help = TEMPORARY_HELP)]
    Temporary(Temporary),
    /// Show a key, without its secret
    Show(One),
    /// Set what a key may do, in place of what it might do before
    #[command(after_help = ALLOW_HELP)]
    Allow(Allow),
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
    /// Forget a key, and the temporary keys that were made of it; there is no way back
    Remove(One),
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
    /// A rule that allows something; may be given several times [default: everything is allowed]
    #[arg(long, value_name = "RULE")]
    allow: Vec<Rule>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// What makes a temporary key.
#[derive(Debug, clap::Args)]
pub(crate) struct Temporary {
    /// The key it is made of: it is of that one's account, may do no more, and is disabled with it
    id: String,
    /// How long it lasts, such as 15m or 12h; 7 days at most
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    expires_in: Duration,
    /// A rule that allows something of what that key may do; may be given several times [default: all of it]
    #[arg(long, value_name = "RULE")]
    allow: Vec<Rule>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// What a key may do.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["rules", "everything"])))]
pub(crate) struct Allow {
    /// The key's id
    id: String,
    /// What it may do, and nothing else
    #[arg(value_name = "RULE")]
    rules: Vec<Rule>,
    /// It may do everything
    #[arg(long)]
    everything: bool,
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
            let json = |key: &Arc<AccessKey>| members(key).into_iter().collect();
            output::list(output, &store.keys(), json, &["KEY", "ACCOUNT", "STATE", "ENDS", "MAY"], |key| {
                let ends = key.temporary.as_ref().map(|temporary| second(temporary.ends_at)).unwrap_or_default();
                vec![key.id.clone(), key.account.clone(), state(key).to_owned(), ends, may(key)]
            });
            store.close().await;
            Ok(())
        }
        Command::Temporary(temporary) => temporary.run().await,
        Command::Show(one) => one.show().await,
        Command::Allow(allow) => allow.run().await,
        Command::Disable(one) => one.set_enabled(false).await,
        Command::Enable(one) => one.set_enabled(true).await,
        Command::Remove(one) => one.remove().await,
    }
}

/// All that is told of a key.
fn members(key: &AccessKey) -> Vec<(String, Value)> {
    let rules = key.allow.as_ref().map(|rules| rules.rules().iter().map(Rule::to_string).collect::<Vec<_>>());
    [
        ("accessKeyId", json!(key.id)),
        ("account", json!(key.account)),
        ("enabled", json!(key.enabled)),
        ("state", json!(state(key))),
        ("result", json!(key.result)),
        ("allow", json!(rules)),
        ("of", json!(key.temporary.as_ref().map(|temporary| &temporary.of))),
        ("expiresAt", json!(key.temporary.as_ref().map(|temporary| moment(temporary.ends_at)))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn state(key: &AccessKey) -> &'static str {
    match key {
        key if key.has_ended(UnixMillis::now()) => "ended",
        key if key.enabled => "enabled",
        _ => "disabled",
    }
}

/// What it may do, in few words.
fn may(key: &AccessKey) -> String {
    match key.allow.as_ref().map(|rules| rules.rules()) {
        None => "everything".to_owned(),
        Some([]) => "nothing".to_owned(),
        Some([rule]) => rule.to_string(),
        Some(rules) => format!("{} rules", rules.len()),
    }
}

/// Does what the console asks for.
///
/// # Errors
/// Why it was not done.
pub(crate) async fn change(store: &Store, change: KeyChange) -> Result<Option<AccessKey>, KeyError> {
    match change {
        KeyChange::Create { id, account, allow } => {
            store.add_key(NewKey { id, account, allow, ..NewKey::default() }).await.map(Some)
        }
        KeyChange::CreateTemporary { of, lasts, allow } => {
            store.add_temporary_key(NewTemporaryKey { of, lasts, allow }).await.map(Some)
        }
        KeyChange::Rules { id, allow } => store.set_key_allow(&id, allow.as_ref()).await.map(|()| None),
        KeyChange::Enable(id) => store.set_key_enabled(&id, true).await.map(|()| None),
        KeyChange::Disable(id) => store.set_key_enabled(&id, false).await.map(|()| None),
        KeyChange::Remove(id) => store.remove_key(&id).await.map(|()| None),
    }
}

/// What rules may be of.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    thingcall_api::action_names().chain(thingcall_console::ROLES)
}

/// Notes a change in the audit log.
async fn noted<T>(store: &Store, action: &str, id: &str, done: Result<T, KeyError>) -> Result<T, KeyError> {
    store.audit(AuditEntry {
        at: UnixMillis::now(),
        door: AuditDoor::Command,
        key: None,
        action: action.to_owned(),
        target: audit_target([("AccessKeyId", id)].into_iter()),
        outcome: done.as_ref().err().map_or(AUDIT_DONE, KeyError::word).to_owned(),
        address: None,
    });
    store.write_audit().await;
    done
}

/// Says, of rules that are set, which patterns name no action that is here: they may be of a newer server, or misspelt.
fn look_over(key: &str, rules: &AllowList) {
    for pattern in rules.rules().iter().flat_map(|rule| rule.useless_actions(names)) {
        output::note(format_args!(
            "thingcall: key {key} has these rules now, but no action here is called {pattern}, so that allows nothing"
        ));
    }
}

/// Says, of a temporary key, which of its rules name no action that the key may do that it was made of.
fn look_within(key: &str, (of, outer): (&str, &Arc<AllowList>), rules: &AllowList) {
    let useless = rules.rules().iter().filter(|rule| {
        let one = AllowList::new(vec![(*rule).clone()]);
        one.is_ok_and(|one| !names().any(|action| one.within(outer.clone()).may(action)))
    });
    for rule in useless {
        output::note(format_args!(
            "thingcall: temporary key {key} was made; of its rules '{rule}' allows nothing: {of} may do none of these actions"
        ));
    }
}

impl One {
    async fn show(self) -> anyhow::Result<()> {
        let store = self.place.open_existing().await?;
        let key = store.key(&self.id);
        store.close().await;
        let Some(key) = key else { bail!("access key {} does not exist", self.id) };
        let members = members(&key);
        output::one(
            self.output,
            &members.iter().map(|(name, value)| (name.as_str(), value.clone())).collect::<Vec<_>>(),
        );
        Ok(())
    }

    async fn remove(self) -> anyhow::Result<()> {
        let store = self.place.open_existing().await?;
        noted(&store, "RemoveAccessKey", &self.id, store.remove_key(&self.id).await).await?;
        tool::known(&store).await;
        output::one(self.output, &[("accessKeyId", json!(self.id)), ("removed", json!(true))]);
        store.close().await;
        Ok(())
    }

    async fn set_enabled(self, enabled: bool) -> anyhow::Result<()> {
        let store = self.place.open_existing().await?;
        let action = if enabled { "EnableAccessKey" } else { "DisableAccessKey" };
        noted(&store, action, &self.id, store.set_key_enabled(&self.id, enabled).await).await?;
        tool::known(&store).await;
        output::one(self.output, &[("accessKeyId", json!(self.id)), ("enabled", json!(enabled))]);
        let of = store.key(&self.id).and_then(|key| store.key(&key.temporary.as_ref()?.of));
        if let Some(of) = of.filter(|of| enabled && !of.enabled) {
            output::note(format_args!(
                "{} is of {}, which is disabled: neither is taken before that is enabled",
                self.id, of.id
            ));
        }
        store.close().await;
        Ok(())
    }
}

impl Temporary {
    async fn run(self) -> anyhow::Result<()> {
        let allow = if self.allow.is_empty() { None } else { Some(AllowList::new(self.allow)?) };
        let store = self.place.open_existing().await?;
        let outer = store.key(&self.id).and_then(|of| of.allow.clone());
        let new = NewTemporaryKey { of: self.id.clone(), lasts: self.expires_in, allow: allow.clone() };
        let made = store.add_temporary_key(new).await;
        let id = made.as_ref().map_or("", |key| &key.id).to_owned();
        let key = noted(&store, "CreateTemporaryAccessKey", &id, made).await?;
        tool::known(&store).await;
        if let Some(rules) = &allow {
            look_over(&key.id, rules);
            outer.iter().for_each(|outer| look_within(&key.id, (&self.id, outer), rules));
        }
        let shown = [
            ("accessKeyId", json!(key.id)),
            ("accessKeySecret", json!(key.secret.expose())),
            ("securityToken", json!(key.security_token.as_ref().map(Secret::expose))),
            ("expiresAt", json!(key.temporary.as_ref().map(|temporary| moment(temporary.ends_at)))),
        ];
        output::one(self.output, &shown);
        store.close().await;
        Ok(())
    }
}

impl Allow {
    async fn run(self) -> anyhow::Result<()> {
        let allow = if self.everything { None } else { Some(AllowList::new(self.rules)?) };
        let store = self.place.open_existing().await?;
        let set = store.set_key_allow(&self.id, allow.as_ref()).await;
        noted(&store, "SetAccessKeyRules", &self.id, set).await?;
        tool::known(&store).await;
        allow.iter().for_each(|rules| look_over(&self.id, rules));
        let rules = allow.as_ref().map(|rules| rules.rules().iter().map(Rule::to_string).collect::<Vec<_>>());
        output::one(self.output, &[("accessKeyId", json!(self.id)), ("allow", json!(rules))]);
        store.close().await;
        Ok(())
    }
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let allow = if self.allow.is_empty() { None } else { Some(AllowList::new(self.allow)?) };
        let store = self.place.open().await?;
        let new = NewKey {
            id: self.id,
            secret: self.secret.as_deref().map(Secret::new),
            account: self.account,
            security_token: self.security_token.as_deref().map(Secret::new),
            result: self.result,
            allow: allow.clone(),
        };
        let given = new.id.clone().unwrap_or_default();
        let made = store.add_key(new).await;
        let id = made.as_ref().map_or(given, |key| key.id.clone());
        let key = noted(&store, "CreateAccessKey", &id, made).await?;
        tool::known(&store).await;
        allow.iter().for_each(|rules| look_over(&key.id, rules));
        output::one(self.output, &[("accessKeyId", json!(key.id)), ("accessKeySecret", json!(key.secret.expose()))]);
        store.close().await;
        Ok(())
    }
}
