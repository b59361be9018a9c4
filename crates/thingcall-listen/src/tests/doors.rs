//! Who gets in, and who must leave.

use std::io;
use std::time::Duration;

use prometheus::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::{Door, Figures, Place, Reserve};

async fn door(connections_max: usize) -> (Door, std::net::SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let figures = Figures::register("test", &Registry::new()).unwrap();
    (Door::new(listener, connections_max, figures), address)
}

async fn soon<T>(event: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), event).await.expect("it happens soon")
}

/// Lets in one more.
async fn enters(door: &mut Door, address: std::net::SocketAddr) -> (TcpStream, TcpStream, Place) {
    let theirs = TcpStream::connect(address).await.unwrap();
    let (ours, _, place) = soon(door.next()).await;
    (theirs, ours, place)
}

#[tokio::test]
async fn who_waited_longest_gives_way_and_who_is_busy_stays() {
    let (mut door, address) = door(2).await;
    let busy = enters(&mut door, address).await;
    busy.2.busy();
    let idle = enters(&mut door, address).await;
    let leaves = tokio::spawn(async move {
        idle.2.must_leave().await;
        drop(idle);
    });
    let began = Instant::now();
    let _third = enters(&mut door, address).await;
    soon(leaves).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(900), "not before it has waited for a while");
    assert!(timeout(Duration::from_millis(10), busy.2.must_leave()).await.is_err(), "a busy one is not asked");
}

#[tokio::test]
async fn one_that_became_busy_after_it_was_asked_stays() {
    let (mut door, address) = door(1).await;
    let (_theirs, _ours, place) = enters(&mut door, address).await;
    let _second = TcpStream::connect(address).await.unwrap();
    assert!(timeout(Duration::from_millis(1500), door.next()).await.is_err(), "there is no place");
    place.busy();
    assert!(timeout(Duration::from_millis(10), place.must_leave()).await.is_err());
    drop(place);
    soon(door.next()).await;
}

#[tokio::test]
async fn a_wait_that_is_given_up_loses_no_connection() {
    let (mut door, address) = door(1).await;
    let (_, _, place) = enters(&mut door, address).await;
    let mut second = TcpStream::connect(address).await.unwrap();
    assert!(timeout(Duration::from_millis(50), door.next()).await.is_err(), "there is no place");
    drop(place);
    let (ours, ..) = soon(door.next()).await;
    assert_eq!(ours.peer_addr().unwrap(), second.local_addr().unwrap());
    drop(ours);
    assert_eq!(tokio::io::AsyncReadExt::read(&mut second, &mut [0]).await.unwrap(), 0);
}

#[test]
fn a_reserve_lends_what_it_has_and_only_where_there_are_no_descriptors() {
    let reserve = Reserve::new(2);
    let none_left = io::Error::from_raw_os_error(24);
    assert!(!reserve.lends(&io::Error::from_raw_os_error(13)), "permission denied");
    assert!(reserve.lends(&none_left) && reserve.lends(&none_left) && !reserve.lends(&none_left));
    reserve.refill();
    assert!(reserve.lends(&none_left));
}
