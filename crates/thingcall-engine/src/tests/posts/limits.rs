//! What is under way at most, and what becomes of what finds no room or cannot be written.

use super::*;
use crate::tests::acknowledgements::Watched;

#[tokio::test(start_paused = true)]
async fn more_than_may_be_under_way_are_answered_429_and_counted() {
    let log = Log::new(&[MessageKind::Property]);
    log.room.forget_permits(1000);
    let config = Config { posts_on_their_way_max: 2.try_into().unwrap(), ..Config::default() };
    let bench = bench(&log, config, ProductSettings::default());

    for _ in 0..3 {
        bench.engine.accept_post(post(Said::Properties(vec![value("temp", "1.0")])), BY, "t", &Unawaited);
    }

    assert_eq!(answer(&bench).await.0, 429);
    assert_eq!((counted(&bench, "property", "overloaded"), bench.dropped("overloaded")), (1.0, 1.0));
    log.room.add_permits(2);
    assert_eq!((answer(&bench).await.0, answer(&bench).await.0), (200, 200));
    assert_eq!(log.kinds().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_more_bytes_are_under_way_than_may_and_a_larger_one_goes_alone() {
    let log = Log::new(&[MessageKind::Property]);
    log.room.forget_permits(1000);
    let config = Config { posts_on_their_way_bytes_max: 1_000.try_into().unwrap(), ..Config::default() };
    let bench = bench(&log, config, ProductSettings::default());
    let come = |bytes| {
        let said = Said::Properties(vec![value("temp", "1.0")]);
        bench.engine.accept_post(Post { bytes, ..post(said) }, BY, "t", &Unawaited);
    };

    for bytes in [9, 9, 600] {
        come(bytes);
    }
    assert_eq!(answer(&bench).await.0, 429);
    log.room.add_permits(2);
    assert_eq!((answer(&bench).await.0, answer(&bench).await.0), (200, 200));
    come(9_000);
    bench.engine.refresh_metrics();
    assert_eq!(bench.metric("thingcall_posts_on_their_way_bytes"), 1_000.0);
    log.room.add_permits(1);
    assert_eq!(answer(&bench).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn message_without_an_answer_is_acknowledged_once_it_is_written_and_not_where_it_cannot_be() {
    let log = Log::new(&[MessageKind::Custom]);
    let config = Config { posts_on_their_way_max: 1.try_into().unwrap(), ..Config::default() };
    let bench = bench(&log, config, ProductSettings::default());
    let come = || {
        let said = Said::Custom { topic: "/pk1/dev1/user/x".to_owned(), payload: Bytes::new() };
        let message = Watched::default();
        bench.engine.accept_post(Post { echo: None, ..post(said) }, BY, "t", &message);
        message
    };
    log.room.forget_permits(1000);
    let (first, too_many) = (come(), come());
    tokio::time::sleep(SECOND).await;
    assert_eq!((first.is(), too_many.is()), ((true, false), (true, false)));
    log.room.add_permits(1000);
    tokio::time::sleep(SECOND).await;
    assert_eq!((first.is(), too_many.is()), ((true, true), (true, false)));
    log.broken.store(true, Ordering::Relaxed);
    let broken = come();
    tokio::time::sleep(SECOND).await;
    assert_eq!(broken.is(), (true, false));
    // A device that is told so knows, and has its acknowledgement.
    let told_so = Watched::default();
    let said = Said::TagsRemoved(Vec::new());
    log.broken.store(false, Ordering::Relaxed);
    bench.engine.accept_post(post(said), BY, "t", &told_so);
    answer(&bench).await;
    assert_eq!(told_so.is(), (true, true));
}

#[tokio::test(start_paused = true)]
async fn values_for_which_there_is_no_room_are_counted() {
    let log = Log::new(&[]);
    log.full.store(true, Ordering::Relaxed);
    let bench = usual(&log);
    bench.engine.accept_post(post(Said::Properties(vec![value("temp", "1.0")])), BY, "t", &Unawaited);
    assert_eq!(answer(&bench).await.0, 200, "the report itself was taken");
    assert_eq!(bench.metric("thingcall_last_values_not_kept_total"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn store_that_cannot_be_written_is_told_and_no_success() {
    let log = Log::new(&[MessageKind::Property]);
    log.broken.store(true, Ordering::Relaxed);
    let bench = usual(&log);
    bench.engine.accept_post(post(Said::Properties(vec![value("temp", "1.0")])), BY, "t", &Unawaited);
    assert_eq!(answer(&bench).await, (500, "not written: the store is full".to_owned(), Vec::new()));
    assert_eq!(counted(&bench, "property", "failed"), 1.0);
    assert!(log.kept().is_empty());
}
