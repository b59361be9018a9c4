//! What HTTP alone costs: an axum server that reads a request of the benchmark and answers with as many bytes as the
//! real one.
//!
//! It is built, started and asked as the server is: same allocator, same runtime, same load.

use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use tokio::net::TcpListener;

use crate::args::Args;
use crate::child::Child;
use crate::load::{self, Expected};
use crate::output;
use crate::pace::Plan;
use crate::registered::{IDENTIFIER, names};
use crate::report::Report;
use crate::requests::{Form, Requests, Service};
use crate::wire;

/// An answer of the server to a call of the benchmark.
const ANSWER: &str = r#"{"RequestId":"0E6D4B4C-6E0D-4B52-9E55-6C2D8D5A4F1B","Success":true,"Data":{"MessageId":"1234567890","Result":"{\"code\":200,\"data\":{\"param1\":500},\"id\":\"1234567890\",\"message\":\"success\",\"version\":\"1.0\"}"}}"#;

/// Serves until it is ended.
///
/// # Errors
/// If no port is free.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    output::line(format_args!("ready echo={}", listener.local_addr()?));
    let routes = Router::new().route("/", post(answer));
    axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), routes).await?;
    Ok(())
}

async fn answer(_read: Bytes) -> impl axum::response::IntoResponse {
    ([(CONTENT_TYPE, "application/json;charset=utf-8")], ANSWER)
}

/// Measures one, in a process of its own.
///
/// # Errors
/// If it cannot be started or asked.
pub(crate) async fn turn(args: &Args, plan: Plan) -> anyhow::Result<Report> {
    let child = Child::start(&std::env::current_exe()?, ["echo-server"]).await?;
    let service = Service {
        signer: thingcall_api::sign::Signer {
            key_id: "LTAIbenchbenchbenchbench".to_owned(),
            secret: thingcall_core::Secret::new("benchbenchbenchbenchbenchbench"),
            security_token: None,
        },
        signature: args.signature,
        identifier: IDENTIFIER,
        qos: args.qos,
    };
    let address = wire::address_of(&format!("http://{}", child.said("echo")?))?;
    let requests = Requests::repeated(&Form::Service(service), &address, &names(args.devices), plan)?;
    let measured = load::measure(&[address], (requests, Expected::Success), plan, &child.id()).await;
    child.stop().await;
    measured
}
