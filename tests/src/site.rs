//! A server with a product, an access key and, where wanted, a Mosquitto: what most tests begin with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use test_postgres::Database;

use crate::app::{Answer, App, Caller, Key, Sdk, Waiting};
use crate::disk::SmallDisk;
use crate::fixture;
use crate::http::HttpCall;
use crate::linkkit::{Behaviour, LinkkitDevice};
use crate::mosquitto::Mosquitto;
use crate::plugins::install;
use crate::program::{Options, Simulation, Thingcall, run_ok};
use crate::rabbitmq::{RabbitMq, RabbitUser, THINGCALL};
use crate::store::{database_of, goes_with};
use crate::wait::eventually;

/// The product that every site has: default module with sync `Measure` and async `SetScene`, module `testFb` with sync
/// `testService` and async `resetLater`.
pub const PRODUCT: &str = "a1BwAGVxxxx";

/// What a device connects with.
#[derive(Debug, Clone)]
pub struct DeviceSecrets {
    /// ProductKey.
    pub product: String,
    /// DeviceName.
    pub name: String,
    /// DeviceSecret.
    pub secret: String,
    /// IotId.
    pub iot_id: String,
}

/// A user that the gate of a site behind RabbitMQ lets do everything there.
pub const CONSUMER: RabbitUser<'static> = RabbitUser { name: "consumer", password: "consumer's" };

/// A server and what goes with it.
#[derive(Debug)]
pub struct Site {
    /// The server.
    pub program: Thingcall,
    /// The external broker, where there is one.
    pub mosquitto: Option<Mosquitto>,
    /// The external broker that asks the server who a device is, where there is one.
    pub rabbitmq: Option<RabbitMq>,
    /// The access key.
    pub key: Key,
    options: Options,
    _folder: TempDir,
}

/// What a site is started with.
#[derive(Debug, Default)]
struct Setup<'a> {
    mosquitto: Option<Mosquitto>,
    rabbitmq: Option<RabbitMq>,
    settings: &'a [(&'a str, &'a str)],
    toml: &'a str,
    plugins: &'a [&'a Path],
}

impl Setup<'_> {
    /// Those of its brokers, and the test's own, which win.
    fn all_settings(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        let mut set = |key: &str, value: &str| all.push((key.to_owned(), value.to_owned()));
        if let Some(mosquitto) = &self.mosquitto {
            set("BROKER__ENABLED", "false");
            set("MQTT__URL", &format!("mqtt://{}", mosquitto.address()));
        }
        if let Some(rabbitmq) = &self.rabbitmq {
            set("BROKER__ENABLED", "false");
            set("AMQP__URL", &format!("amqp://{}", rabbitmq.amqp()));
            set("AMQP__USERNAME", THINGCALL.name);
            set("AMQP__PASSWORD", THINGCALL.password);
            set("AMQP__MQTT_DEVICES", "true");
            set("AMQP__RESULTS_EXCHANGE", "thingcall.results");
            set("GATE__LISTEN", &rabbitmq.gate().to_string());
        }
        for (key, value) in self.settings {
            set(key, value);
        }
        all
    }
}

impl Site {
    /// A server with the embedded broker, and these settings.
    pub fn embedded(settings: &[(&str, &str)]) -> Self {
        Self::start(Setup { settings, ..Setup::default() })
    }

    /// Where its console listens.
    ///
    /// # Panics
    /// If there is none.
    pub fn console(&self) -> SocketAddr {
        self.program.addresses.console.expect("it has a console")
    }

    /// A server with the embedded broker, whose data are on a disk of this size.
    pub fn on_small_disk(mebibytes: u32) -> (Self, SmallDisk) {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let disk = SmallDisk::mount(&folder.path().join("data"), mebibytes);
        (Self::start_in(folder, Setup::default()), disk)
    }

