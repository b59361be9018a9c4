//! When bytes leave, on real sockets.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

async fn pair() -> (Gathered, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (ours, theirs) = tokio::join!(connect(address, NetworkOptions::new()), listener.accept());
    (ours.unwrap(), theirs.unwrap().0)
}

async fn told(theirs: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut text = vec![0; bytes];
    theirs.read_exact(&mut text).await.unwrap();
    text
}

/// Has something read, so that whoever reads may still be at work on it.
async fn at_work(ours: &mut Gathered, theirs: &mut TcpStream) {
    theirs.write_all(b"?").await.unwrap();
    assert_eq!(ours.read_u8().await.unwrap(), b'?');
}

#[tokio::test]
async fn what_is_flushed_leaves_at_once_while_nothing_is_worked_off() {
    let (mut ours, mut theirs) = pair().await;
    ours.write_all(b"one").await.unwrap();
    ours.flush().await.unwrap();
    assert_eq!(told(&mut theirs, 3).await, b"one");
}

#[tokio::test]
async fn what_is_flushed_while_packets_are_worked_off_leaves_in_one_piece_before_the_next_read() {
    let (mut ours, mut theirs) = pair().await;
    at_work(&mut ours, &mut theirs).await;
    for text in [b"one", b"two"] {
        ours.write_all(text).await.unwrap();
        ours.flush().await.unwrap();
    }
    assert_eq!(&ours.out[..], b"onetwo");
    let reads = tokio::spawn(async move { ours.read_u8().await });
    assert_eq!(told(&mut theirs, 6).await, b"onetwo");
    theirs.write_all(b"!").await.unwrap();
    assert_eq!(reads.await.unwrap().unwrap(), b'!');
}

#[tokio::test]
async fn a_read_that_finds_nothing_ends_the_work() {
    let (mut ours, mut theirs) = pair().await;
    at_work(&mut ours, &mut theirs).await;
    tokio::select! {
        biased;
        _ = ours.read_u8() => unreachable!("nothing was sent"),
        () = std::future::ready(()) => {}
    }
    ours.write_all(b"one").await.unwrap();
    assert!(ours.out.is_empty());
    assert_eq!(told(&mut theirs, 3).await, b"one");
}

#[tokio::test]
async fn no_more_is_gathered_than_the_limit() {
    let (mut ours, mut theirs) = pair().await;
    at_work(&mut ours, &mut theirs).await;
    let text = vec![b'x'; GATHERED_BYTES_MAX];
    ours.write_all(&text).await.unwrap();
    assert_eq!(ours.out.len(), GATHERED_BYTES_MAX);
    let (flushed, theirs) = tokio::join!(ours.flush(), told(&mut theirs, GATHERED_BYTES_MAX));
    flushed.unwrap();
    assert_eq!(theirs, text);
    assert!(ours.out.is_empty());
}

#[tokio::test]
async fn last_words_leave_when_it_is_dropped() {
    let (mut ours, mut theirs) = pair().await;
    at_work(&mut ours, &mut theirs).await;
    ours.write_all(b"goodbye").await.unwrap();
    ours.flush().await.unwrap();
    drop(ours);
    assert_eq!(told(&mut theirs, 7).await, b"goodbye");
    assert_eq!(theirs.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn of_a_name_the_address_that_answers_is_taken() {
    // Bound to one of the two addresses of the name alone.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let name = format!("localhost:{}", listener.local_addr().unwrap().port());
    assert!(connect(name, NetworkOptions::new()).await.is_ok());
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let refused = connect(format!("localhost:{port}"), NetworkOptions::new()).await.err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}
