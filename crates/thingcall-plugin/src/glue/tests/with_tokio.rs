//! A plugin's own tokio runtime, and a plugin that has none.

use std::time::Duration;

use super::{bench, call, fine};
use crate::glue::Plugin;
use crate::prelude::*;
use crate::testing::Bench;

struct UsesTokio;

impl Plugin for UsesTokio {
    const TOKIO: bool = true;

    fn create(_setup: Setup<'_>) -> Result<Self, String> {
        drop(tokio::spawn(async {}));
        Ok(Self)
    }
}

#[async_trait]
impl Handler for UsesTokio {
    async fn handle(&self, _call: Call<'_>, device: Device<'_>) -> Result<Reply, Reject> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let spawned = tokio::spawn(async {
            tokio::task::yield_now().await;
            7
        });
        let args = json!({ "param1": 1 });
        let (spawned, reply) = tokio::join!(spawned, device.call(&args));
        assert_eq!(spawned.unwrap(), 7);
        Ok(reply?)
    }
}

impl Drop for UsesTokio {
    fn drop(&mut self) {
        // Needs the runtime, too.
        drop(tokio::spawn(async {}));
    }
}

#[test]
fn sleeps_and_tasks_of_tokio_work_with_a_runtime_of_the_plugins_own() {
    let mut uses = Bench::<UsesTokio>::create(&json!({})).unwrap();

    for _ in 0..3 {
        assert_eq!(call(&mut uses).unwrap().data::<Value>().unwrap(), json!({ "param1": 1 }));
    }
}

#[test]
fn without_a_runtime_tokio_fails_the_call_only() {
    let mut sleeps = bench(|_, _| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            fine()
        })
    });

    let failed = call(&mut sleeps).unwrap_err();

    assert!(failed.message().contains("there is no reactor running"), "{failed}");
}
