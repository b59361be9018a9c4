//! The token as waker: from any thread, and after the call.

use std::future::poll_fn;
use std::sync::Mutex;
use std::task::{Poll, Waker};

use super::{bench, call, fine};

#[test]
fn another_thread_may_wake_a_handler() {
    let mut waits = bench(|_, _| {
        Box::pin(async {
            let mut thread = None;
            poll_fn(|context| {
                let waker = context.waker().clone();
                match thread.take() {
                    None => {
                        thread = Some(std::thread::spawn(move || waker.wake()));
                        Poll::Pending
                    }
                    Some(started) => Poll::Ready(started.join()),
                }
            })
            .await
            .unwrap();
            fine()
        })
    });

    assert!(call(&mut waits).is_ok());
}

#[test]
fn a_waker_that_outlives_its_call_is_harmless() {
    static KEPT: Mutex<Vec<Waker>> = Mutex::new(Vec::new());
    let mut keeps = bench(|_, _| {
        Box::pin(async {
            let mut polls = 0;
            poll_fn(|context| {
                polls += 1;
                KEPT.lock().unwrap().push(context.waker().clone());
                context.waker().wake_by_ref();
                if polls < 3 {
                    Poll::Pending
                } else {
                    Poll::Ready(())
                }
            })
            .await;
            fine()
        })
    });
    assert!(call(&mut keeps).is_ok());

    let kept = std::mem::take(&mut *KEPT.lock().unwrap());

    assert_eq!(kept.len(), 3);
    assert!(kept[0].will_wake(&kept[1]));
    for waker in kept {
        waker.wake();
    }
    assert!(call(&mut keeps).is_ok());
}
