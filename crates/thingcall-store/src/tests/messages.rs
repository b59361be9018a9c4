//! The log of messages and its readers.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use thingcall_core::{
    GivenBack, MessageKind, MessageKinds, MessageLog, NewMessage, ReaderName, Standing, Taken, Wanted, Words,
};

use super::*;
use crate::{MessagesConfig, log_keeper};

/// A store whose process may take messages.
async fn log_bench() -> Bench {
    log_bench_with(MessagesConfig::default()).await
}

async fn log_bench_with(messages: MessagesConfig) -> Bench {
    let bench = bench_with(Config { messages, ..Config::default() }).await;
    bench.serves(&bench.store, 0).await;
    bench
}

fn reader(name: &str) -> ReaderName {
    ReaderName(name.to_owned())
}

fn wanted(kinds: &[MessageKind]) -> Wanted {
    Wanted { of: vec![(None, kinds.iter().copied().collect())] }
}

fn event(says: &str) -> NewMessage {
    message(MessageKind::Event, says)
}

fn message(kind: MessageKind, says: &str) -> NewMessage {
    let words = Words { topic: "/p/d1/thing/event/x/post".to_owned(), body: says.to_owned().into(), trace: None };
    NewMessage { kind, device: key("d1"), at: UnixMillis::now(), words }
}

fn says(taken: &[Taken]) -> Vec<(String, u32)> {
    let says = |taken: &Taken| String::from_utf8(taken.message.words.body.to_vec()).unwrap();
    taken.iter().map(|taken| (says(taken), taken.tries)).collect()
}

fn fresh(says: &[&str]) -> Vec<(String, u32)> {
    says.iter().map(|says| ((*says).to_owned(), 0)).collect()
}

fn places(taken: &[Taken]) -> Vec<i64> {
    taken.iter().map(|taken| taken.message.place).collect()
}

fn now(place: i64) -> GivenBack {
    GivenBack { place, again_at: Some(UnixMillis(0)), tried: true, why: "not now".to_owned() }
}

async fn with_reader(kinds: &[MessageKind]) -> (Bench, ReaderName) {
    let (bench, reader) = (log_bench().await, reader("group:a"));
    bench.store.set_reader(&reader, wanted(kinds)).await.unwrap();
    (bench, reader)
}

#[tokio::test]
async fn what_is_appended_is_taken_once_in_its_order_and_survives_a_restart() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    bench.store.append(vec![event("1"), event("2"), event("3")]).await.unwrap();
    bench.store.append(vec![event("4")]).await.unwrap();
    let first = bench.store.take(&a, 3).await.unwrap();
    assert_eq!(says(&first), fresh(&["1", "2", "3"]));
    assert!(first.windows(2).all(|two| two[0].message.place < two[1].message.place));
    assert_eq!(first[0].message.device, key("d1"));
    assert_eq!(first[0].message.words.topic, "/p/d1/thing/event/x/post");
    bench.store.settle(&a, &places(&first));
    let bench = bench.reopened().await;
    bench.serves(&bench.store, 0).await;
    assert_eq!(says(&bench.store.take(&a, 3).await.unwrap()), fresh(&["4"]));
    assert!(bench.store.take(&a, 3).await.unwrap().is_empty());
    assert_eq!(bench.ask("SELECT CAST(COUNT(*) AS TEXT) FROM claims").await, ["1"], "of the 4th");
}

