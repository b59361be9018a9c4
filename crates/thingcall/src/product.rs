//! `thingcall product ...`: products and their thing models, in the store.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};
use thingcall_core::{ProductKey, SyncTopic};
use thingcall_store::OpenError;
use thingcall_tsl::{
    ArgsCheck, DataFormat, Directory, Edited, NewProduct, Pacing, Product, ProductNotes, ProductSettings, RawAnswers,
    Registry, ReplyCheck, ThingModel, Validation,
};

use crate::changes::{Changes, difference};
use crate::device;
use crate::exit::WrongUse;
use crate::models::Files;
use crate::output::{self, Output, day, moment};
use crate::settings;
use crate::tool::{self, Place, word};

mod registration;

/// What to do with products.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Create a product from its thing model, or give an existing product a new model
    #[command(after_help = "Examples:\n  thingcall product import model.json testFb.json\n  thingcall product import \
        --key a1BwAGVxxxx --name lamp model.json\n\nMAIN.json is the file of the default module, the others are those \
        of custom modules (they have a functionBlockId), as the console exports them. An import over a product replaces its whole model and says what is added, changed and \
        removed. The product key is --key, else \
        the one in MAIN.json, else a new one.")]
    Import(Import),
    /// List all products
    List {
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// Show a product and its services
    Show {
        /// The product's key
        #[arg(value_name = "PRODUCTKEY")]
        key: ProductKey,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// Forget a product that has no devices, its model and its subscription
    Remove {
        /// The product's key
        #[arg(value_name = "PRODUCTKEY")]
        key: ProductKey,
        #[command(flatten)]
        place: Place,
    },
    /// Whether its devices may come for their secrets (dynamic registration), and the secret they prove then
    #[command(
        after_help = "Examples:\n  thingcall product registration a1BwAGVxxxx any\n  thingcall product registration \
        a1BwAGVxxxx off\n\nA device proves its product's secret once and is told its own, over MQTT at the embedded broker \
        or by POST /auth/register/device at the API; once it has logged in with it, it is told no more."
    )]
    Registration(registration::Args),
}

/// What makes or changes a product.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The product's key
    #[arg(long, value_name = "PRODUCTKEY")]
    key: Option<ProductKey>,
    /// The product's name, for people [default: the file's name]
    #[arg(long)]
    name: Option<String>,
    /// Whether calls are checked against the model; `free` products are always called asynchronously
    #[arg(long, value_name = "model|free", value_parser = word::<Validation>)]
    validation: Option<Validation>,
    /// How exact arguments must be: `weak` lets inputs be left out and mends single quotes, bare keys and 10.0 for 10;
    /// `strict` refuses all of these
    #[arg(long, value_name = "strict|weak", value_parser = word::<ArgsCheck>)]
    args_check: Option<ArgsCheck>,
    /// What happens to a reply that does not fit the model; `reject` also rejects one that had to be mended to be read
    #[arg(long, value_name = "off|warn|reject", value_parser = word::<ReplyCheck>)]
    reply_check: Option<ReplyCheck>,
    /// What the devices speak: `alink` JSON, or bytes of their own that a plugin translates (`custom`)
    #[arg(long, value_name = "alink|custom", value_parser = word::<DataFormat>)]
    data_format: Option<DataFormat>,
    /// How answers in a device's own bytes find their calls: `by_id`, or, where they hold no id, `in_order`: one
    /// asynchronous command at a time for each device, and an answer is for the oldest
    #[arg(long, value_name = "by_id|in_order", value_parser = word::<RawAnswers>)]
    raw_answers: Option<RawAnswers>,
    /// Where devices take synchronous calls, if their broker is an external one
    #[arg(long, value_name = "ext|rrpc|service", value_parser = word::<SyncTopic>)]
    sync_topic: Option<SyncTopic>,
    /// When a device's next call leaves: at once, after the acknowledgement of the one before, or after its answer
    #[arg(long, value_name = "all_at_once|after_ack|after_answer", value_parser = word::<Pacing>)]
    pacing: Option<Pacing>,
    /// The transport that serves its devices: embedded, mqtt, amqp, the name of a further broker, or `auto` for the one
    /// that each device came from
    #[arg(long, value_name = "NAME|auto", value_parser = device::transport)]
    transport: Option<device::Transport>,
    /// Replace the product's model even if it loses services or modules
    #[arg(long)]
    replace: bool,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The thing model's files: the default module first, then custom modules
    #[arg(value_name = "MODEL.json", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall product ...`.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Import(import) => import.run().await,
        Command::List { output, place } => {
            let store = place.open_existing().await?;
            let heading = ["PRODUCT", "NAME", "ARGS", "SERVICES", "CREATED"];
            output::list(output, &store.products(), |product| summary(product), &heading, |product| row(product));
            store.close().await;
            Ok(())
        }
        Command::Show { key, output, place } => {
            let store = place.open_existing().await?;
            let product = store.product(&key).with_context(|| format!("product {key} does not exist"))?;
            let devices = store.count_devices(&key).await?;
            show(&product, devices, output);
            store.close().await;
            Ok(())
        }
        Command::Remove { key, place } => {
            let store = place.open_existing().await?;
            store.remove_product(&key).await?;
            tool::known(&store).await;
            output::note(format_args!("{key} is removed"));
            store.close().await;
            Ok(())
        }
        Command::Registration(args) => registration::run(args).await,
    }
}