    /// A server without it, and a Mosquitto.
    pub fn external(settings: &[(&str, &str)]) -> Self {
        Self::start(Setup { mosquitto: Some(Mosquitto::start()), settings, ..Setup::default() })
    }

    /// A server without it, and this Mosquitto.
    pub fn behind_mosquitto(mosquitto: Mosquitto, settings: &[(&str, &str)]) -> Self {
        Self::start(Setup { mosquitto: Some(mosquitto), settings, ..Setup::default() })
    }

    /// A server without it, and a RabbitMQ that asks its gate; devices of both kinds, results on an exchange.
    pub fn behind_rabbitmq(settings: &[(&str, &str)]) -> Self {
        Self::behind(RabbitMq::start(), settings)
    }

    /// The same with a RabbitMQ that runs already and asks the gate of nobody else.
    pub fn behind(rabbitmq: RabbitMq, settings: &[(&str, &str)]) -> Self {
        let RabbitUser { name, password } = CONSUMER;
        let toml = format!("[[gate.users]]\nname = \"{name}\"\nsecret = \"{password}\"\ntags = [\"monitoring\"]\n");
        let site = Self::start(Setup { rabbitmq: Some(rabbitmq), settings, toml: &toml, ..Setup::default() });
        site.is_ready();
        site
    }

    /// A server with the embedded broker, this configuration file, and these plugins in its folder.
    pub fn with_plugins(toml: &str, plugins: &[&Path]) -> Self {
        Self::start(Setup { toml, plugins, ..Setup::default() })
    }

    /// The same with a Mosquitto instead of the embedded broker.
    pub fn external_with_plugins(toml: &str, plugins: &[&Path]) -> Self {
        Self::start(Setup { mosquitto: Some(Mosquitto::start()), toml, plugins, ..Setup::default() })
    }

    /// A server that shares this database, and a Mosquitto, with those that [`Self::another`] starts.
    pub fn sharing(database: &Database, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        goes_with(&folder.path().join("data"), database);
        Self::start_in(folder, Setup { mosquitto: Some(Mosquitto::start()), settings, ..Setup::default() })
    }

    /// Another instance on this one's database and at its broker, with the same settings and these.
    pub fn another(&self, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let data = folder.path().join("data");
        goes_with(&data, &database_of(self.data()));
        let mut options = Options { data, ..self.options.clone() };
        options.settings.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let mut program = Thingcall::start(&options);
        program.takes_along(folder.path());
        Self { program, mosquitto: None, rabbitmq: None, key: self.key.clone(), options, _folder: folder }
    }

    fn start(setup: Setup<'_>) -> Self {
        Self::start_in(tempfile::tempdir().expect("a scratch folder"), setup)
    }

    fn start_in(folder: TempDir, setup: Setup<'_>) -> Self {
        let data = folder.path().join("data");
        let settings = setup.all_settings();
        let Setup { mosquitto, rabbitmq, toml, plugins, .. } = setup;
        let topic: &[&str] = if mosquitto.is_some() { &["--sync-topic", "ext"] } else { &[] };
        import(&data, PRODUCT, topic);
        let key = Key { id: "testid".to_owned(), secret: "testsecret".to_owned(), token: None };
        let add = ["key", "add", "--id", &key.id, "--secret", &key.secret];
        run_ok(add.iter().map(AsRef::as_ref).chain([Path::new("--data"), &data]));
        let config = (!toml.is_empty()).then(|| folder.path().join("thingcall.toml"));
        if let Some(file) = &config {
            std::fs::write(file, toml).expect("the scratch folder can be written");
        }
        for plugin in plugins {
            install(plugin, &plugin_folder(&data));
        }
        let options = Options { data, settings, config };
        let mut program = Thingcall::start(&options);
        program.takes_along(folder.path());
        Self { program, mosquitto, rabbitmq, key, options, _folder: folder }
    }

    /// Waits until it has a connection to a broker.
    pub fn is_ready(&self) {
        eventually("readyz tells", || (self.program.operator("/readyz").0 == 200).then_some(()));
    }

