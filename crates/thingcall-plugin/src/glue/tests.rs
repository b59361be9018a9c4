//! The glue under handlers that behave badly: panics stay inside, calls end, operations are given up.

use std::future::Future;
use std::pin::Pin;

use crate::prelude::*;
use crate::testing::Bench;

mod answers;
mod panics;
mod time;
mod wakers;

#[cfg(feature = "tokio")]
mod with_tokio;
#[cfg(feature = "tracing")]
mod with_tracing;

/// What a [`Does`] gives.
type Doing<'a> = Pin<Box<dyn Future<Output = Result<Reply, Reject>> + Send + 'a>>;

/// A handler that is a function.
struct Does(for<'a> fn(Call<'a>, Device<'a>) -> Doing<'a>);

#[async_trait]
impl Handler for Does {
    async fn handle(&self, call: Call<'_>, device: Device<'_>) -> Result<Reply, Reject> {
        (self.0)(call, device).await
    }
}

fn bench(does: for<'a> fn(Call<'a>, Device<'a>) -> Doing<'a>) -> Bench<Does> {
    Bench::new(Does(does))
}

fn call<H: Handler>(bench: &mut Bench<H>) -> Result<Reply, Reject> {
    bench.call("testFb:testService", json!({ "param1": 7 }))
}

fn fine() -> Result<Reply, Reject> {
    Reply::ok(&json!({ "fine": true }))
}