#[tokio::test]
async fn readers_are_independent_and_get_what_they_want() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    let b = reader("webhook:b");
    let of_p = Wanted { of: vec![(Some("p".try_into().unwrap()), MessageKinds::NONE.with(MessageKind::Tag))] };
    bench.store.set_reader(&b, of_p).await.unwrap();
    assert!(bench.store.is_wanted(&"p".try_into().unwrap(), MessageKind::Tag));
    assert!(!bench.store.is_wanted(&"q".try_into().unwrap(), MessageKind::Tag));
    bench
        .store
        .append(vec![event("e"), message(MessageKind::Tag, "t"), message(MessageKind::Custom, "c")])
        .await
        .unwrap();
    assert_eq!(says(&bench.store.take(&a, 9).await.unwrap()), fresh(&["e"]));
    assert_eq!(says(&bench.store.take(&b, 9).await.unwrap()), fresh(&["t"]));
    assert_eq!(bench.ask("SELECT CAST(COUNT(*) AS TEXT) FROM messages").await, ["2"], "nobody wants what is custom");
    assert!(bench.store.take(&reader("nobody"), 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_new_reader_begins_with_what_is_written_from_now_on_and_a_wish_that_ends_leaves_what_is_queued() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    bench.store.append(vec![event("1")]).await.unwrap();
    let b = reader("group:b");
    bench.store.set_reader(&b, wanted(&[MessageKind::Event])).await.unwrap();
    bench.store.append(vec![event("2")]).await.unwrap();
    bench.store.set_reader(&a, Wanted::default()).await.unwrap();
    bench.store.append(vec![event("3")]).await.unwrap();
    assert_eq!(bench.store.standing(&a).await.unwrap().unread, 2);
    assert_eq!(says(&bench.store.take(&a, 9).await.unwrap()), fresh(&["1", "2"]));
    assert_eq!(says(&bench.store.take(&b, 9).await.unwrap()), fresh(&["2", "3"]));
}

#[tokio::test]
async fn what_is_given_back_comes_again_when_it_is_due_under_its_id() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    bench.store.append(vec![event("1"), event("2"), event("3")]).await.unwrap();
    let taken = bench.store.take(&a, 3).await.unwrap();
    let [one, two, three] = places(&taken)[..] else { panic!("three") };
    let later = GivenBack { again_at: Some(UnixMillis(i64::MAX)), ..now(two) };
    bench.store.give_back(&a, vec![now(one), later]);
    bench.store.settle(&a, &[three]);
    let again = bench.store.take_again(&a, 9).await.unwrap();
    assert_eq!(says(&again), [("1".to_owned(), 1)]);
    assert_eq!(again[0].message.id, taken[0].message.id);
    assert!(bench.store.take_again(&a, 9).await.unwrap().is_empty(), "it is in hand");
    bench.store.give_back(&a, vec![now(one)]);
    assert_eq!(says(&bench.store.take_again(&a, 9).await.unwrap()), [("1".to_owned(), 2)]);
    bench.store.settle(&a, &[one]);
    bench.store.flush().await;
    let left = Standing { unread: 1, again: 1, dead: 0, lost: 0 };
    assert_eq!(bench.store.standing(&a).await.unwrap(), left);
    assert_eq!(bench.ask("SELECT CAST(COUNT(*) AS TEXT) FROM claims").await, ["0"]);
    // What is settled or given back twice, or by the wrong one, changes nothing.
    bench.store.settle(&a, &[one, three]);
    bench.store.give_back(&a, vec![now(three)]);
    bench.store.flush().await;
    assert_eq!(bench.store.standing(&a).await.unwrap(), left);
}

#[tokio::test]
async fn what_is_settled_after_it_was_given_back_is_not_handed_out_again() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    bench.store.append(vec![event("1"), event("2"), event("3")]).await.unwrap();
    let taken = places(&bench.store.take(&a, 3).await.unwrap());
    bench.store.give_back(&a, taken.iter().copied().map(now).collect());
    // One at once, one when it is written that it came back, one when somebody has it again.
    bench.store.settle(&a, &taken[..1]);
    bench.store.flush().await;
    bench.store.settle(&a, &taken[1..2]);
    assert_eq!(says(&bench.store.take_again(&a, 9).await.unwrap()), [("3".to_owned(), 1)]);
    bench.store.settle(&a, &taken[2..]);
    bench.store.give_back(&a, vec![now(taken[2])]);
    bench.store.flush().await;
    assert_eq!(bench.store.standing(&a).await.unwrap(), Standing::default());
    assert_eq!(bench.ask("SELECT CAST(COUNT(*) AS TEXT) FROM backlog").await, ["0"]);
}

