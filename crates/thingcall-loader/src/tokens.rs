//! The process's one table of tokens: calls and plugin instances.

use std::sync::Arc;

use thingcall_plugin::abi::Token;

use crate::background::Background;
use crate::call::CallActor;
use crate::instance::Instance;
use crate::metrics::Series;
use crate::slots::Slots;

static TOKENS: Slots<Named, Arc<Series>> = Slots::new();

/// What a token names.
#[derive(Clone)]
pub(crate) enum Named {
    Call(Arc<CallActor>),
    Plugin(Arc<Background>),
}

/// Enters what `make` makes of its token.
pub(crate) fn enter<R>(series: &Arc<Series>, make: impl FnOnce(Token) -> (Named, R)) -> Option<R> {
    TOKENS.insert(series.clone(), make)
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
