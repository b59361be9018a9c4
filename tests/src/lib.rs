//! The harness of the end-to-end tests: real brokers, the official SDKs, and the program itself, each a process.
//!
//! **Invariant:** every wait is for an event and has one generous time-out that fails with the logs of who was waited
//! for; every process ends with its owner, also when the test run is killed.

#![allow(clippy::expect_used, clippy::panic, reason = "what goes wrong in a harness ends the test")]

mod amqp;
mod app;
mod bench;
mod browser;
mod collector;
mod consumer;
mod device;
mod device_sample;
mod disk;
mod events;
mod haproxy;
mod http;
mod json_lines;
mod linkkit;
mod live_tail;
mod load;
mod manager;
mod metrics;
mod mosquitto;
mod newcomer;
mod packages;
mod people;
mod plugins;
mod process;
mod program;
mod proxy;
mod rabbitmq;
mod sample;
mod site;
mod store;
mod tail;
mod tls_proxy;
mod visitor;
mod wait;
mod webhook;
mod wiretap;

pub use amqp::{AmqpDevice, Attempt, ResultConsumer};
pub use app::{Answer, App, Caller, Key, Sdk, Waiting};
pub use bench::{Peer, bench, bench_in_background};
pub use browser::{Browser, Shown};
pub use collector::{Collector, Span, TracedDevice};
pub use consumer::{Consumer, ConsumerKind, body};
pub use device::{Credential, MqttDevice, Seen};
pub use device_sample::DeviceSample;
pub use disk::SmallDisk;
pub use events::{EventReader, Told};
pub use haproxy::{HAPROXY, Haproxy};
pub use http::{HttpAnswer, HttpCall};
pub use linkkit::{Behaviour, LinkkitDevice};
pub use live_tail::{LiveRow, LiveTail};
pub use load::Load;
pub use manager::Manager;
pub use metrics::Metrics;
pub use mosquitto::Mosquitto;
pub use newcomer::Newcomer;
pub use packages::{Readers, Rendered, deploy};
pub use people::{PeoplesProgram, WrittenIn};
pub use plugins::{build_output, c_plugin, install, rust_plugin, shared_library};
pub use program::{
    Addresses, Finished, Options, Running, Simulation, Thingcall, program, run, run_in_background, run_into, run_ok,
};
pub use proxy::Proxy;
pub use rabbitmq::{RabbitMq, RabbitUser, THINGCALL};
pub use sample::{Runs, code_on, run_sample};
pub use site::{CONSUMER, DeviceSecrets, PRODUCT, Site, invocation};
pub use store::{database_of, goes_with, in_postgres, tell as tell_store};
pub use tail::Tail;
pub use test_ports::{free_port, free_ports};
pub use test_postgres::{Database, Postgres};
pub use tls_proxy::{BehindTls, Front, TlsProxy};
pub use visitor::Visitor;
pub use wait::{TIMEOUT, eventually};
pub use webhook::{SECRET, ToldByWebhook, WebhookReceiver};
pub use wiretap::Wiretap;

/// The file of this name in `fixtures/`.
pub fn fixture(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}