    /// Where devices that speak AMQP connect.
    ///
    /// # Panics
    /// If there is no such broker.
    pub fn amqp(&self) -> SocketAddr {
        self.rabbitmq.as_ref().expect("a RabbitMQ").amqp()
    }

    /// Where its plugins are.
    pub fn plugin_folder(&self) -> PathBuf {
        plugin_folder(&self.options.data)
    }

    /// What the operator's listener says about this plugin; `None` if it does not know it.
    ///
    /// # Panics
    /// If it says something else.
    pub fn plugin(&self, name: &str) -> Option<Value> {
        let (status, body) = self.program.operator("/plugins");
        assert_eq!(status, 200, "{body}");
        let all: Value = serde_json::from_str(&body).expect("JSON");
        let list = all.as_array().or_else(|| all.get("plugins")?.as_array()).expect("a list").clone();
        list.into_iter().find(|plugin| plugin.get("name").and_then(Value::as_str) == Some(name))
    }

    /// Starts the server again on the same store, after it ended or was killed.
    pub fn start_again(&mut self) {
        self.program = Thingcall::start(&self.options);
    }

    /// The same with these variables in its environment.
    pub fn start_again_in(&mut self, environment: &[(&str, &str)]) {
        self.program = Thingcall::start_with(&self.options, environment);
    }

    /// The same with these settings more.
    pub fn start_again_with(&mut self, settings: &[(&str, &str)]) {
        self.options.settings.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        self.start_again();
    }

    /// Runs a command of the program on this site's store and returns what it printed.
    pub fn command(&self, arguments: &[&str]) -> String {
        run_ok(arguments.iter().map(Path::new).chain([Path::new("--data"), &self.options.data]))
    }

    /// The same, of a command that prints one JSON object.
    ///
    /// # Panics
    /// If it does not.
    pub fn command_json(&self, arguments: &[&str]) -> Value {
        let text = self.command(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?} printed {text:?}: {error}"))
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.options.data
    }

    /// Imports the sample model as another product, with these flags.
    pub fn import(&self, product: &str, flags: &[&str]) {
        import(&self.options.data, product, flags);
    }

    /// Where devices connect.
    ///
    /// # Panics
    /// If there is no broker.
    pub fn broker(&self) -> SocketAddr {
        let external = self.mosquitto.as_ref().map(Mosquitto::address);
        let external = external.or(self.rabbitmq.as_ref().map(RabbitMq::mqtt));
        external.or(self.program.addresses.mqtt).expect("a broker")
    }

    /// Registers a device by the SDK.
    pub fn device(&self, name: &str) -> DeviceSecrets {
        self.device_of(PRODUCT, name)
    }

    /// Registers a device of another product.
    pub fn device_of(&self, product: &str, name: &str) -> DeviceSecrets {
        let answer = self.ask("RegisterDevice", &json!({ "ProductKey": product, "DeviceName": name })).ok();
        DeviceSecrets {
            product: product.to_owned(),
            name: name.to_owned(),
            secret: answer.text_at("Data.DeviceSecret").to_owned(),
            iot_id: answer.text_at("Data.IotId").to_owned(),
        }
    }

    /// Registers a device and connects it by the official device SDK, as its broker needs it.
    pub fn linkkit(&self, name: &str) -> (DeviceSecrets, LinkkitDevice) {
        let device = self.device(name);
        let connected = self.connect(&device, false);
        (device, connected)
    }

    /// Connects a registered device by the official device SDK; `leaves` as in [`Behaviour`].
    pub fn connect(&self, device: &DeviceSecrets, leaves: bool) -> LinkkitDevice {
        let behaviour = Behaviour { subscribes: self.mosquitto.is_some() || self.rabbitmq.is_some(), leaves };
        LinkkitDevice::connect(self.broker(), device, behaviour)
    }

