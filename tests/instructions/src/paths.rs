//! The parts of a call's path, ready to be run.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail};
use prometheus::Registry as Metering;
use thingcall_alink::{glance, payload, request_topic};
use thingcall_api::Front;
use thingcall_api::sign::{self, Signer};
use thingcall_core::{
    Args, BuiltInOnly, CallId, CallMode, Deadline, Delivery, DeviceRef, Handlers, Qos, Request, RequestId, ServiceId,
    Slots, SyncTopic, UnixMillis,
};
use thingcall_engine::Engine;
use thingcall_listen::Serving;
use thingcall_loader::Execution;
use thingcall_tsl::ArgsCheck;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::plugins;
use crate::site::{self, DEVICE, Message, PRODUCT, Site, Wire};

pub(crate) const SYNC: &str = "testFb:testService";
const ASYNC: &str = "testFb:testServiceAsync";
const ARGS: &str = r#"{"param1":7}"#;

/// Everything that one part needs.
pub(crate) enum Ready {
    /// Signed requests, the next one last, and a connection to the front, which serves as long as it is kept.
    Http { requests: Vec<String>, stream: TcpStream, _front: Serving },
    /// Requests as the front makes them.
    Engine { engine: Arc<Engine>, requests: Vec<Request> },
    /// The check of a call's arguments against the model.
    Arguments { site: Arc<Site>, service: ServiceId },
    /// A command in the device's words.
    AlinkRequest(Delivery),
    /// A device's answer, read.
    AlinkReply(Message),
    /// An answer to another instance's call, seen to be one.
    AlinkGlance { slots: Slots, message: Message },
}

/// Makes everything for so many runs of a part.
pub(crate) async fn ready(part: &str, runs: usize) -> anyhow::Result<Ready> {
    let site = Site::new()?;
    let wire = Arc::new(Wire::answering(OnceLock::new()));
    let metering = Metering::new();
    let handlers: Arc<dyn Handlers> = match part {
        "plugin-inline" => plugins::echo(Execution::Inline).await?,
        "plugin-pool" => plugins::echo(Execution::Pool).await?,
        _ => Arc::new(BuiltInOnly),
    };
    let parts = thingcall_engine::EngineParts {
        registry: site.clone(),
        journal: site.clone(),
        handlers,
        slots: Slots::alone(0),
        reports: thingcall_engine::Reports::default(),
        records: Arc::new(thingcall_core::NoRecords),
        tracer: None,
    };
    let engine = Engine::new(thingcall_engine::Config::default(), parts, &metering)?;
    wire.engine.get_or_init(|| Arc::downgrade(&engine));
    engine.attach(wire);
    Ok(match part {
        "http-acs3" | "http-v1" => {
            // The front first: it refuses what was signed before it began.
            let (front, stream) = front(&site, engine, &metering).await?;
            let requests = (0..runs).map(|_| signed(&site, part == "http-acs3")).collect();
            Ready::Http { requests, stream, _front: front }
        }
        "engine-sync" | "engine-async" | "plugin-inline" | "plugin-pool" => {
            let service = if part == "engine-async" { ASYNC } else { SYNC };
            let requests = (0..runs).map(|_| request(&site, service)).collect::<Result<_, _>>()?;
            Ready::Engine { engine, requests }
        }
        "check-arguments" => Ready::Arguments { site, service: SYNC.try_into()? },
        "check-arguments-300" => Ready::Arguments { site: Site::with_services(300)?, service: SYNC.try_into()? },
        "alink-request" => Ready::AlinkRequest(delivery(&site)?),
        "alink-reply" => {
            let delivery = delivery(&site)?;
            let topic = request_topic(&delivery, SyncTopic::Rrpc);
            Ready::AlinkReply(site::answer(&delivery, &topic))
        }
        "alink-glance" => {
            let delivery = Delivery { id: CallId::new(5, 12_345_678), ..delivery(&site)? };
            let topic = request_topic(&delivery, SyncTopic::Rrpc);
            Ready::AlinkGlance { slots: Slots::alone(0), message: site::answer(&delivery, &topic) }
        }
        _ => bail!("no part of this name"),
    })
}

