//! The log's part of the store's seam.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use thingcall_core::{
    ConsumerGroup, DeviceKey, GivenBack, GroupId, Lease, Message, MessageId, NewMessage, ProductKey, ReaderName,
    Subscription, UnixMillis, Wanted,
};

use super::Sqlite;
use super::trouble::failure;
use super::tx::SqliteTx;
use super::{message_reads, messages, presence, subscriptions};
use crate::failure::Failure;
use crate::groups::Subscribed;
use crate::memory::DeviceEntry;
use crate::message_tables::{
    Again, ClaimRow, ClaimSeen, Dead, InHand, Limits, MessageReads, MessageWrites, Part, ReaderRow,
};

macro_rules! ask {
    ($self:ident, $ask:expr) => {
        $ask.await.map_err(failure)
    };
}
use ask as tell;

#[async_trait]
impl MessageReads for Sqlite {
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
impl MessageWrites for SqliteTx<'_> {
    async fn append_messages(&mut self, new: &[(MessageId, NewMessage)], _behind: Option<i64>) -> Result<i64, Failure> {
        tell!(self, messages::append(self, new))
    }

    async fn set_reader(&mut self, name: &ReaderName, wanted: &Wanted) -> Result<(), Failure> {
        tell!(self, messages::set_reader(self, name, wanted))
    }

    async fn remove_reader(&mut self, name: &ReaderName) -> Result<(), Failure> {
        tell!(self, messages::remove_reader(self, name))
    }

    async fn subscribed(&mut self) -> Result<Subscribed, Failure> {
        tell!(self, subscriptions::locked(self))
    }

    async fn put_group(&mut self, group: &ConsumerGroup) -> Result<(), Failure> {
        tell!(self, subscriptions::put_group(self, group))
    }

    async fn remove_group(&mut self, id: &GroupId) -> Result<(), Failure> {
        tell!(self, subscriptions::remove_group(self, id))
    }

    async fn put_subscription(&mut self, subscription: &Subscription) -> Result<(), Failure> {
        tell!(self, subscriptions::put_subscription(self, subscription))
    }

    async fn remove_subscription(&mut self, product: &ProductKey) -> Result<(), Failure> {
        tell!(self, subscriptions::remove_subscription(self, product))
    }

    async fn claim(&mut self, from: i64, claim: &ClaimRow) -> Result<bool, Failure> {
        tell!(self, messages::claim(self, from, claim))
    }

    async fn move_on(&mut self, reader: &ReaderName, from: i64, to: i64) -> Result<bool, Failure> {
        tell!(self, messages::move_on(self, reader, from, to))
    }

    async fn end_claims(&mut self, claims: &[(ReaderName, i64)]) -> Result<(), Failure> {
        tell!(self, messages::end_claims(self, claims))
    }

    async fn give_back(&mut self, back: &[(ReaderName, GivenBack)]) -> Result<(), Failure> {
        tell!(self, messages::give_back(self, back))
    }

    async fn take_again(
        &mut self,
        reader: &ReaderName,
        lease: Lease,
        now: UnixMillis,
        max: usize,
    ) -> Result<Vec<Again>, Failure> {
        tell!(self, messages::take_again(self, reader, lease, now, max))
    }

    async fn end_backlog(&mut self, settled: &[(ReaderName, i64)]) -> Result<(), Failure> {
        tell!(self, messages::end_backlog(self, settled))
    }

    async fn end_waiting(&mut self, settled: &[(ReaderName, i64)]) -> Result<(), Failure> {
        tell!(self, messages::end_waiting(self, settled))
    }

    async fn claims(&mut self) -> Result<Vec<ClaimSeen>, Failure> {
        tell!(self, messages::claims(self))
    }

    async fn release_claim(&mut self, claim: &ClaimRow, parts: &[Part], now: UnixMillis) -> Result<u64, Failure> {
        tell!(self, messages::release_claim(self, claim, parts, now))
    }

    async fn in_hands(&mut self) -> Result<Vec<InHand>, Failure> {
        tell!(self, messages::in_hands(self))
    }

    async fn release_backlog(&mut self, places: &[(ReaderName, i64)], now: UnixMillis) -> Result<(), Failure> {
        tell!(self, messages::release_backlog(self, places, now))
    }

    async fn revive(&mut self, reader: &ReaderName, places: Option<&[i64]>, now: UnixMillis) -> Result<u64, Failure> {
        tell!(self, messages::revive(self, reader, places, now))
    }

    async fn skip(&mut self, reader: &ReaderName) -> Result<(RangeInclusive<i64>, u64), Failure> {
        tell!(self, messages::skip(self, reader))
    }

    async fn devices(&mut self, devices: &[DeviceKey]) -> Result<Vec<DeviceEntry>, Failure> {
        tell!(self, presence::of(self, devices))
    }

    async fn online_devices(&mut self) -> Result<Vec<DeviceEntry>, Failure> {
        tell!(self, presence::online(self))
    }

    async fn drop_messages(&mut self, up_to: i64) -> Result<Vec<(ReaderName, u64)>, Failure> {
        tell!(self, messages::drop_messages(self, up_to))
    }

    async fn lose(&mut self, reader: &ReaderName, lost: u64) -> Result<(), Failure> {
        tell!(self, messages::lose(self, reader, lost))
    }
}