    /// Connects the product's devices `sim-0001` to `sim-{count}`.
    pub fn simulate(&self, count: u32) -> Simulation {
        let data = self.options.data.to_str().expect("a scratch folder has a plain name");
        let count = count.to_string();
        let arguments = ["--product", PRODUCT, "--count", &count, "--quiet", "--data", data];
        // The server knows of its RabbitMQ where that speaks AMQP, and not where MQTT.
        let url = self.rabbitmq.as_ref().map(|rabbitmq| format!("mqtt://{}", rabbitmq.mqtt()));
        Simulation::start(&[&arguments[..], &url.iter().flat_map(|url| ["--url", url]).collect::<Vec<_>>()].concat())
    }

    /// Asks the API by the current SDK and waits for the answer.
    pub fn ask(&self, action: &str, params: &Value) -> Answer {
        self.ask_by(Sdk::Tea, action, params)
    }

    /// Asks the API by this SDK and waits for the answer.
    pub fn ask_by(&self, sdk: Sdk, action: &str, params: &Value) -> Answer {
        self.begin(sdk, action, params).answer()
    }

    /// Begins to ask.
    pub fn begin(&self, sdk: Sdk, action: &str, params: &Value) -> Waiting {
        self.begin_as(&self.key, sdk, action, params)
    }

    /// Begins to ask with another key.
    pub fn begin_as(&self, key: &Key, sdk: Sdk, action: &str, params: &Value) -> Waiting {
        App::get().begin(&Caller { endpoint: self.program.addresses.api, key, sdk }, action, params)
    }

    /// Calls a service of a device and waits for the answer.
    pub fn invoke(&self, device: &DeviceSecrets, service: &str, args: &str) -> Answer {
        self.begin_invoke(device, service, args).answer()
    }

    /// Begins to call.
    pub fn begin_invoke(&self, device: &DeviceSecrets, service: &str, args: &str) -> Waiting {
        self.begin(Sdk::Tea, "InvokeThingService", &invocation(device, service, args))
    }

    /// Calls, each to a device, a service and with arguments, as paths that an official SDK signed.
    pub fn signed<'a>(&self, calls: impl Iterator<Item = (&'a DeviceSecrets, &'a str, String)>) -> Vec<String> {
        let sign = |(device, service, args): (_, &str, String)| {
            self.begin(Sdk::SignOnly, "InvokeThingService", &invocation(device, service, &args))
        };
        let signing: Vec<_> = calls.map(sign).collect();
        signing.into_iter().map(|waiting| waiting.answer().text().to_owned()).collect()
    }

    /// Sends a call with these parameters, signed by an official SDK, over a socket of the test's own.
    pub fn send_once(&self, params: &Value) -> HttpCall {
        let signed = self.ask_by(Sdk::SignOnly, "InvokeThingService", params);
        HttpCall::send(self.program.addresses.api, "POST", signed.text())
    }

    /// Sends a call, signed by an official SDK, over a socket of the test's own.
    pub fn send_invoke(&self, device: &DeviceSecrets, service: &str, args: &str) -> HttpCall {
        let signed = self.ask_by(Sdk::SignOnly, "InvokeThingService", &invocation(device, service, args));
        HttpCall::send(self.program.addresses.api, "POST", signed.text())
    }
}

/// The parameters of a call.
pub fn invocation(device: &DeviceSecrets, service: &str, args: &str) -> Value {
    json!({ "ProductKey": device.product, "DeviceName": device.name, "Identifier": service, "Args": args })
}

fn plugin_folder(data: &Path) -> PathBuf {
    data.join("plugins")
}

fn import(data: &Path, product: &str, flags: &[&str]) {
    let files = [fixture("sample_tsl.json"), fixture("sample_tsl_testFb.json")];
    let arguments = ["product", "import", "--key", product].into_iter().chain(flags.iter().copied());
    let files = files.iter().map(AsRef::as_ref);
    run_ok(arguments.map(Path::new).chain(files).chain([Path::new("--data"), data]));
}