impl Ready {
    /// Runs it so often.
    pub(crate) async fn run(&mut self, calls: usize) -> anyhow::Result<()> {
        match self {
            Self::Http { requests, stream, .. } => {
                let mut answer = vec![0; 4096];
                for request in requests.drain(requests.len().saturating_sub(calls)..) {
                    stream.write_all(request.as_bytes()).await?;
                    // It comes in one piece.
                    let bytes = stream.read(&mut answer).await?;
                    let answer = std::str::from_utf8(answer.get(..bytes).unwrap_or_default())?;
                    if !answer.contains(r#"\"param1\":7"#) {
                        bail!("{answer}");
                    }
                }
            }
            Self::Engine { engine, requests } => {
                for request in requests.drain(requests.len().saturating_sub(calls)..) {
                    black_box(engine.invoke(request).await?);
                }
            }
            Self::Arguments { site, service } => {
                let model = site.found.product.model.clone().context("a model")?;
                for _ in 0..calls {
                    let found = model.service(black_box(service))?;
                    found
                        .check_args(black_box(ARGS), ArgsCheck::Weak)
                        .map_err(|violation| anyhow::anyhow!("{violation}"))?;
                }
            }
            Self::AlinkRequest(delivery) => {
                for _ in 0..calls {
                    black_box((request_topic(black_box(delivery), SyncTopic::Rrpc), payload(delivery)));
                }
            }
            Self::AlinkReply(message) => {
                for _ in 0..calls {
                    black_box(site::read(black_box(message)));
                }
            }
            Self::AlinkGlance { slots, message: (topic, payload) } => {
                for _ in 0..calls {
                    let seen = glance(black_box(topic), black_box(payload));
                    black_box(seen.is_some_and(|seen| seen.is_anothers(|id| slots.holds(id))));
                }
            }
        }
        Ok(())
    }
}

/// A front on this thread, and a connection to it.
async fn front(site: &Arc<Site>, engine: Arc<Engine>, metering: &Metering) -> anyhow::Result<(Serving, TcpStream)> {
    let config = thingcall_api::Config { calls_per_second_max: 0, ..thingcall_api::Config::default() };
    let parts = thingcall_api::FrontParts {
        engine,
        records: Arc::new(thingcall_core::NoRecords),
        subscribing: None,
        fleets: None,
        directory: site.clone(),
        registrar: None,
        keys: site.clone(),
        tokens: None,
        audit: Arc::new(thingcall_core::NoAuditLog),
        tracer: None,
        shared: thingcall_api::SharedParts::default(),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let serving = Front::new(config, parts, metering)?.serve(listener);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok((serving, stream))
}

/// A request of the benchmark, as it stands on the wire.
fn signed(site: &Site, acs3: bool) -> String {
    let key = site.key();
    let signer = Signer { key_id: key.id.clone(), secret: key.secret.clone(), security_token: None };
    let params = [("ProductKey", PRODUCT), ("DeviceName", DEVICE), ("Identifier", SYNC), ("Args", ARGS)];
    let (action, now) = ("InvokeThingService", UnixMillis::now());
    let (query, headers) = if acs3 {
        let signed = sign::acs3_request("localhost", action, &params, &signer, now);
        (signed.query, signed.headers)
    } else {
        (sign::v1_request("POST", action, &params, &signer, now), vec![("host", "localhost".to_owned())])
    };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST /?{query} HTTP/1.1\r\n{headers}content-length: 0\r\n\r\n")
}

/// A request as the front makes it.
pub(crate) fn request(site: &Site, service: &str) -> anyhow::Result<Request> {
    Ok(Request {
        asks: thingcall_core::Asks::Service,
        request_id: RequestId::random(),
        action: "InvokeThingService",
        key: None,
        arrived: Instant::now().into_std(),
        target: DeviceRef::Key(site.found.device.key.clone()),
        service: service.try_into()?,
        args: ARGS.to_owned(),
        qos: Qos::AtMostOnce,
        deadline: Deadline::at((Instant::now() + Duration::from_secs(3600)).into_std()),
        trace: None,
        fails_by_code: false,
    })
}

fn delivery(site: &Site) -> anyhow::Result<Delivery> {
    Ok(Delivery {
        letter: None,
        id: CallId::from_u32(12_345_678),
        device: site.found.device.clone(),
        service: SYNC.try_into()?,
        params: Args::checked(ARGS),
        raw: None,
        mode: CallMode::Sync,
        qos: Qos::AtMostOnce,
        deadline: None,
        sync_topic: None,
        trace: None,
    })
}
