//! A server that commits, and cannot say so any more.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

/// Stands before the server, and ends so many of the connections on which it says that it has committed.
async fn cutting(server: SocketAddr, cuts: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, server, cuts.clone()));
        }
    });
    address
}

async fn pass(mut client: TcpStream, server: SocketAddr, cuts: Arc<AtomicUsize>) {
    let mut server = TcpStream::connect(server).await.unwrap();
    let ((mut asked, mut told), (mut answers, mut asks)) = (client.split(), server.split());
    let answer = async {
        let mut bytes = vec![0; 65_536];
        while let Ok(read @ 1..) = answers.read(&mut bytes).await {
            let committed = bytes[..read].windows(7).any(|word| word == b"COMMIT\0");
            let one_less = |left: usize| left.checked_sub(1);
            if committed && cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
                return;
            }
            if told.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = answer => {}
        _ = copy(&mut asked, &mut asks) => {}
    }
}

#[tokio::test]
async fn a_reply_whose_commit_was_in_doubt_is_told_as_the_one_that_ended_its_call() {
    let server = Postgres::shared();
    let cuts = Arc::<AtomicUsize>::default();
    for how_often in [1, 2] {
        let between = cutting(server.address(), cuts.clone()).await.to_string();
        let url = server.database().url().replace(&server.address().to_string(), &between);
        let config = Config { url: Some(StoreUrl::new(&format!("{url}?sslmode=disable"))), ..Config::default() };
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(config.clone(), folder.path()).await.unwrap();
        let bench = Bench { on: On::Postgres, folder, config, store }.with_devices(&["d1"]).await;
        bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();

        cuts.store(how_often, Ordering::SeqCst);
        let replies = vec![reply("d1", 1, 200), reply("d1", 1, 200)];
        let did = end_all(&*bench.store, replies);
        let mut told = Vec::new();
        let all = async {
            while told.len() < 2 {
                bench.store.flush().await;
                told.extend(did.try_iter());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(60), all).await.expect("told");
        assert_eq!(cuts.load(Ordering::SeqCst), 0);
        assert!(
            matches!(told[..], [Completion::Matched { outcome: Outcome::Ok, .. }, Completion::Duplicate]),
            "{told:?}"
        );
        assert_eq!(bench.store.shared().write.lock().await.waiting.len(), 0);
        assert_eq!(bench.store.complete(vec![reply("d1", 1, 200)]).await.unwrap(), [Completion::Duplicate]);
    }
}
