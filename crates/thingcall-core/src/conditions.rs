//! Readiness as a sum of named conditions: each has one keeper, who says whether it holds and, if not, why.
//!
//! `/readyz`, metrics and every command that asks "is it well" read the same list.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::UnixMillis;

/// All conditions of one server.
#[derive(Debug, Clone, Default)]
pub struct Conditions(Arc<Mutex<Vec<Arc<Condition>>>>);

/// What a condition that does not hold means for the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Not ready without it.
    Required,
    /// Not ready if none of these holds: one way to devices of several.
    OneOf,
    /// Shown, and no more: what is lost is not the server's to serve.
    Told,
}

/// One condition, held by its keeper.
#[derive(Debug)]
pub struct Condition {
    name: String,
    weight: Weight,
    state: Mutex<State>,
}

#[derive(Debug, Clone)]
struct State {
    /// Why it does not hold; `None` if it holds.
    failure: Option<String>,
    since: UnixMillis,
}

/// A condition as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionState {
    /// Its name, such as `store` or `transport mqtt`.
    pub name: String,
    /// What it means for the whole.
    pub weight: Weight,
    /// Why it does not hold and what to do about it; `None` if it holds.
    pub failure: Option<String>,
    /// Since when it is so.
    pub since: UnixMillis,
}

impl Conditions {
    /// Adds one. Until its keeper says otherwise it does not hold, since it was never seen to.
    pub fn add(&self, name: impl Into<String>, weight: Weight) -> Arc<Condition> {
        let state = State { failure: Some("not seen to hold yet".to_owned()), since: UnixMillis::now() };
        let condition = Arc::new(Condition { name: name.into(), weight, state: Mutex::new(state) });
        lock(&self.0).push(condition.clone());
        condition
    }

    /// Takes one out, for what is not there any more.
    pub fn remove(&self, condition: &Arc<Condition>) {
        lock(&self.0).retain(|known| !Arc::ptr_eq(known, condition));
    }

    /// All of them, in the order in which they were added.
    pub fn states(&self) -> Vec<ConditionState> {
        lock(&self.0).iter().map(|condition| condition.now()).collect()
    }

    /// What keeps the server from being ready; empty if nothing does.
    pub fn unmet(&self) -> Vec<ConditionState> {
        let states = self.states();
        let fails = |weight| states.iter().filter(move |state| state.weight == weight && state.failure.is_some());
        let of_one = states.iter().filter(|state| state.weight == Weight::OneOf).count();
        let none_of_one = fails(Weight::OneOf).count() == of_one;
        let ways = fails(Weight::OneOf).filter(|_| none_of_one);
        fails(Weight::Required).chain(ways).cloned().collect()
    }
}

impl Condition {
    /// It holds.
    pub fn holds(&self) {
        self.set(None);
    }

    /// It does not hold; `why` says also what to do about it.
    pub fn fails(&self, why: impl Into<String>) {
        self.set(Some(why.into()));
    }

    /// It as it is now.
    pub fn now(&self) -> ConditionState {
        let State { failure, since } = lock(&self.state).clone();
        ConditionState { name: self.name.clone(), weight: self.weight, failure, since }
    }

    /// `since` stays while it is neither met nor lost, also where the reason changes.
    fn set(&self, failure: Option<String>) {
        let mut state = lock(&self.state);
        if state.failure.is_some() != failure.is_some() {
            state.since = UnixMillis::now();
        }
        state.failure = failure;
    }
}

/// Nothing that is done under these locks can panic half way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
