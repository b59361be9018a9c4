//! The log's part of the store's seam.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use thingcall_core::{
    ConsumerGroup, DeviceKey, GivenBack, GroupId, Lease, Message, MessageId, NewMessage, ProductKey, ReaderName,
    Subscription, UnixMillis, Wanted,
};

use super::database::Pg;
use super::trouble::within;
use super::tx::PgTx;
use super::{message_reads, messages, presence, subscriptions};
use crate::failure::Failure;
use crate::groups::Subscribed;
use crate::memory::DeviceEntry;
use crate::message_tables::{
    Again, ClaimRow, ClaimSeen, Dead, InHand, Limits, MessageReads, MessageWrites, Part, ReaderRow,
};

macro_rules! ask {
    ($self:ident, $ask:expr) => {
        within(&$self.patience.answer, $ask).await
    };
}
macro_rules! tell {
    ($self:ident, $ask:expr) => {
        within($self.patience, $ask).await
    };
}

#[async_trait]
impl MessageReads for Pg {
    async fn readers(&self) -> Result<Vec<ReaderRow>, Failure> {
        ask!(self, message_reads::readers(&self.reads))
    }

    async fn reader_names(&self) -> Result<Vec<ReaderName>, Failure> {
        ask!(self, message_reads::reader_names(&self.reads))
    }

    async fn reader(&self, name: &ReaderName) -> Result<Option<ReaderRow>, Failure> {
        ask!(self, message_reads::reader(&self.reads, name))
    }

    async fn messages(
        &self,
        places: RangeInclusive<i64>,
        wanted: &Wanted,
        max: usize,
    ) -> Result<Vec<Message>, Failure> {
        ask!(self, message_reads::messages(&self.reads, &places, wanted, max))
    }

    async fn messages_at(&self, places: &[i64]) -> Result<Vec<Message>, Failure> {
        ask!(self, message_reads::messages_at(&self.reads, places))
    }

    async fn count_messages(&self, places: RangeInclusive<i64>, wanted: &Wanted) -> Result<u64, Failure> {
        ask!(self, message_reads::count(&self.reads, &places, wanted))
    }

    async fn subscribed(&self) -> Result<Subscribed, Failure> {
        ask!(self, subscriptions::subscribed(&self.reads))
    }

    async fn places(&self) -> Result<RangeInclusive<i64>, Failure> {
        ask!(self, message_reads::places(&self.reads))
    }

    async fn message_bytes(&self) -> Result<u64, Failure> {
        ask!(self, message_reads::bytes(&self.reads))
    }

    async fn count_backlog(&self, reader: &ReaderName) -> Result<(u64, u64), Failure> {
        ask!(self, message_reads::count_backlog(&self.reads, reader))
    }

    async fn excess(&self, limits: &Limits, at_most: i64) -> Result<Option<i64>, Failure> {
        ask!(self, message_reads::excess(&self.reads, limits, at_most))
    }

    async fn dead(&self, reader: &ReaderName, after: i64, max: usize) -> Result<Vec<Dead>, Failure> {
        ask!(self, message_reads::dead(&self.reads, reader, after, max))
    }
}

