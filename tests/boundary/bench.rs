//! A loader with one plugin, and calls through it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tempfile::TempDir;
use thingcall_core::{
    Answer, Args, Call, CallError, CallId, CallMode, Deadline, Device, DeviceKey, DeviceLink, Handlers, Qos, ReplyBody,
    RequestId,
};
use thingcall_loader::{Config, PluginConfig, PluginConfigs, PluginStatus, Plugins};
use thingcall_tests::install;
use tokio::time::Instant;

/// Longer than any test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The loader, with its folders.
pub(crate) struct Bench {
    pub(crate) plugins: Arc<Plugins>,
    name: String,
    _root: TempDir,
}

impl Bench {
    /// Loads the library; its plugin has this name and is treated so.
    pub(crate) async fn load(library: &Path, name: &str, treated: PluginConfig) -> Self {
        let root = tempfile::tempdir().expect("a scratch folder");
        let folder = root.path().join("plugins");
        install(library, &folder);
        let config = Config { watch: false, ..Config::default() };
        let treated = PluginConfigs::from([(name.to_owned(), treated)]);
        let plugins =
            Plugins::start(config, treated, root.path(), &thingcall_core::Conditions::default(), &Registry::new())
                .await
                .expect("the loader starts");
        Self { plugins, name: name.to_owned(), _root: root }
    }

    /// Why it was not loaded; `None` if it was.
    pub(crate) fn refused(&self) -> Option<String> {
        let states = self.plugins.list();
        let active = states.iter().any(|state| state.status == PluginStatus::Active && state.name.is_some());
        (!active).then(|| states.into_iter().find_map(|state| state.error).unwrap_or_default())
    }

    /// A call through the plugin, as the engine makes it.
    pub(crate) async fn call(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        let handler = self.plugins.find(call).expect("the plugin claims it");
        handler.handle(call, device).await
    }

    /// Waits until no call of it is left.
    pub(crate) async fn nothing_is_left(&self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let left: usize = self.plugins.list().iter().map(|state| state.calls_in_flight).sum();
            if left == 0 {
                return;
            }
            assert!(Instant::now() < until, "{left} calls of {} are left", self.name);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends all; what is left of calls ends the process.
    pub(crate) async fn shut_down(self) {
        self.nothing_is_left().await;
        assert!(self.plugins.shutdown().await, "destroy returns");
    }
}

/// A call of `testFb:testService`.
pub(crate) fn call(number: u32, mode: CallMode, args: &str) -> Call {
    Call {
        letter: None,
        id: CallId::from_u32(number),
        request_id: RequestId::random(),
        device: Arc::new(device()),
        service: "testFb:testService".parse().expect("a service"),
        mode,
        qos: Qos::AtMostOnce,
        args: Args::checked(args),
        trace: None,
        deadline: Some(deadline()),
    }
}

/// The one device.
pub(crate) fn device() -> Device {
    let key = DeviceKey { product: "a1RawMeter1".parse().expect("a key"), name: "dev".parse().expect("a name") };
    Device { key, iot_id: "iot".parse().expect("an id"), enabled: true, transport: None }
}

/// Farther off than any call waits.
pub(crate) fn deadline() -> Deadline {
    Deadline::at((Instant::now() + PATIENCE).into_std())
}

/// A device's answer.
pub(crate) fn replied(data: &str) -> Answer {
    Answer::Replied(ReplyBody { code: ReplyBody::SUCCESS, message: None, data: data.to_owned() })
}
