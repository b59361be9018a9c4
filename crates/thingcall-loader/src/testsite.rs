//! What tests of loading share: plugins from a C compiler, a server's folders, a device that answers.

use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use prometheus::Registry;
use tempfile::TempDir;
use thingcall_core::{
    Answer, Args, Call, CallError, CallId, CallMode, Command, Conditions, Deadline, Device, DeviceKey, DeviceLink,
    Executed, Handlers, IotId, Qos, ReplyBody, RequestId,
};
use tokio::time::Instant;

use crate::report::{PluginState, PluginStatus};
use crate::{Config, PluginConfig, PluginConfigs, Plugins};

/// Compiles `plugin.c` with these macros (`NAME` or `NAME=VALUE`) to `file`; `flags` are the compiler's own.
pub(crate) fn compile(file: &Path, macros: &[&str], flags: &[&str]) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = file.with_extension(format!("{}.tmp", unique()));
    let output = Process::new("cc")
        .args(["-std=c99", "-O1", "-fPIC", "-shared", "-fvisibility=hidden"])
        .args(macros.iter().map(|one| format!("-D{one}")))
        .args(flags)
        .arg("-I")
        .arg(here.join("../thingcall-plugin/include"))
        .arg("-o")
        .arg(&beside)
        .arg(here.join("src/testsite/plugin.c"))
        .output()
        .expect("a C compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::set_permissions(&beside, Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&beside, file).unwrap();
}

fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A C string as a macro's value.
pub(crate) fn text(name: &str, value: &str) -> String {
    format!("{name}={value:?}")
}

/// A plugin that answers `{"by":"BY"}`.
pub(crate) fn answering(file: &Path, name: &str, claims: &str, by: &str) {
    let answer = format!("{{\"by\":\"{by}\"}}");
    let macros = [text("NAME", name), text("CLAIMS", claims), text("ANSWER", &answer), text("VERSION", by)];
    compile(file, &macros.each_ref().map(String::as_str), &[]);
}

/// A plugin that puts a letter into the arguments and passes the call on.
pub(crate) fn marking(file: &Path, name: &str, claims: &str, mark: char) {
    let macros = [text("NAME", name), text("CLAIMS", claims), format!("MARK='{mark}'")];
    compile(file, &macros.each_ref().map(String::as_str), &[]);
}

/// A server's folders.
pub(crate) struct Site {
    _root: TempDir,
    pub(crate) data: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) config: Config,
    pub(crate) configs: PluginConfigs,
    pub(crate) metering: Registry,
    pub(crate) conditions: Conditions,
}

impl Site {
    pub(crate) fn new() -> Self {
        let root = TempDir::new().unwrap();
        let data = root.path().canonicalize().unwrap();
        let folder = data.join("plugins");
        DirBuilder::new().mode(0o755).create(&folder).unwrap();
        let config = Config { watch: false, ..Config::default() };
        let (metering, conditions) = (Registry::new(), Conditions::default());
        Self { _root: root, data, folder, config, configs: PluginConfigs::new(), metering, conditions }
    }

    /// A file of the plugin folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A plugin's section.
    pub(crate) fn section(&mut self, name: &str, section: PluginConfig) {
        self.configs.insert(name.to_owned(), section);
    }

    pub(crate) async fn start(&self) -> Arc<Plugins> {
        let plugins = self.begin().await;
        plugins.settled().await;
        plugins
    }

    /// A start that does not wait for plugins to be created.
    pub(crate) async fn begin(&self) -> Arc<Plugins> {
        // Each start is a server of its own, with metrics of its own.
        let metering = if self.metering.gather().is_empty() { self.metering.clone() } else { Registry::new() };
        Plugins::begin(self.config.clone(), self.configs.clone(), &self.data, &self.conditions, &metering)
            .await
            .unwrap()
    }

    /// The value of `thingcall_plugin_loads_total` for this result.
    pub(crate) fn loads(&self, result: &str) -> u64 {
        // As text: the types behind it differ with the features of the whole build.
        let text = prometheus::TextEncoder::new().encode_to_string(&self.metering.gather()).unwrap();
        let series = format!("thingcall_plugin_loads_total{{result=\"{result}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&series));
        value.unwrap_or_else(|| panic!("no {series}in {text}")).parse().unwrap()
    }
}

/// The states of the plugins that are active, by name.
pub(crate) fn active(plugins: &Plugins) -> Vec<PluginState> {
    plugins.list().into_iter().filter(|state| state.status == PluginStatus::Active).collect()
}

/// Why a file is refused, or what its plugin's newer file is.
pub(crate) fn error_of(plugins: &Plugins, file: &Path) -> Option<String> {
    plugins.list().into_iter().find(|state| state.file == file)?.error
}

/// A call of this service of `prod`/`dev`.
pub(crate) fn call(product: &str, service: &str) -> Call {
    Call {
        letter: None,
        id: CallId::from_u32(7),
        request_id: RequestId::random(),
        device: Arc::new(Device {
            key: DeviceKey { product: product.parse().unwrap(), name: "dev".parse().unwrap() },
            iot_id: "iot".parse::<IotId>().unwrap(),
            enabled: true,
            transport: None,
        }),
        service: service.parse().unwrap(),
        mode: CallMode::Sync,
        qos: Qos::AtMostOnce,
        args: Args::checked(r#"{"path":"-"}"#),
        deadline: Some(deadline()),
        trace: None,
    }
}

fn deadline() -> Deadline {
    Deadline::at((Instant::now() + Duration::from_secs(60)).into_std())
}

/// A device that notes its commands and answers `{"by":"device"}`.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    pub(crate) commands: Mutex<Vec<String>>,
}

#[async_trait]
impl DeviceLink for Echo {
    async fn call(&self, command: Command) -> Result<Answer, CallError> {
        self.commands.lock().unwrap().push(command.params.as_str().to_owned());
        Ok(Answer::Replied(ReplyBody { code: 200, message: None, data: r#"{"by":"device"}"#.to_owned() }))
    }

    fn deadline(&self) -> Deadline {
        deadline()
    }
}

/// Calls as the engine does; without a handler, the device. Says who answered; `nobody` for a plugin that is not loaded.
pub(crate) async fn answered_by(plugins: &dyn Handlers, call: &Call) -> String {
    let device = Echo::default();
    let answer = match plugins.find(call) {
        Some(handler) => handler.handle(call, &device).await,
        None => device.call(Command { service: call.service.clone(), params: call.args.clone() }).await,
    };
    if let Err(CallError::Plugin { why, executed: Executed::No }) = &answer
        && why.contains("is not loaded")
    {
        return "nobody".to_owned();
    }
    if let Err(CallError::Plugin { why, executed: Executed::No }) = &answer
        && why.contains("is still being created")
    {
        return "being created".to_owned();
    }
    let Ok(Answer::Replied(body)) = answer else { panic!("no reply: {answer:?}") };
    let data: serde_json::Value = serde_json::from_str(&body.data).unwrap();
    data["by"].as_str().unwrap().to_owned()
}

/// Waits until it is so, at most 20 s: for what a watch brings about.
pub(crate) async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waited = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waited).await.unwrap_or_else(|_| panic!("never: {what}"));
}
