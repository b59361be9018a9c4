//! Lines of `tracing`, with their fields, in the host's log.

use super::{call, fine};
use crate::glue::Plugin;
use crate::log::Level;
use crate::prelude::*;
use crate::testing::Bench;

struct Traces;

impl Plugin for Traces {
    const TOKIO: bool = false;

    fn create(_setup: Setup<'_>) -> Result<Self, String> {
        Ok(Self)
    }
}

#[async_trait]
impl Handler for Traces {
    async fn handle(&self, call: Call<'_>, _device: Device<'_>) -> Result<Reply, Reject> {
        let _span = tracing::info_span!("unseen").entered();
        tracing::warn!(tries = 2, device = call.device_name(), "asked {}", "again");
        tracing::debug!("plain");
        fine()
    }
}

#[test]
fn lines_of_tracing_reach_the_log_with_their_fields() {
    let mut traces = Bench::<Traces>::create(&json!({})).unwrap();

    call(&mut traces).unwrap();

    let warned = r#"asked again {"device":"device1","tries":2}"#.to_owned();
    assert_eq!(traces.logged(), [(Level::Warn, warned), (Level::Debug, "plain".to_owned())]);
}