#[tokio::test]
async fn what_was_not_sent_counts_no_try() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    bench.store.append(vec![event("1")]).await.unwrap();
    let place = places(&bench.store.take(&a, 1).await.unwrap())[0];
    for (tried, tries) in [(false, 0), (true, 1), (false, 1), (true, 2)] {
        bench.store.give_back(&a, vec![GivenBack { tried, ..now(place) }]);
        assert_eq!(says(&bench.store.take_again(&a, 1).await.unwrap()), [("1".to_owned(), tries)]);
    }
}

#[tokio::test]
async fn dead_letters_are_looked_at_and_sent_again() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    bench.store.append(vec![event("1"), event("2")]).await.unwrap();
    let taken = places(&bench.store.take(&a, 2).await.unwrap());
    let dead = |place: &i64| GivenBack { again_at: None, why: "refused with 410".to_owned(), ..now(*place) };
    bench.store.give_back(&a, taken.iter().map(dead).collect());
    bench.store.flush().await;
    assert_eq!(bench.store.standing(&a).await.unwrap(), Standing { unread: 0, again: 0, dead: 2, lost: 0 });
    let letters = bench.store.dead(&a, 0, 9).await.unwrap();
    assert_eq!((says(&[letters[0].0.clone()]), &*letters[0].1), (vec![("1".to_owned(), 1)], "refused with 410"));
    assert_eq!(bench.store.dead(&a, taken[0], 9).await.unwrap().len(), 1);
    assert!(bench.store.take_again(&a, 9).await.unwrap().is_empty());
    assert_eq!(bench.store.revive(&a, Some(&taken[1..])).await.unwrap(), 1);
    assert_eq!(says(&bench.store.take_again(&a, 9).await.unwrap()), fresh(&["2"]), "it has all its tries again");
    assert_eq!(bench.store.revive(&a, None).await.unwrap(), 1);
    assert_eq!(says(&bench.store.take_again(&a, 9).await.unwrap()), fresh(&["1"]));
}

#[tokio::test]
async fn what_a_dead_process_had_in_hand_is_handed_out_again() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    // Between those that are wanted are others, which never come.
    bench.store.set_reader(&reader("webhook:b"), wanted(&[MessageKind::Tag])).await.unwrap();
    bench.store.append(vec![event("1"), message(MessageKind::Tag, "t"), event("2"), event("3")]).await.unwrap();
    let taken = bench.store.take(&a, 9).await.unwrap();
    bench.store.give_back(&a, vec![now(taken[2].message.place)]);
    assert_eq!(bench.store.take_again(&a, 9).await.unwrap().len(), 1);
    let bench = bench.reopened().await;
    bench.serves(&bench.store, 0).await;
    let mut again = Vec::new();
    while again.len() < 3 {
        again.extend(bench.store.take_again(&a, 9).await.unwrap());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    again.sort_by_key(|taken| taken.message.place);
    let expected = [("1", 1), ("2", 1), ("3", 2)].map(|(says, tries)| (says.to_owned(), tries));
    assert_eq!(says(&again), expected);
    let ids = |taken: &[Taken]| taken.iter().map(|taken| taken.message.id).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&taken));
    assert_eq!(bench.store.standing(&a).await.unwrap().lost, 0);
}

/// Lets go of something, which cannot be written meanwhile, and looks for what nobody holds; how much that was.
async fn released_after(bench: &Bench, let_go: impl FnOnce()) -> usize {
    let shared = bench.store.shared();
    let mut side = shared.write.lock().await;
    let_go();
    let released = log_keeper::release_all(shared, &mut side).await.unwrap();
    drop(side);
    bench.store.flush().await;
    released
}

