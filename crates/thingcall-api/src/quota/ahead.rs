//! One account of a shared quota, as one instance sees it: what it may let through before it has asked.
//!
//! Calls are taken from what is reserved, and the busier an account is here, the more is reserved ahead. What is not
//! reserved is taken from what should be left by what was heard last, and settled with the next question: a first call,
//! or some a second, need no reservation and keep nothing from others.
//!
//! **Invariant:** what was taken and is not settled is never more than this instance's share of the quota, and one call at
//! least. Time is passed in: nothing here waits or asks.

use std::time::Duration;

use thingcall_core::{Grant, Want};
use tokio::time::Instant;

use crate::shared::TakenFrom;

/// For how long ahead calls are reserved.
const AHEAD: Duration = Duration::from_millis(100);

/// How quick a change of pace shows.
const PACE_OVER: Duration = Duration::from_millis(200);

/// What was heard is so for so long: others take from it meanwhile. Only then is it reckoned how much has come back.
const FRESH: Duration = Duration::from_millis(100);

/// A call may come so much early, as calls are settled so much late. Of one call at most.
const SLACK: Duration = Duration::from_millis(50);

/// How much there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    /// Calls a second for all instances together.
    pub(super) max: f64,
    /// This instance's part of them, if each has the same. Less than one where there are more instances.
    pub(super) share: f64,
}

/// The account.
#[derive(Debug)]
pub(super) struct Account {
    /// Reserved calls that were not made.
    reserved: u32,
    /// Calls that were made and are not settled.
    owed: u32,
    /// How many of them the question tells that has no answer yet.
    told: u32,
    /// When its bucket is full again, as far as is known.
    full_at: Instant,
    heard_at: Option<Instant>,
    /// Calls that were asked for since the pace was reckoned, let through or not.
    asked_for: u32,
    /// Calls a second that are asked for.
    pace: f64,
    reckoned_at: Instant,
}

impl Account {
    /// One of which nothing is known: its bucket is full.
    pub(super) fn new(now: Instant) -> Self {
        Self { reserved: 0, owed: 0, told: 0, full_at: now, heard_at: None, asked_for: 0, pace: 0.0, reckoned_at: now }
    }

    /// Takes a call, or says how long to wait for one.
    pub(super) fn take(&mut self, now: Instant, rates: Rates) -> Result<TakenFrom, Duration> {
        self.asked_for = self.asked_for.saturating_add(1);
        if self.reserved > 0 {
            self.reserved -= 1;
            return Ok(TakenFrom::Reserved);
        }
        let taken = f64::from(self.owed) + 1.0;
        if taken > rates.share.max(1.0) {
            return Err(Duration::ZERO);
        }
        let left = self.left(now, rates.max) + (rates.max * SLACK.as_secs_f64()).min(1.0);
        if taken > left {
            return Err(Duration::from_secs_f64((taken - left) / rates.max));
        }
        self.owed += 1;
        Ok(TakenFrom::Expected)
    }

    /// Takes a call from this instance's share alone, while nobody can be asked.
    pub(super) fn take_alone(&mut self, now: Instant, rates: Rates) -> Result<TakenFrom, Duration> {
        self.asked_for = self.asked_for.saturating_add(1);
        if self.reserved > 0 {
            self.reserved -= 1;
            return Ok(TakenFrom::Reserved);
        }
        let each = Duration::from_secs_f64(1.0 / rates.share);
        let full_at = self.full_at.max(now) + each;
        let wait = full_at.saturating_duration_since(now).saturating_sub(each.max(Duration::from_secs(1)));
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = full_at;
        Ok(TakenFrom::Share)
    }

    /// What is to be told and asked for now, if anything is.
    pub(super) fn want(&mut self, account: &str, now: Instant, rates: Rates) -> Option<Want> {
        self.reckon_pace(now);
        let ahead = self.wanted_ahead(rates);
        let unused = if self.reserved > ahead.saturating_mul(2) { self.reserved - ahead } else { 0 };
        let more = if self.reserved.saturating_mul(2) < ahead { ahead - self.reserved } else { 0 };
        if (self.owed, unused, more) == (0, 0, 0) {
            return None;
        }
        self.reserved -= unused;
        self.told = self.owed;
        Some(Want { account: account.to_owned(), used: self.told, unused, ahead: more })
    }

    /// The answer to what was asked at `asked_at`.
    pub(super) fn heard(&mut self, grant: Grant, asked_at: Instant, now: Instant) {
        self.owed = self.owed.saturating_sub(self.told);
        self.told = 0;
        self.reserved = self.reserved.saturating_add(grant.calls);
        self.full_at = asked_at + grant.full_in.min(FULL_IN_MAX);
        self.heard_at = Some(now);
    }

    /// Nobody can be asked from now on. What is owed is forgotten: that may have been told or not, and this instance makes
    /// do with its share until somebody can.
    pub(super) fn cut(&mut self, now: Instant) {
        (self.owed, self.told) = (0, 0);
        self.full_at = self.full_at.min(now + Duration::from_secs(1));
    }

    /// Whether nothing more is known of it than of one that was never seen.
    pub(super) fn is_idle(&self, now: Instant) -> bool {
        (self.reserved, self.owed, self.asked_for) == (0, 0, 0) && self.full_at <= now && self.pace < 1.0
    }

    /// Calls that should be left for all.
    fn left(&self, now: Instant, max: f64) -> f64 {
        let heard = self.heard_at.filter(|heard| now.saturating_duration_since(*heard) < FRESH);
        let full_in = self.full_at.saturating_duration_since(heard.unwrap_or(now));
        max * (1.0 - full_in.as_secs_f64())
    }

    fn reckon_pace(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.reckoned_at).as_secs_f64();
        if passed <= 0.0 {
            return;
        }
        let weight = (passed / PACE_OVER.as_secs_f64()).min(1.0);
        self.pace += (f64::from(self.asked_for) / passed - self.pace) * weight;
        (self.asked_for, self.reckoned_at) = (0, now);
    }

    /// How many calls should be reserved: none for an account of a few calls a second.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a u32")]
    fn wanted_ahead(&self, rates: Rates) -> u32 {
        (self.pace.min(rates.max) * AHEAD.as_secs_f64()) as u32
    }
}

/// A debt longer than this is as good as none that ends.
const FULL_IN_MAX: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests;
