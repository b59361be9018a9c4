//! `thingcall calls --follow`: calls as they come, and how those end that were shown before they had.
//!
//! **Invariants:** of what was there before only the newest are shown, which the caller has shown. A call is shown once when it
//! comes and, if it had not ended by then, once when it has. What is remembered of them is bounded.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use thingcall_core::{CallFilter, CallOrder, CallPlaces, CallRecords, CallSource, KeptCall, Outcome};
use thingcall_store::Store;
use tokio::time::sleep;

use super::{PAGE, in_order};
use crate::kept;
use crate::output::{self, Listing};
use crate::tail::is_read;

/// How soon calls are seen.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What others write at this moment may get a place before what is there: so far back it is looked again.
const OVERLAP_PLACES: i64 = 200;
/// The end of so many calls that have not ended is waited for.
const OPEN_CALLS_MAX: usize = 10_000;

/// Who looks for calls.
pub(super) struct Following<'a> {
    store: &'a Store,
    /// All that is looked for but the outcome, which a call that has not ended does not have yet.
    filter: CallFilter,
    outcome: Option<Outcome>,
    places: CallPlaces,
    /// Those around `places` that were there before, or that were looked at.
    seen: HashSet<(CallSource, i64)>,
    /// The places of calls whose end is waited for.
    open: VecDeque<i64>,
    told_of_room: bool,
}

impl<'a> Following<'a> {
    /// From here on: `shown` were shown, and `newest` were the newest before they were read.
    pub(super) async fn begin(
        store: &'a Store,
        filter: &CallFilter,
        newest: CallPlaces,
        shown: &[KeptCall],
    ) -> anyhow::Result<Self> {
        let outcome = filter.outcome;
        let filter = CallFilter { outcome: None, ..filter.clone() };
        let place = |call: &KeptCall| (call.source, call.place);
        let around = (CallOrder::OldestFirst, newest.back(OVERLAP_PLACES));
        let there = store.calls(&filter, around, 4 * PAGE).await?;
        let there = there.iter().filter(|call| call.place <= newest.of(call.source));
        let seen = there.chain(shown).map(place).collect();
        let mut this =
            Self { store, filter, outcome, places: newest, seen, open: VecDeque::new(), told_of_room: false };
        match outcome {
            None => shown.iter().filter(|call| call.outcome.is_none()).for_each(|call| this.wait_for(call)),
            // Each that is open may end so.
            Some(_) => this.wait_for_all_open().await?,
        }
        Ok(this)
    }

    /// Shows them until nobody reads.
    pub(super) async fn run(mut self, mut listing: Listing) -> anyhow::Result<()> {
        while is_read() {
            let (mut calls, is_last) = self.look().await?;
            calls.extend(self.ended().await?);
            if !calls.is_empty() && !listing.page(&calls, kept::as_json, kept::as_row) {
                return Ok(());
            }
            if is_last {
                sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }

    /// Those that came, and whether there are no more by now.
    async fn look(&mut self) -> anyhow::Result<(Vec<KeptCall>, bool)> {
        let newest = self.store.newest_calls().await?;
        let max = PAGE + self.seen.len();
        let from = (CallOrder::OldestFirst, self.places.back(OVERLAP_PLACES));
        let page = self.store.calls(&self.filter, from, max).await?;
        let is_last = page.len() < max;
        let mut new: Vec<_> = page.into_iter().filter(|call| self.seen.insert((call.source, call.place))).collect();
        self.places = new.iter().fold(self.places, CallPlaces::at);
        if is_last {
            // What is behind and not looked for need not be looked at again.
            self.places = self.places.max(newest);
        }
        let back = self.places.back(OVERLAP_PLACES);
        self.seen.retain(|(source, place)| *place > back.of(*source));
        new.iter().filter(|call| call.outcome.is_none()).for_each(|call| self.wait_for(call));
        new.retain(|call| self.is_wanted(call));
        in_order(&mut new);
        Ok((new, is_last))
    }

    /// Those that have ended since they were seen. Some of those that are waited for are looked at, in turns.
    async fn ended(&mut self) -> anyhow::Result<Vec<KeptCall>> {
        let places: Vec<_> = self.open.drain(..self.open.len().min(PAGE)).collect();
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let filter = CallFilter { journal_places: places, ..CallFilter::default() };
        let from = (CallOrder::OldestFirst, CallPlaces { journal: 0, records: 0 });
        let found = self.store.calls(&filter, from, PAGE).await?;
        let (mut ended, open): (Vec<_>, Vec<_>) = found.into_iter().partition(|call| call.outcome.is_some());
        open.iter().for_each(|call| self.open.push_back(call.place));
        ended.retain(|call| self.is_wanted(call));
        ended.sort_by_key(kept::ended_at);
        Ok(ended)
    }

    fn is_wanted(&self, call: &KeptCall) -> bool {
        self.outcome.is_none() || call.outcome == self.outcome
    }

    fn wait_for(&mut self, call: &KeptCall) {
        if self.open.len() >= OPEN_CALLS_MAX {
            self.open.pop_front();
            if !std::mem::replace(&mut self.told_of_room, true) {
                output::note(format_args!(
                    "more than {OPEN_CALLS_MAX} of these calls have not ended; the end of the first ones is not shown"
                ));
            }
        }
        self.open.push_back(call.place);
    }

    async fn wait_for_all_open(&mut self) -> anyhow::Result<()> {
        let filter = CallFilter { only_open: true, ..self.filter.clone() };
        let mut places = CallPlaces { journal: 0, records: i64::MAX };
        loop {
            let page = self.store.calls(&filter, (CallOrder::OldestFirst, places), PAGE).await?;
            places = page.iter().fold(places, CallPlaces::at);
            // Later ones are seen to come.
            let newest = self.places.journal;
            page.iter().filter(|call| call.place <= newest).for_each(|call| self.wait_for(call));
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }
}
