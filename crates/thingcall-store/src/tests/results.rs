//! Results that an earlier release left to be published.

use thingcall_core::{MessageKind, MessageKinds, MessageLog, ReaderName, Wanted};

use super::*;

#[tokio::test]
async fn results_that_an_earlier_release_left_are_in_the_log_once() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.serves(&bench.store, 0).await;
    bench.store.tell_in(Arc::new(PlainWords));
    for id in [7, 3, 5] {
        bench.open("d1", id, Qos::AtMostOnce).await.unwrap();
        bench.store.complete(vec![reply("d1", id, 200)]).await.unwrap();
    }
    bench.run("UPDATE calls SET due = (1 = 1) WHERE call_id <> 3").await;
    let reader = ReaderName("exchange:results".to_owned());
    let results = MessageKinds::NONE.with(MessageKind::Result);
    bench.store.set_reader(&reader, Wanted { of: vec![(None, results)] }).await.unwrap();
    bench.store.move_due_results().await.unwrap();
    bench.store.move_due_results().await.unwrap();
    let taken = bench.store.take(&reader, 9).await.unwrap();
    let ids: Vec<_> = taken.iter().map(|taken| taken.message.words.body[0]).collect();
    assert_eq!(ids, *b"75");
}