impl Import {
    async fn run(self) -> anyhow::Result<()> {
        let files = Files::read(&self.files)?;
        let (model, warnings) = files.parse()?;
        warnings.iter().for_each(|warning| output::note(format_args!("warning: {warning}")));
        let key = self.key.clone().or_else(|| files.product_key());
        if self.dry_run {
            return self.rehearse(key, &files.name(), &model).await;
        }
        let store = self.place.open().await?;
        let existing = key.as_ref().and_then(|key| store.product(key));
        let old = existing.as_ref().and_then(|product| product.model.as_deref());
        let changes = old.map(|old| Changes::between(old, &model));
        if let Some(changes) = &changes {
            self.may_lose(changes)?;
        }
        let name = self.name.clone().unwrap_or_else(|| files.name());
        let key = match existing {
            Some(product) => {
                let mut settings = |product: &Product| {
                    let settings = self.settings(product.settings);
                    (settings != product.settings).then_some(Edited::Settings(settings))
                };
                store.edit_product(&product.key, &mut settings).await?;
                product.key.clone()
            }
            None => {
                let settings = self.settings(ProductSettings::default());
                store
                    .create_product(NewProduct { key, name, notes: ProductNotes::default(), settings })
                    .await?
                    .key
                    .clone()
            }
        };
        store.set_model(&key, model).await?;
        tool::known(&store).await;
        let product = store.product(&key).context("the product is gone again")?;
        self.tell(Some(&key), &product.name, changes.as_ref());
        store.close().await;
        Ok(())
    }

    /// Says what would change, also where there is no store yet. What would be refused is said, too.
    async fn rehearse(&self, key: Option<ProductKey>, named: &str, model: &ThingModel) -> anyhow::Result<()> {
        let store = match self.place.open_existing().await {
            Ok(store) => Some(store),
            Err(error) if matches!(error.downcast_ref(), Some(OpenError::Missing { .. })) => None,
            Err(error) => return Err(error),
        };
        let existing = key.as_ref().and_then(|key| store.as_ref()?.product(key));
        let old = existing.as_ref().and_then(|product| product.model.as_deref());
        let changes = old.map(|old| Changes::between(old, model));
        if let Some(old) = old.filter(|_| !self.output.json) {
            for found in difference::between(Some(old), model).iter().filter(|found| found.breaks.is_some()) {
                output::note(format_args!("whoever relies on it is broken: {found}"));
            }
        }
        let name = self.name.clone().unwrap_or_else(|| named.to_owned());
        let (key, name) = existing.map_or((key, name), |product| (Some(product.key.clone()), product.name.clone()));
        self.tell(key.as_ref(), &name, changes.as_ref());
        if let Some(Err(refused)) = changes.as_ref().map(|changes| self.may_lose(changes)) {
            output::note(format_args!("without --dry-run this is refused: {refused}"));
        }
        if let Some(store) = store {
            store.close().await;
        }
        Ok(())
    }

    /// Refuses to lose services and modules unless that is wanted.
    fn may_lose(&self, changes: &Changes) -> Result<(), WrongUse> {
        let lost = changes.lost();
        if lost.is_empty() || self.replace {
            return Ok(());
        }
        Err(WrongUse(format!(
            "the product would lose {}; nothing was changed. Give the files of all its modules, or --replace if that is \
             meant (--dry-run tells all that would change)",
            lost.join(", ")
        )))
    }

