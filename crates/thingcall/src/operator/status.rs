//! `GET /status`: all that says whether this server is well, in one answer, with what to do where it is not.
//!
//! **Invariant:** nothing is kept for it but a minute of counts: it tells what conditions, metrics, plugins and files tell.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use thingcall_core::{CallFilter, CallOrder, CallPlaces, CallRecords, UnixMillis};
use thingcall_loader::{PluginState, PluginStatus, Plugins};
use thingcall_store::Store;
use tokio::time::timeout;

use super::answer;
use crate::config::Config;
use crate::fellows;
use crate::instance::Membership;
use crate::observe::Observed;
use crate::output::moment;
use crate::own_tls;
use crate::reconfigure::Reconfiguring;

mod facts;
mod figures;
mod findings;
mod minute;

use facts::Facts;
use figures::Figures;
use minute::{Minute, Worst};

/// How long the store may take to say who shares it, and which calls failed; without it, the rest is told.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// Of so many calls that failed it is looked which device they were to.
const FAILED_MAX: usize = 500;

/// What is asked.
pub(crate) struct StatusDesk {
    pub observed: Observed,
    pub plugins: Arc<Plugins>,
    pub membership: Arc<Membership>,
    pub store: Arc<Store>,
    pub config: Arc<Config>,
    pub reconfiguring: Arc<Reconfiguring>,
}

struct Desk {
    asked: StatusDesk,
    minute: Minute,
}

/// `/status`. What it counts ends with the runtime.
pub(crate) fn routes(asked: StatusDesk) -> Router {
    let desk = Arc::new(Desk { asked, minute: Minute::default() });
    let counting = Arc::downgrade(&desk);
    // Ends with the desk.
    drop(tokio::spawn(async move {
        while let Some(desk) = counting.upgrade() {
            desk.minute.note(&Figures::of(&desk.asked.observed));
            drop(desk);
            tokio::time::sleep(minute::NOTED_EVERY).await;
        }
    }));
    Router::new().route("/status", get(status)).with_state(desk)
}

/// Where the store is.
fn place(config: &Config) -> String {
    let file = || config.data.join(&config.store.file).display().to_string();
    config.store.url.as_ref().map_or_else(file, ToString::to_string)
}

async fn status(State(desk): State<Arc<Desk>>) -> Response {
    let facts = desk.facts().await;
    answer(StatusCode::OK, &desk.told(&facts).await)
}

impl Desk {
    async fn facts(&self) -> Facts {
        let StatusDesk { observed, plugins, config, reconfiguring, .. } = &self.asked;
        let (restart, reload) = reconfiguring.now();
        let config = config.clone();
        let files = tokio::task::spawn_blocking(move || {
            let of = |(name, section): (String, &dyn thingcall_core::Section)| {
                section.doubts_of_files().into_iter().map(move |doubt| doubt.within(&name)).collect::<Vec<_>>()
            };
            config.sections().into_iter().flat_map(of).chain(own_tls::doubts(&config)).collect()
        });
        let figures = Figures::of(observed);
        let minute = self.minute.of(&figures);
        let worst = match minute.worst() {
            Some(outcome) => Some(self.worst(&outcome).await),
            None => None,
        };
        let (ready, _) = observed.readiness().told();
        Facts {
            ready,
            conditions: observed.conditions(),
            limits: figures.limits(),
            refused: plugins.list().into_iter().filter(|plugin| plugin.error.is_some()).collect(),
            files: files.await.unwrap_or_default(),
            pending: figures.sum("thingcall_pending_calls"),
            pending_max: figures.sum("thingcall_pending_calls_limit"),
            oldest: figures.sum("thingcall_pending_oldest_timestamp_seconds"),
            transports: figures.by("thingcall_transport_up", "transport"),
            minute,
            worst,
            restart,
            reload,
        }
    }

    /// Which device had most calls that ended so within the minute, as far as they are kept.
    async fn worst(&self, outcome: &str) -> Worst {
        let since = UnixMillis(UnixMillis::now().0.saturating_sub(minute::LASTS_MS));
        let of_it = crate::calls::outcome(outcome).ok();
        let filter = CallFilter { outcome: of_it, since: Some(since), ..CallFilter::default() };
        let asked = self.asked.store.calls(&filter, (CallOrder::NewestFirst, CallPlaces::END), FAILED_MAX);
        let calls = timeout(STORE_TIMEOUT, asked).await.ok().and_then(Result::ok).unwrap_or_default();
        Worst::of(outcome, calls.into_iter().map(|call| call.device))
    }

    async fn told(&self, facts: &Facts) -> Value {
        let StatusDesk { plugins, membership, store, config, .. } = &self.asked;
        let (me, slot) = membership.now();
        let instances = timeout(STORE_TIMEOUT, fellows::sharing(store)).await.ok().and_then(Result::ok).flatten();
        let (findings, well) = findings::of(facts, config);
        let active = |plugin: &PluginState| plugin.status == PluginStatus::Active;
        let stats = store.stats();
        json!({
            "well": well,
            "ready": facts.ready,
            "findings": findings,
            "version": env!("CARGO_PKG_VERSION"),
            "revision": env!("THINGCALL_REVISION"),
            "startedAt": moment(me.since),
            "uptimeSeconds": UnixMillis::now().0.saturating_sub(me.since.0) / 1000,
            "instance": { "name": me.name, "slot": slot, "api": me.api, "operator": me.operator },
            "instances": instances,
            "conditions": facts.conditions.iter().map(facts::condition).collect::<Vec<_>>(),
            "transports": facts.transports,
            "store": {
                "kind": if config.store.url.is_some() { "postgresql" } else { "sqlite" },
                "place": place(config), "products": stats.products, "devices": stats.devices, "keys": stats.keys,
                "queuedWrites": stats.queued_writes,
            },
            "pendingCalls": facts.pending,
            "pendingCallsMax": facts.pending_max,
            "oldestPendingSeconds": facts.oldest_seconds(UnixMillis::now()),
            "lastMinute": facts.minute.json(facts.worst.as_ref()),
            "limits": facts.limits.iter().map(figures::Limit::json).collect::<Vec<_>>(),
            "needRestart": facts.restart.iter().map(super::configuration::changed).collect::<Vec<_>>(),
            "lastReload": facts.reload.as_ref().map(|last| json!({ "at": moment(last.at), "done": last.failed.is_none(), "why": last.failed })),
            "plugins": { "active": plugins.list().iter().filter(|plugin| active(plugin)).count(), "refused": facts.refused.len() },
        })
    }
}
