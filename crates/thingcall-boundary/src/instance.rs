//! A created plugin instance, as everything that runs its code sees it.
//!
//! **Invariants:** the plugin's functions are called here and nowhere else, each under the watchdog's eyes, and none
//! after `destroy`: calls and translations hold a [`Permit`], and the last of them is gone before.
#![expect(unsafe_code, reason = "calls the plugin's functions")]

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use thingcall_metrics::gauge_of;
use thingcall_plugin::abi::{self, CallResult, CodecRequest, DoneFn, E_UNSUPPORTED, Out, Token};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::fault::{Fault, status_of};
use crate::foreign::Foreign;
use crate::metrics::Series;
use crate::own_metrics::OwnMetrics;
use crate::pool::Pool;
use crate::request::CallRequest;
use crate::terms::{Execution, Terms};
use crate::watchdog::Watched;

/// The instance.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) series: Arc<Series>,
    pub(crate) own: OwnMetrics,
    pub(crate) terms: Terms,
    /// Its own threads; `None`: its code runs on the server's.
    pub(crate) pool: Option<Arc<Pool>>,
    pub(crate) watched: Arc<Watched>,
    table: abi::PluginApi,
    /// What `create` made.
    this: AtomicPtr<c_void>,
    /// Permits that are out, or [`CLOSED`].
    permits: AtomicUsize,
    /// Notified when the last permit came back.
    returned: Notify,
}

/// No permits are given any more.
const CLOSED: usize = usize::MAX;

impl Instance {
    pub(crate) fn new(
        series: Arc<Series>,
        own: OwnMetrics,
        terms: Terms,
        watched: Arc<Watched>,
        table: abi::PluginApi,
    ) -> std::io::Result<Arc<Self>> {
        let pool = match terms.execution {
            Execution::Inline => None,
            Execution::Pool => Some(Pool::start(&series.plugin, terms.threads)?),
        };
        series.in_flight_limit.set(gauge_of(terms.calls_in_flight_max));
        let (this, permits) = (AtomicPtr::new(std::ptr::null_mut()), AtomicUsize::new(0));
        Ok(Arc::new(Self { series, own, terms, pool, watched, table, this, permits, returned: Notify::new() }))
    }

    /// The plugin's name.
    pub(crate) fn plugin(&self) -> &str {
        &self.series.plugin
    }

    pub(crate) const fn table(&self) -> &abi::PluginApi {
        &self.table
    }

    /// Runs `create`. Says its status as it is, to be quoted.
    pub(crate) fn create(&self, host: &'static abi::HostApi, token: Token, config: &str, err: *mut Out) -> i32 {
        let Some(create) = self.table.create else { return E_UNSUPPORTED };
        let _in_plugin = self.watched.enter();
        let config = abi::Bytes::of(config.as_bytes());
        let mut this = std::ptr::null_mut();
        // SAFETY: the table belongs to a library that is never unmapped; all pointers live until it returns, `host`
        // and the token behind `err` beyond.
        let status = unsafe { create(host, token, &raw const config, err, &raw mut this) };
        self.this.store(this, Ordering::Release);
        status
    }

    fn this(&self) -> *mut c_void {
        self.this.load(Ordering::Acquire)
    }

    /// Runs `begin`, once for a call. Its request stays where it is, and outlives the call's `end`.
    ///
    /// # Errors
    /// As it says. A state that it made all the same is there.
    pub(crate) fn begin(
        &self,
        token: Token,
        request: &CallRequest,
        now: Instant,
        state: &mut Foreign,
    ) -> Result<(), Fault> {
        let begin = self.table.begin.ok_or(Fault::Unsupported)?;
        let _in_plugin = self.watched.enter();
        // SAFETY: created and not destroyed; the call's actor runs this once and holds the request, behind an `Arc`.
        Fault::said(unsafe { begin(self.this(), token, request.begin(now), &raw mut state.0) })
    }

    /// Runs `poll`.
    pub(crate) fn poll(&self, token: Token, state: Foreign) {
        if let Some(poll) = self.table.poll {
            let _in_plugin = self.watched.enter();
            // SAFETY: created and not destroyed; the state is what `begin` gave, and `end` did not run.
            unsafe { poll(self.this(), token, state.0) };
        }
    }

    /// Runs `end`.
    pub(crate) fn end(&self, token: Token, state: Foreign, reason: Result<(), Fault>) {
        if let Some(end) = self.table.end {
            let _in_plugin = self.watched.enter();
            // SAFETY: created and not destroyed; the state is what `begin` gave, and this is the last use of it.
            unsafe { end(self.this(), token, state.0, status_of(reason)) };
        }
    }

    /// Tells the end of an operation.
    pub(crate) fn done(&self, done: DoneFn, user: Foreign, result: &CallResult) {
        let _in_plugin = self.watched.enter();
        // SAFETY: the plugin gave both for one use, and its operation was taken off the list for it.
        unsafe { done(user.0, result) };
    }

    /// Runs `encode` or `decode`.
    ///
    /// # Errors
    /// As it says.
    pub(crate) fn translate(&self, direction: Direction, request: &CodecRequest, out: *mut Out) -> Result<(), Fault> {
        let function = match direction {
            Direction::Encode => self.table.encode,
            Direction::Decode => self.table.decode,
        };
        let function = function.ok_or(Fault::Unsupported)?;
        let _in_plugin = self.watched.enter();
        // SAFETY: created and not destroyed; the request's bytes live until it returns, `out` is never followed.
        Fault::said(unsafe { function(self.this(), request, out) })
    }

    /// Runs `destroy`.
    pub(crate) fn destroy(&self) {
        if let Some(destroy) = self.table.destroy {
            let _in_plugin = self.watched.enter();
            // SAFETY: created; no permit is out and none will be given, so this is the last use of it.
            unsafe { destroy(self.this()) };
        }
    }

    /// Lets a call or a translation in.
    ///
    /// # Errors
    /// Whether there are too many or the instance is closed.
    pub(crate) fn admit(self: &Arc<Self>) -> Result<Permit, NotAdmitted> {
        let max = self.terms.calls_in_flight_max;
        let one_more = |out: usize| (out < max.min(CLOSED - 1)).then(|| out + 1);
        match self.permits.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more) {
            Ok(_) => {
                self.series.in_flight.inc();
                Ok(Permit(self.clone()))
            }
            Err(CLOSED) => Err(NotAdmitted::Closed),
            Err(_) => Err(NotAdmitted::Full(max)),
        }
    }

    /// How many permits are out.
    pub(crate) fn in_flight(&self) -> usize {
        match self.permits.load(Ordering::Acquire) {
            CLOSED => 0,
            out => out,
        }
    }

    /// Waits until no permit is out.
    pub(crate) async fn idle(&self) {
        loop {
            let returned = self.returned.notified();
            if self.in_flight() == 0 {
                return;
            }
            returned.await;
        }
    }

    /// Gives no permits any more, if none is out. Says whether it is closed.
    pub(crate) fn close(&self) -> bool {
        match self.permits.compare_exchange(0, CLOSED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => true,
            Err(out) => out == CLOSED,
        }
    }
}

/// Which way a translation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Encode,
    Decode,
}

impl Direction {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Decode => "decode",
        }
    }
}

/// Why a call was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// So many are in already.
    Full(usize),
    /// The generation was replaced and has ended.
    Closed,
}

/// One call or translation in flight; `destroy` waits for it.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Instance>);

impl Permit {
    /// Whose it is.
    pub(crate) const fn instance(&self) -> &Arc<Instance> {
        &self.0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.series.in_flight.dec();
        if self.0.permits.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.returned.notify_waiters();
        }
    }
}