    /// The product, and what changes in its model.
    fn tell(&self, key: Option<&ProductKey>, name: &str, changes: Option<&Changes>) {
        let list = |of: fn(&Changes) -> &Vec<String>| match changes.map(of) {
            None => Value::Null,
            Some(names) if names.is_empty() => Value::Null,
            Some(names) if self.output.json => json!(names),
            Some(names) => json!(names.join(", ")),
        };
        let key = key.map_or(Value::Null, |key| json!(key.as_str()));
        let members = [
            ("productKey", key),
            ("name", json!(name)),
            ("added", list(|changes| &changes.added)),
            ("changed", list(|changes| &changes.changed)),
            ("removed", list(|changes| &changes.removed)),
            ("dryRun", if self.dry_run { json!(true) } else { Value::Null }),
        ];
        output::one(self.output, &members);
    }

    fn settings(&self, mut settings: ProductSettings) -> ProductSettings {
        settings.validation = self.validation.unwrap_or(settings.validation);
        settings.args_check = self.args_check.unwrap_or(settings.args_check);
        settings.reply_check = self.reply_check.unwrap_or(settings.reply_check);
        settings.data_format = self.data_format.unwrap_or(settings.data_format);
        settings.raw_answers = self.raw_answers.unwrap_or(settings.raw_answers);
        settings.sync_topic = self.sync_topic.or(settings.sync_topic);
        settings.pacing = self.pacing.unwrap_or(settings.pacing);
        settings.transport = self.transport.map_or(settings.transport, |device::Transport(transport)| transport);
        settings
    }
}

/// A service's identifier and whether its caller waits.
fn services(model: Option<&Arc<ThingModel>>) -> Vec<(String, &'static str)> {
    model.map_or_else(Vec::new, |model| {
        model.services().map(|(id, service)| (id.to_string(), service.call_type().as_str())).collect()
    })
}

fn summary(product: &Product) -> Value {
    let services: Vec<_> = services(product.model.as_ref())
        .into_iter()
        .map(|(identifier, call_type)| json!({ "identifier": identifier, "callType": call_type }))
        .collect();
    json!({
        "productKey": product.key.as_str(),
        "name": product.name,
        "settings": settings::as_json(product.settings),
        "services": services,
        "createdAt": moment(product.created_at),
    })
}

/// Arguments that fit, for each service.
fn with_samples(mut summary: Value, product: &Product) -> Value {
    let services = summary.get_mut("services").and_then(Value::as_array_mut).into_iter().flatten();
    let models = product.model.iter().flat_map(|model| model.services());
    for (told, (_, service)) in services.zip(models) {
        if let Value::Object(told) = told {
            let args = service.sample_args();
            told.insert("sampleArgs".to_owned(), serde_json::from_str(&args).unwrap_or(Value::String(args)));
        }
    }
    summary
}

fn row(product: &Product) -> Vec<String> {
    let services = services(product.model.as_ref()).into_iter().map(|(identifier, _)| identifier).collect::<Vec<_>>();
    let args = json!(product.settings.args_check).as_str().unwrap_or_default().to_owned();
    vec![product.key.to_string(), product.name.clone(), args, services.join(" "), day(product.created_at)]
}

fn show(product: &Product, devices: u64, output: Output) {
    if output.json {
        let mut shown = with_samples(summary(product), product);
        if let Value::Object(members) = &mut shown {
            members.insert("devices".to_owned(), json!(devices));
        }
        return output::object(shown);
    }
    let settings = settings::as_json(product.settings);
    let setting = |name| settings.get(name).cloned().unwrap_or_default();
    let members = [
        ("product", json!(product.key.as_str())),
        ("name", json!(product.name)),
        ("created", json!(moment(product.created_at))),
        ("devices", json!(devices)),
        ("validation", setting("validation")),
        ("args check", setting("argsCheck")),
        ("reply check", setting("replyCheck")),
        ("data format", setting("dataFormat")),
        ("raw answers", setting("rawAnswers")),
        ("sync topic", setting("syncTopic")),
        ("pacing", setting("pacing")),
        ("transport", setting("transport")),
        ("registration", setting("registration")),
    ];
    output::one(output, &members);
    let Some(model) = &product.model else {
        return output::line("no thing model yet: thingcall product import --key PRODUCTKEY MODEL.json");
    };
    output::line("\nservices, each with arguments that fit:");
    for (id, service) in model.services() {
        output::line(format_args!("  {id}  {}\n      {}", service.call_type().as_str(), service.sample_args()));
    }
}
