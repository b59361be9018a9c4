//! Facts about which command goes when, and a search for interleavings that break them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn id(n: u32) -> CallId {
    CallId::from_u32(n)
}

/// A connection in which nothing waits.
fn settled(window: usize) -> Flush {
    let mut flush = Flush::new(window);
    assert!(flush.settle());
    flush
}

#[tokio::test]
async fn offered_command_goes_at_once() {
    assert_eq!(settled(2).offer(id(1), Instant::now()), Offer::Send);
}

#[tokio::test]
async fn offered_during_a_flush_is_left_to_it() {
    let mut flush = Flush::new(2);
    assert_eq!(flush.offer(id(1), Instant::now()), Offer::Later);
    assert!(!flush.settle(), "it may have read the outbox before");
    assert_eq!(flush.take(id(1), Instant::now()), Take::Send);
    assert!(flush.settle());
}

#[tokio::test]
async fn full_window_starts_one_flush() {
    let mut flush = settled(1);
    assert_eq!(flush.offer(id(1), Instant::now()), Offer::Send);
    assert_eq!(flush.offer(id(2), Instant::now()), Offer::LaterAndFlush);
    assert_eq!(flush.offer(id(3), Instant::now()), Offer::Later);
    assert_eq!(flush.take(id(1), Instant::now()), Take::Skip);
    assert_eq!(flush.take(id(2), Instant::now()), Take::Full);
    assert!(flush.acked(id(1), Instant::now()).is_some());
    assert_eq!(flush.take(id(2), Instant::now()), Take::Send);
}

#[tokio::test]
async fn acknowledgement_of_what_was_not_sent_is_none_of_ours() {
    assert_eq!(settled(1).acked(id(1), Instant::now()), None);
}

#[tokio::test]
async fn memory_of_finished_commands_is_bounded() {
    let mut flush = settled(1);
    for n in 0..10_000 {
        assert_eq!(flush.offer(id(n), Instant::now()), Offer::Send);
        flush.gave_up(id(n));
    }
    assert_eq!(flush.finished.len(), FINISHED_MAX);
}

/// What may happen next, in any order.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A command is written down.
    Accept,
    /// The oldest command that was written down and not yet delivered is delivered; the other way round if `true`.
    Deliver(bool),
    /// The flush does one thing.
    Flush,
    /// The device acknowledges its oldest message; the store takes note of it later.
    Ack,
    /// The store takes note of an acknowledgement.
    Note,
}

/// The outbox, the device and the flush task around the state machine.
struct World {
    flush: Flush,
    now: Instant,
    window: usize,
    accepted: Vec<u32>,
    undelivered: Vec<u32>,
    noted: BTreeSet<u32>,
    unnoted: Vec<u32>,
    /// What the flush task has in hand; `None` when it does not run.
    task: Option<Task>,
    sent: Vec<u32>,
    unacked: Vec<u32>,
}

#[derive(Default)]
struct Task {
    page: Vec<u32>,
    read: bool,
    after: usize,
}

const PAGE: usize = 3;

impl World {
    fn new(window: usize) -> Self {
        Self {
            flush: Flush::new(window),
            now: Instant::now(),
            window,
            accepted: Vec::new(),
            undelivered: Vec::new(),
            noted: BTreeSet::new(),
            unnoted: Vec::new(),
            task: Some(Task::default()),
            sent: Vec::new(),
            unacked: Vec::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Accept => {
                let n = u32::try_from(self.accepted.len()).unwrap();
                self.accepted.push(n);
                self.undelivered.push(n);
            }
            Step::Deliver(newest) if !self.undelivered.is_empty() => {
                let at = if newest { self.undelivered.len() - 1 } else { 0 };
                let n = self.undelivered.remove(at);
                match self.flush.offer(id(n), self.now) {
                    Offer::Send => self.send(n),
                    Offer::Sent => assert!(self.sent.contains(&n)),
                    Offer::Later => assert!(self.task.is_some(), "left to a flush that does not run"),
                    Offer::LaterAndFlush => assert!(self.task.replace(Task::default()).is_none(), "two flushes"),
                }
            }
            Step::Flush => self.flush_step(),
            Step::Ack if !self.unacked.is_empty() => {
                let n = self.unacked.remove(0);
                assert!(self.flush.acked(id(n), self.now).is_some());
                self.unnoted.push(n);
            }
            Step::Note if !self.unnoted.is_empty() => {
                self.noted.insert(self.unnoted.remove(0));
            }
            Step::Deliver(_) | Step::Ack | Step::Note => {}
        }
        assert!(self.unacked.len() <= self.window, "window");
    }

    fn flush_step(&mut self) {
        let Some(mut task) = self.task.take() else { return };
        if !task.read {
            task.page =
                self.accepted[task.after..].iter().filter(|n| !self.noted.contains(n)).take(PAGE).copied().collect();
            task.read = true;
            if task.page.len() == PAGE {
                task.after = usize::try_from(task.page[PAGE - 1]).unwrap() + 1;
            } else {
                task.after = usize::MAX;
            }
        } else if let Some(&n) = task.page.first() {
            match self.flush.take(id(n), self.now) {
                Take::Send => self.send(n),
                Take::Skip => assert!(self.sent.contains(&n)),
                Take::Full => {
                    self.task = Some(task);
                    return;
                }
            }
            task.page.remove(0);
        } else if task.after != usize::MAX {
            task.read = false;
        } else if self.flush.settle() {
            return;
        } else {
            task = Task::default();
        }
        self.task = Some(task);
    }

    fn send(&mut self, n: u32) {
        assert!(!self.sent.contains(&n), "{n} sent twice");
        self.sent.push(n);
        self.unacked.push(n);
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Accept),
        3 => any::<bool>().prop_map(Step::Deliver),
        6 => Just(Step::Flush),
        2 => Just(Step::Ack),
        1 => Just(Step::Note),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn each_command_is_sent_once_whatever_the_order(steps in steps(), window in 1_usize..5) {
        let mut world = World::new(window);
        for step in steps {
            world.step(step);
        }
        while !world.undelivered.is_empty() {
            world.step(Step::Deliver(false));
        }
        for _ in 0..10_000 {
            world.step(Step::Flush);
            world.step(Step::Ack);
        }
        prop_assert!(world.task.is_none(), "the flush ends");
        let mut sent = world.sent.clone();
        sent.sort_unstable();
        prop_assert_eq!(sent, world.accepted);
    }
}
