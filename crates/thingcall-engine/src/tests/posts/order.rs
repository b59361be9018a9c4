//! The order of one device's reports.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_burst_of_one_device_is_in_the_log_in_its_order_and_its_last_value_is_the_last() {
    const POSTS: usize = 2_000;
    let log = Log::new(&[MessageKind::Property]);
    log.room.add_permits(POSTS);
    let bench = usual(&log);
    let numbers: Vec<_> = (0..POSTS).map(|number| number.to_string()).collect();
    for number in &numbers {
        let came = post(Said::Properties(vec![value("temp", number)]));
        let echo = came.echo.clone().map(|echo| PostEcho { id: number.clone(), ..echo });
        bench.engine.accept_post(Post { echo, ..came }, BY, "t", &Unawaited);
    }
    bench.engine.drain(30 * SECOND).await;
    let written = log.written.lock().unwrap();
    assert!(written.iter().map(|message| &message.words.topic).eq(&numbers));
    assert!(written.is_sorted_by_key(|message| message.at));
    assert!(log.kept().iter().map(|(_, value, _)| value).eq(&numbers));
}

#[tokio::test(start_paused = true)]
async fn one_post_of_many_messages_is_written_in_parts_and_what_came_behind_it_after_them() {
    let log = Log::new(&[MessageKind::History]);
    let bench = usual(&log);
    let properties = vec![vec![value("temp", "1.0")]; 1_200];
    bench.engine.accept_post(post(Said::History { properties, events: Vec::new() }), BY, "t", &Unawaited);
    let behind = Said::History { properties: Vec::new(), events: vec![value("alarm", "{}")] };
    bench.engine.accept_post(post(behind), BY, "t", &Unawaited);
    assert_eq!((answer(&bench).await.0, answer(&bench).await.0), (200, 200));
    assert_eq!(*log.appends.lock().unwrap(), [500, 500, 200, 1]);
}

#[tokio::test(start_paused = true)]
async fn reports_in_a_device_s_own_bytes_are_told_in_their_order_however_long_each_is_translated() {
    let log = Log::new(&[MessageKind::Property]);
    let settings = ProductSettings { data_format: DataFormat::Custom, ..ProductSettings::default() };
    let reports = Reports { log: log.clone(), words: log.clone(), last: log.clone() };
    let bench = bench_reporting((Config::default(), settings), Arc::new(Thermometer), reports);
    for payload in [&[1; 3][..], &[1; 2], &[1; 1]] {
        let payload = Bytes::copy_from_slice(payload);
        let (device, transport) = (device("dev1"), TransportKind::Embedded);
        let raw = RawReply { device, transport, topic_id: None, service: None, payload };
        bench.engine.accept_raw_post(raw, HeardOnce { by: BY, answers: false }, "t", &Unawaited);
    }
    bench.engine.drain(10 * SECOND).await;
    let kept: Vec<_> = log.kept().into_iter().map(|(_, value, _)| value).collect();
    assert_eq!(kept, ["3.0", "2.0", "1.0"]);
}