#[tokio::test]
async fn what_was_let_go_of_is_handed_out_to_nobody_while_that_waits_to_be_written() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    bench.store.append(vec![event("1"), event("2")]).await.unwrap();
    let settled = places(&bench.store.take(&a, 1).await.unwrap());
    let back = places(&bench.store.take(&a, 1).await.unwrap())[0];
    assert_eq!(released_after(&bench, || bench.store.settle(&a, &settled)).await, 0);
    assert_eq!(released_after(&bench, || bench.store.give_back(&a, vec![now(back)])).await, 0);
    assert_eq!(says(&bench.store.take_again(&a, 9).await.unwrap()), [("2".to_owned(), 1)]);
    assert_eq!(released_after(&bench, || bench.store.give_back(&a, vec![now(back)])).await, 0);
    assert_eq!(says(&bench.store.take_again(&a, 9).await.unwrap()), [("2".to_owned(), 2)]);
    assert_eq!(released_after(&bench, || bench.store.settle(&a, &[back])).await, 0);
    assert_eq!(bench.store.standing(&a).await.unwrap(), Standing::default());
    for table in ["SELECT CAST(COUNT(*) AS TEXT) FROM claims", "SELECT CAST(COUNT(*) AS TEXT) FROM backlog"] {
        assert_eq!(bench.ask(table).await, ["0"], "{table}");
    }
}

#[tokio::test]
async fn who_waits_is_woken_by_an_append_also_of_another_process() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    let seen = bench.store.newest();
    let (appended, ()) = tokio::join!(bench.store.append(vec![event("1")]), bench.store.appended(seen));
    appended.unwrap();
    let seen = bench.store.newest();
    let other = bench.other().await;
    let (appended, ()) = tokio::join!(other.append(vec![event("2")]), bench.store.appended(seen));
    appended.unwrap();
    assert_eq!(says(&bench.store.take(&a, 9).await.unwrap()), fresh(&["1", "2"]));
}