#[async_trait]
impl MessageWrites for PgTx<'_> {
    async fn append_messages(&mut self, new: &[(MessageId, NewMessage)], behind: Option<i64>) -> Result<i64, Failure> {
        tell!(self, messages::append(&mut self.tx, new, behind))
    }

    async fn set_reader(&mut self, name: &ReaderName, wanted: &Wanted) -> Result<(), Failure> {
        tell!(self, messages::set_reader(&mut self.tx, name, wanted))
    }

    async fn remove_reader(&mut self, name: &ReaderName) -> Result<(), Failure> {
        tell!(self, messages::remove_reader(&mut self.tx, name))
    }

    async fn subscribed(&mut self) -> Result<Subscribed, Failure> {
        tell!(self, subscriptions::locked(&mut self.tx))
    }

    async fn put_group(&mut self, group: &ConsumerGroup) -> Result<(), Failure> {
        tell!(self, subscriptions::put_group(&mut self.tx, group))
    }

    async fn remove_group(&mut self, id: &GroupId) -> Result<(), Failure> {
        tell!(self, subscriptions::remove_group(&mut self.tx, id))
    }

    async fn put_subscription(&mut self, subscription: &Subscription) -> Result<(), Failure> {
        tell!(self, subscriptions::put_subscription(&mut self.tx, subscription))
    }

    async fn remove_subscription(&mut self, product: &ProductKey) -> Result<(), Failure> {
        tell!(self, subscriptions::remove_subscription(&mut self.tx, product))
    }

    async fn claim(&mut self, from: i64, claim: &ClaimRow) -> Result<bool, Failure> {
        tell!(self, messages::claim(&mut self.tx, from, claim))
    }

    async fn move_on(&mut self, reader: &ReaderName, from: i64, to: i64) -> Result<bool, Failure> {
        tell!(self, messages::move_on(&mut self.tx, reader, from, to))
    }

    async fn end_claims(&mut self, claims: &[(ReaderName, i64)]) -> Result<(), Failure> {
        tell!(self, messages::end_claims(&mut self.tx, claims))
    }

    async fn give_back(&mut self, back: &[(ReaderName, GivenBack)]) -> Result<(), Failure> {
        tell!(self, messages::give_back(&mut self.tx, back))
    }

    async fn take_again(
        &mut self,
        reader: &ReaderName,
        lease: Lease,
        now: UnixMillis,
        max: usize,
    ) -> Result<Vec<Again>, Failure> {
        tell!(self, messages::take_again(&mut self.tx, reader, lease, now, max))
    }

    async fn end_backlog(&mut self, settled: &[(ReaderName, i64)]) -> Result<(), Failure> {
        tell!(self, messages::end_backlog(&mut self.tx, settled))
    }

    async fn end_waiting(&mut self, settled: &[(ReaderName, i64)]) -> Result<(), Failure> {
        tell!(self, messages::end_waiting(&mut self.tx, settled))
    }

    async fn claims(&mut self) -> Result<Vec<ClaimSeen>, Failure> {
        tell!(self, messages::claims(&mut self.tx))
    }

    async fn release_claim(&mut self, claim: &ClaimRow, parts: &[Part], now: UnixMillis) -> Result<u64, Failure> {
        tell!(self, messages::release_claim(&mut self.tx, claim, parts, now))
    }

    async fn in_hands(&mut self) -> Result<Vec<InHand>, Failure> {
        tell!(self, messages::in_hands(&mut self.tx))
    }

    async fn release_backlog(&mut self, places: &[(ReaderName, i64)], now: UnixMillis) -> Result<(), Failure> {
        tell!(self, messages::release_backlog(&mut self.tx, places, now))
    }

    async fn revive(&mut self, reader: &ReaderName, places: Option<&[i64]>, now: UnixMillis) -> Result<u64, Failure> {
        tell!(self, messages::revive(&mut self.tx, reader, places, now))
    }

    async fn skip(&mut self, reader: &ReaderName) -> Result<(RangeInclusive<i64>, u64), Failure> {
        tell!(self, messages::skip(&mut self.tx, reader))
    }

    async fn devices(&mut self, devices: &[DeviceKey]) -> Result<Vec<DeviceEntry>, Failure> {
        tell!(self, presence::of(&mut self.tx, devices))
    }

    async fn online_devices(&mut self) -> Result<Vec<DeviceEntry>, Failure> {
        tell!(self, presence::online(&mut self.tx))
    }

    async fn drop_messages(&mut self, up_to: i64) -> Result<Vec<(ReaderName, u64)>, Failure> {
        tell!(self, messages::drop_messages(&mut self.tx, up_to))
    }

    async fn lose(&mut self, reader: &ReaderName, lost: u64) -> Result<(), Failure> {
        tell!(self, messages::lose(&mut self.tx, reader, lost))
    }
}
