//! A real collector of traces (rotel), what it passes on, and a device that traces too.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use crate::json_lines::Script;
use crate::process::{Process, beside_tests};
use crate::wait::eventually;
use crate::{Credential, DeviceSecrets};

/// A collector.
#[derive(Debug)]
pub struct Collector {
    reader: Script,
    ports: [u16; 2],
    agent: Option<Process>,
}

/// A span as it came out of the collector.
#[derive(Debug, Clone)]
pub struct Span(pub Value);

impl Collector {
    /// Starts one.
    pub fn start() -> Self {
        let mut collector = Self::away();
        collector.comes();
        collector
    }

    /// One that is not there yet.
    ///
    /// # Panics
    /// If its reader does not start.
    pub fn away() -> Self {
        let reader = Script::start("reader of spans", "collector_reader.py", &json!({}));
        let ports = test_ports::free_ports();
        Self { reader, ports, agent: None }
    }

    /// It is there now.
    ///
    /// # Panics
    /// If it does not start.
    pub fn comes(&mut self) {
        let port = self.reader.event("listening").get("port").and_then(Value::as_u64).expect("a port");
        let packages = beside_tests("sdk-venv/lib");
        let python = std::fs::read_dir(packages).expect("packages").filter_map(Result::ok);
        let agent = python.map(|folder| folder.path().join("site-packages/rotel/rotel-agent"));
        let agent = agent.into_iter().find(|agent| agent.exists()).expect("rotel is installed");
        let mut command = Command::new(agent);
        let [http, grpc] = self.ports.map(|port| format!("127.0.0.1:{port}"));
        let out = format!("http://127.0.0.1:{port}");
        command.args(["start", "--otlp-http-endpoint", &http, "--otlp-grpc-endpoint", &grpc]);
        command.args(["--exporter", "otlp", "--otlp-exporter-endpoint", &out, "--otlp-exporter-protocol", "http"]);
        command.args(["--otlp-exporter-compression", "none", "--batch-timeout", "20ms"]);
        self.agent = Some(Process::start("rotel", &mut command));
        eventually("the collector listens", || std::net::TcpStream::connect(&http).ok());
    }

    /// Where it takes OTLP over HTTP.
    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Where it takes OTLP over gRPC.
    pub fn grpc(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[1])
    }

    /// The next span of this name that `fits`; others are passed over.
    pub fn span(&self, name: &str, fits: impl Fn(&Span) -> bool) -> Span {
        self.reader.next(&format!("span {name}"), |told| {
            let span = Span(told.get("span").map(|_| told.clone())?);
            (span.name() == name && fits(&span)).then_some(span)
        })
    }

    /// The spans of the next trace whose spans' names these are, sorted; others are passed over.
    pub fn trace(&self, names: &[&str]) -> Vec<Span> {
        let mut traces: std::collections::HashMap<String, Vec<Span>> = std::collections::HashMap::new();
        self.reader.next(&format!("trace of {names:?}"), |told| {
            let span = Span(told.get("span").map(|_| told.clone())?);
            let trace = traces.entry(span.text("trace").to_owned()).or_default();
            trace.push(span);
            trace.sort_by_key(|span| span.name().to_owned());
            let so_far: Vec<_> = trace.iter().map(Span::name).collect();
            (so_far == names).then(|| trace.clone())
        })
    }
}

impl Span {
    /// Its name.
    pub fn name(&self) -> &str {
        self.text("name")
    }

    /// One of its texts.
    ///
    /// # Panics
    /// If there is none.
    pub fn text(&self, member: &str) -> &str {
        self.0.get(member).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {member}: {self:?}"))
    }

    /// An attribute; null if there is none.
    pub fn attribute(&self, name: &str) -> &Value {
        self.0.get("attributes").and_then(|all| all.get(name)).unwrap_or(&Value::Null)
    }

    /// When it began and ended, in nanoseconds.
    pub fn times(&self) -> (u64, u64) {
        let time = |member: &str| self.0.get(member).and_then(Value::as_u64).unwrap_or_default();
        (time("start"), time("end"))
    }
}

/// A device that speaks MQTT 5 and tells the collector what it does.
#[derive(Debug)]
pub struct TracedDevice(Script);

impl TracedDevice {
    /// Connects it.
    pub fn connect(broker: SocketAddr, device: &DeviceSecrets, collector: &Collector) -> Self {
        let Credential { client_id, username, password } = Credential::of(device, Some(1));
        let argument = json!({
            "host": broker.ip().to_string(), "port": broker.port(), "clientId": client_id, "username": username,
            "password": password, "product": device.product, "name": device.name,
            "collector": format!("127.0.0.1:{}", collector.ports[0]),
        });
        let script = Script::start("device that traces", "traced_device.py", &argument);
        script.event("connected");
        Self(script)
    }

    /// The next command that it got: its `topic`, its user `properties`, and the device's own `span`.
    pub fn called(&self) -> Value {
        self.0.event("called")
    }
}