#[tokio::test]
async fn another_process_learns_what_is_wanted() {
    let bench = log_bench().await;
    let other = bench.other().await;
    let product = "p".try_into().unwrap();
    bench.store.set_reader(&reader("group:a"), wanted(&[MessageKind::Event])).await.unwrap();
    while !other.is_wanted(&product, MessageKind::Event) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.store.remove_reader(&reader("group:a")).await.unwrap();
    assert!(!bench.store.is_wanted(&product, MessageKind::Event));
    while other.is_wanted(&product, MessageKind::Event) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn skipping_drops_what_waits_and_counts_it_as_no_loss() {
    let (bench, a) = with_reader(&[MessageKind::Event]).await;
    bench.store.append(vec![event("1"), event("2"), event("3")]).await.unwrap();
    let taken = places(&bench.store.take(&a, 1).await.unwrap());
    bench.store.give_back(&a, vec![now(taken[0])]);
    bench.store.flush().await;
    assert_eq!(bench.store.skip(&a).await.unwrap(), 3);
    assert_eq!(bench.store.standing(&a).await.unwrap(), Standing::default());
    bench.store.append(vec![event("4")]).await.unwrap();
    assert_eq!(says(&bench.store.take(&a, 9).await.unwrap()), fresh(&["4"]));
}

#[tokio::test]
async fn the_oldest_are_dropped_where_there_are_too_many_and_each_reader_s_loss_is_counted() {
    let config = MessagesConfig { messages_max: NonZeroU64::new(3).unwrap(), ..MessagesConfig::default() };
    let bench = log_bench_with(config).await;
    let (slow, quick, other) = (reader("group:slow"), reader("group:quick"), reader("webhook:other"));
    // Takes nothing: what it has seen is its own affair.
    let looks = reader("stream:9999999999999-a0");
    for reader in [&slow, &quick, &looks] {
        bench.store.set_reader(reader, wanted(&[MessageKind::Event])).await.unwrap();
    }
    bench.store.set_reader(&other, wanted(&[MessageKind::Tag])).await.unwrap();
    for says in ["1", "2", "3", "4", "5"] {
        bench.store.append(vec![event(says)]).await.unwrap();
        let taken = bench.store.take(&quick, 9).await.unwrap();
        bench.store.settle(&quick, &places(&taken));
    }
    // In two steps, where the log is looked at after the fourth.
    while bench.store.standing(&slow).await.unwrap().lost < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let lost = |reader| bench.store.standing(reader);
    assert_eq!(lost(&slow).await.unwrap(), Standing { unread: 3, again: 0, dead: 0, lost: 2 });
    assert_eq!(lost(&quick).await.unwrap(), Standing::default());
    assert_eq!(lost(&other).await.unwrap(), Standing::default());
    assert_eq!(lost(&looks).await.unwrap().lost, 0);
    assert_eq!(says(&bench.store.take(&slow, 9).await.unwrap()), fresh(&["3", "4", "5"]));
}

#[tokio::test]
async fn no_more_wait_to_be_written_than_may_and_no_more_read_than_may() {
    let one = NonZeroUsize::new(1).unwrap();
    let config = MessagesConfig { append_queue_messages_max: one, readers_max: one, ..MessagesConfig::default() };
    let bench = log_bench_with(config).await;
    bench.store.set_reader(&reader("webhook:a"), wanted(&[MessageKind::Event])).await.unwrap();
    let refused = bench.store.set_reader(&reader("webhook:b"), wanted(&[MessageKind::Event])).await.unwrap_err();
    assert_eq!(refused, JournalError::ReadersFull { setting: "messages.readers_max", max: 1 });
    let (first, second) = tokio::join!(bench.store.append(vec![event("1")]), bench.store.append(vec![event("2")]));
    assert_eq!((first, second), (Ok(()), Err(JournalError::QueueFull(1))));
}

#[tokio::test]
async fn no_more_bytes_wait_to_be_written_than_may_and_one_message_may_have_more() {
    let append_queue_bytes_max = NonZeroUsize::new(1_000).unwrap();
    let bench = log_bench_with(MessagesConfig { append_queue_bytes_max, ..MessagesConfig::default() }).await;
    bench.store.set_reader(&reader("webhook:a"), wanted(&[MessageKind::Event])).await.unwrap();
    let (large, small) = (event(&"x".repeat(2_000)), event("1"));
    let (first, second) = tokio::join!(bench.store.append(vec![large]), bench.store.append(vec![small.clone()]));
    assert_eq!(first, Ok(()));
    assert!(matches!(second, Err(JournalError::QueueFull(_))), "{second:?}");
    assert_eq!(bench.store.append(vec![small]).await, Ok(()), "there is room again");
}

#[tokio::test]
async fn streams_have_room_of_their_own_and_keep_out_nobody_who_stays() {
    let one = NonZeroUsize::new(1).unwrap();
    let config = MessagesConfig { readers_max: one, stream_readers_max: one, ..MessagesConfig::default() };
    let bench = log_bench_with(config).await;
    let set = async |name: &str| bench.store.set_reader(&reader(name), wanted(&[MessageKind::Event])).await;
    set("stream:1-a").await.unwrap();
    let full = JournalError::ReadersFull { setting: "messages.stream_readers_max", max: 1 };
    assert_eq!(set("stream:1-b").await, Err(full));
    set("stream:2-a").await.unwrap();
    bench.store.remove_reader(&reader("stream:1-a")).await.unwrap();
    set("webhook:a").await.unwrap();
    set("group:a").await.unwrap();
    assert_eq!(bench.store.readers().await.unwrap(), ["group:a", "stream:2-a", "webhook:a"].map(reader));
    bench.store.remove_reader(&reader("stream:2-a")).await.unwrap();
    set("stream:1-b").await.unwrap();
}
