//! Credit, windows and settlement against a model of them: a consumer that does anything it may.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::consumer::{Bench, Flow, Link, SECOND, attach, detach, disposition};
use crate::limits::Limits;
use crate::machine::{DeliveryId, Event, Machine as _, Outcome};

const UNSETTLED_MAX: usize = 12;

#[derive(Debug, Clone)]
enum Step {
    /// Credit, window in frames, and whether to drain.
    Flow(u32, u32, bool),
    Send(usize),
    Nothing,
    /// From the consumer's oldest, so many; settled or not; the state.
    Settle(usize, u32, bool, Option<u8>),
    Reattach,
    Write(usize),
    Pass(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let state = prop::sample::select(vec![Some(0x24), Some(0x25), Some(0x26), Some(0x27), Some(0x23), None]);
    prop_oneof![
        3 => (0u32..20, 0u32..12, any::<bool>()).prop_map(|(credit, window, drain)| Step::Flow(credit, window, drain)),
        6 => (0usize..1500).prop_map(Step::Send),
        1 => Just(Step::Nothing),
        3 => (0usize..20, 0u32..6, any::<bool>(), state).prop_map(|(at, more, settled, state)| Step::Settle(at, more, settled, state)),
        1 => Just(Step::Reattach),
        4 => (0usize..3000).prop_map(Step::Write),
        1 => (1u32..20).prop_map(Step::Pass),
    ]
}

/// What the consumer knows, and what the application of the machine was told.
struct Model {
    bench: Bench,
    /// Bytes that are not a whole frame yet.
    wire: Vec<u8>,
    /// Frames that may come before the next flow, by what the last one said.
    window: u32,
    next_incoming: u32,
    /// Deliveries that may begin.
    credit: u32,
    count: u32,
    /// Ids that arrived on this link, and whether all of a message is there.
    arrived: Vec<u32>,
    more: bool,
    sent: BTreeSet<DeliveryId>,
    settled: BTreeMap<DeliveryId, Outcome>,
}

impl Model {
    fn new(first: u32) -> Self {
        let stall_timeout = SECOND * 100_000;
        let limits =
            Limits { unsettled_max: UNSETTLED_MAX, output_bytes_max: 3000, stall_timeout, ..Limits::default() };
        let bench = Bench::with(limits, first).opened_with(512, 5).attached();
        Self {
            bench,
            wire: Vec::new(),
            window: 5,
            next_incoming: first,
            credit: 0,
            count: first,
            arrived: Vec::new(),
            more: false,
            sent: BTreeSet::new(),
            settled: BTreeMap::new(),
        }
    }

    fn run(&mut self, first: u32, step: &Step) {
        match *step {
            Step::Flow(credit, window, drain) => {
                (self.credit, self.window) = (credit, window);
                let (next_incoming_id, count) = (Some(self.next_incoming), Some(self.count));
                let flow = Flow { next_incoming_id, window, count, drain, ..Flow::credit(credit) };
                self.bench.say(&flow.on(0));
            }
            Step::Send(bytes) => {
                if self.bench.machine.room() > 0 {
                    let delivery = self.bench.send(&vec![7; bytes]).expect("there is room");
                    assert!(self.sent.insert(delivery), "a delivery's number is its own");
                }
            }
            Step::Nothing => self.bench.machine.nothing_to_send(self.bench.now),
            Step::Settle(at, more, settled, state) => {
                if let Some(id) = self.arrived.get(at) {
                    self.bench.say(&disposition(0, *id, Some(id.wrapping_add(more)), settled, state));
                }
            }
            Step::Reattach => {
                self.read_all();
                self.bench.say(&[detach(0, 0, true), attach(0, "queueName", 0, &Link::default())].concat());
                (self.credit, self.count, self.more) = (0, first, false);
                self.arrived.clear();
            }
            Step::Write(bytes) => self.write(bytes),
            Step::Pass(seconds) => {
                self.bench.pass(SECOND * seconds);
                self.bench.say(&[0, 0, 0, 8, 2, 0, 0, 0]);
            }
        }
        self.settle();
    }

    fn read_all(&mut self) {
        while !self.bench.machine.output().is_empty() {
            self.write(usize::MAX);
        }
    }

    /// The socket takes so many bytes, and the consumer reads them.
    fn write(&mut self, bytes: usize) {
        let output = self.bench.machine.output();
        let bytes = bytes.min(output.len());
        self.wire.extend_from_slice(&output[..bytes]);
        self.bench.machine.written(bytes, self.bench.now);
        while let Some(size) = self.wire.first_chunk().map(|size| u32::from_be_bytes(*size) as usize)
            && self.wire.len() >= size
        {
            let frame: Vec<u8> = self.wire.drain(..size).collect();
            let told = super::consumer::told(&frame).remove(0);
            match told.code {
                0x14 => {
                    assert!(self.window > 0, "a frame without window");
                    self.window -= 1;
                    self.next_incoming = self.next_incoming.wrapping_add(1);
                    if !self.more {
                        assert!(self.credit > 0, "a delivery without credit");
                        self.credit -= 1;
                        self.count = self.count.wrapping_add(1);
                        self.arrived.push(told.u32(1).expect("a first frame has an id"));
                    }
                    self.more = told.boolean(5) == Some(true);
                }
                0x13 if told.boolean(8) == Some(true) => {
                    assert_eq!(told.u32(5), Some(self.count.wrapping_add(self.credit)), "drained credit is counted");
                    self.count = told.u32(5).expect("a count");
                    self.credit = 0;
                }
                _ => {}
            }
        }
    }

    fn settle(&mut self) {
        for event in self.bench.events() {
            match event {
                Event::Settled { delivery, outcome } => {
                    assert!(self.sent.contains(&delivery));
                    assert_eq!(self.settled.insert(delivery, outcome), None, "settled twice");
                }
                Event::Late { delivery, .. } => {
                    assert_eq!(self.settled.get(&delivery), Some(&Outcome::TimedOut), "late without a time-out");
                }
                Event::Closed(why) => panic!("closed: {why}"),
                Event::Authenticate { .. } | Event::Attached | Event::Detached => {}
            }
        }
        assert!(self.sent.len() - self.settled.len() <= UNSETTLED_MAX);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn never_without_credit_or_window_and_each_is_settled_once(
        first in prop::sample::select(vec![0, u32::MAX - 7, u32::MAX / 2]),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut model = Model::new(first);
        for step in &steps {
            // A flow says what was seen; what is under way counts: read all first, so that the model knows it too.
            if matches!(step, Step::Flow(..)) {
                model.read_all();
            }
            model.run(first, step);
        }
        model.bench.machine.disconnected();
        for event in model.bench.events() {
            if let Event::Settled { delivery, outcome } = event {
                prop_assert_eq!(model.settled.insert(delivery, outcome), None);
            }
        }
        prop_assert_eq!(model.sent, model.settled.into_keys().collect::<BTreeSet<_>>());
    }
}
