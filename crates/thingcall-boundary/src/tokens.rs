//! The process's one table of tokens: calls and plugin instances.

use std::sync::Arc;

use thingcall_plugin::abi::Token;

use crate::background::Background;
use crate::call::CallActor;
use crate::instance::Instance;
use crate::metrics::Series;
use crate::slots::Slots;

static TOKENS: Slots<Named, Series> = Slots::new();

scoped_tls::scoped_thread_local! {
    /// The call whose plugin code runs on this thread.
    static RUNNING: Arc<CallActor>
}

/// What a token names.
#[derive(Clone)]
pub(crate) enum Named {
    Call(Arc<CallActor>),
    Plugin(Arc<Background>),
}

/// Enters what `make` makes of its token.
pub(crate) fn enter<R>(series: &Arc<Series>, make: impl FnOnce(Token) -> (Named, R)) -> Option<R> {
    TOKENS.insert(series, make)
}

/// What a token names, if it is not stale.
pub(crate) fn get(token: Token) -> Option<Named> {
    TOKENS.get(token)
}

/// The call a token names.
pub(crate) fn call(token: Token) -> Option<Arc<CallActor>> {
    match TOKENS.get(token)? {
        Named::Call(call) => Some(call),
        Named::Plugin(_) => None,
    }
}

/// Runs a call's plugin code.
pub(crate) fn running<R>(call: &Arc<CallActor>, run: impl FnOnce() -> R) -> R {
    RUNNING.set(call, run)
}

/// Gives the call a token names to `then`. Most often it is the one that runs on this thread, which needs no look into
/// the table.
pub(crate) fn with_call<R>(token: Token, then: impl FnOnce(&Arc<CallActor>) -> R) -> Option<R> {
    if RUNNING.is_set() && RUNNING.with(|running| running.token() == token && !running.is_over()) {
        return Some(RUNNING.with(then));
    }
    call(token).map(|call| then(&call))
}

/// The call whose plugin code runs on this thread. Only looks, so that a signal's handler may ask.
pub(crate) fn running_call() -> Option<u32> {
    RUNNING.is_set().then(|| RUNNING.with(|running| running.request().id().as_u32()))
}

/// The plugin instance a token names.
pub(crate) fn plugin(token: Token) -> Option<Arc<Background>> {
    match TOKENS.get(token)? {
        Named::Plugin(plugin) => Some(plugin),
        Named::Call(_) => None,
    }
}

/// Makes a token stale.
pub(crate) fn kill(token: Token) -> Option<Named> {
    TOKENS.kill(token)
}

/// The plugin a token belongs to, or belonged to as far as that is remembered.
pub(crate) fn owner(token: Token) -> Option<Arc<Series>> {
    TOKENS.owner(token)
}

/// The calls of an instance that are not over.
pub(crate) fn calls_of(instance: &Arc<Instance>) -> Vec<Arc<CallActor>> {
    TOKENS.filter(|named| match named {
        Named::Call(call) if Arc::ptr_eq(call.instance(), instance) => Some(call.clone()),
        Named::Call(_) | Named::Plugin(_) => None,
    })
}
