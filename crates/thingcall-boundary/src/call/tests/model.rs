//! Random sequences of what plugin, device and caller may do, against a model of what each must get.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use proptest::prelude::*;
use thingcall_core::{Answer, CallError, CallMode, Handler};
use thingcall_plugin::abi::{E_INVAL, E_LIMIT, E_STALE, OK, Token};
use tokio::sync::oneshot;

use crate::testbench::{BEGUN, Event, FakeDevice, Script, bench, call, inline, replied, script};

/// How many operations the model's calls may have at once.
const OPERATIONS_MAX: usize = 3;

/// What a plugin does, in a callback or from a thread of its own.
#[derive(Debug, Clone)]
enum Act {
    Complete(i32),
    Garbage,
    Wake,
    Forward,
    BadForward,
    Timer(u64),
    Cancel(i32),
}

/// One step of a run.
#[derive(Debug, Clone)]
enum Step {
    /// From a thread of its own: between polls of the driver.
    Outside(Act),
    /// The engine polls the call.
    Poll,
    /// The device answers the nth command that is open.
    Answer(usize, bool),
    Pass(u64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => prop_oneof![Just(200), Just(460)].prop_map(Act::Complete),
        1 => Just(Act::Garbage),
        2 => Just(Act::Wake),
        4 => Just(Act::Forward),
        1 => Just(Act::BadForward),
        3 => (0..50_u64).prop_map(Act::Timer),
        2 => (-1..8_i32).prop_map(Act::Cancel),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => act().prop_map(Step::Outside),
        4 => Just(Step::Poll),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(nth, good)| Step::Answer(nth, good)),
        1 => (1..40_u64).prop_map(Step::Pass),
    ]
}

/// What must be true of the call.
#[derive(Default)]
struct Model {
    begun: bool,
    over: bool,
    open: BTreeSet<i32>,
    started: u64,
    done: u64,
    last_number: i32,
    /// What the plugin does in its next callbacks.
    reactions: Vec<Act>,
}

type Shared = Arc<Mutex<Model>>;

/// Does it, and checks that the host says what the model says.
fn perform(script: &Arc<Script>, token: Token, model: &Shared, act: &Act) {
    let (over, open) = {
        let model = model.lock().unwrap();
        (model.over, model.open.clone())
    };
    let or_stale = |status| if over { E_STALE } else { status };
    match act {
        Act::Complete(code) => {
            assert_eq!(script.complete(token, OK, *code, r#"{"v":1}"#), or_stale(OK));
            model.lock().unwrap().over = true;
        }
        Act::Garbage => {
            assert_eq!(script.complete(token, 5, 200, "{}"), or_stale(E_INVAL));
            assert_eq!(script.complete(token ^ (1 << 40), OK, 200, "{}"), E_STALE);
            assert_eq!(script.complete(0, OK, 200, "{}"), E_STALE);
        }
        Act::Wake => assert_eq!(script.wake(token), or_stale(OK)),
        Act::BadForward => assert_eq!(script.forward(token, "[1]", 0, 0, |_, _| {}), or_stale(E_INVAL)),
        Act::Forward | Act::Timer(_) => {
            let number = model.lock().unwrap().last_number + 1;
            let expected = match (over, open.len() < OPERATIONS_MAX) {
                (true, _) => E_STALE,
                (false, false) => E_LIMIT,
                (false, true) => number,
            };
            let own = model.clone();
            let then = move |script: &Arc<Script>, _: &_| called_back(script, token, &own, Some(number));
            if expected > 0 {
                let mut model = model.lock().unwrap();
                model.open.insert(number);
                (model.last_number, model.started) = (number, model.started + 1);
            }
            let tag = u64::try_from(number).unwrap();
            let got = if let Act::Timer(ms) = act {
                script.timer(token, *ms, tag, then)
            } else {
                script.forward(token, r#"{"f":1}"#, 0, tag, then)
            };
            assert_eq!(got, expected);
        }
        Act::Cancel(number) => {
            let expected = if open.contains(number) { OK } else { E_INVAL };
            assert_eq!(script.cancel(token, *number), or_stale(expected));
        }
    }
}

/// In a callback: notes it, and does what comes next.
fn called_back(script: &Arc<Script>, token: Token, model: &Shared, operation: Option<i32>) {
    let reaction = {
        let mut model = model.lock().unwrap();
        assert!(model.begun, "before begin");
        if let Some(number) = operation {
            assert!(model.open.remove(&number), "operation {number} was told twice");
            model.done += 1;
        }
        model.reactions.pop()
    };
    if let Some(act) = reaction {
        perform(script, token, model, &act);
    }
}

type Asked = Arc<Mutex<Vec<oneshot::Sender<Result<Answer, CallError>>>>>;

/// A device whose answers the test gives.
fn asked_device() -> (FakeDevice, Asked) {
    let asked = Asked::default();
    let own = asked.clone();
    let device = FakeDevice::new(move |_| {
        let (answer, answered) = oneshot::channel();
        own.lock().unwrap().push(answer);
        async move { answered.await.unwrap() }
    });
    (device, asked)
}

async fn run(steps: Vec<Step>, reactions: Vec<Act>) {
    let model = Shared::default();
    model.lock().unwrap().reactions = reactions;
    let own = model.clone();
    let mut plugin = script(move |script, token, _| {
        own.lock().unwrap().begun = true;
        called_back(script, token, &own, None);
        BEGUN
    });
    let own = model.clone();
    plugin.poll = Box::new(move |script, token| called_back(script, token, &own, None));
    let mut settings = inline();
    settings.operations_per_call_max = OPERATIONS_MAX;
    let bench = bench(plugin, settings);
    let (device, asked) = asked_device();
    let handler: Arc<dyn Handler> = bench.generation.handler().unwrap();
    let call = call(CallMode::Sync, "{}");
    let mut answer = None;
    {
        let mut driver = handler.handle(&call, &device);
        for step in steps {
            let token = bench.script.events().iter().find_map(|event| match event {
                Event::Begin(token) => Some(*token),
                Event::Poll(_) | Event::Done(..) | Event::End(..) | Event::Destroy => None,
            });
            match step {
                Step::Outside(act) => {
                    if let Some(token) = token {
                        perform(&bench.script, token, &model, &act);
                    }
                }
                Step::Poll if answer.is_none() => {
                    let polled = std::future::poll_fn(|context| Poll::Ready(driver.as_mut().poll(context))).await;
                    if let Poll::Ready(ready) = polled {
                        answer = Some(ready);
                    }
                    let over = model.lock().unwrap().over;
                    assert_eq!(answer.is_some(), over, "answered when, and only when, it is over");
                }
                Step::Answer(nth, good) => {
                    let mut asked = asked.lock().unwrap();
                    if !asked.is_empty() {
                        let nth = nth % asked.len();
                        let reply = if good { Ok(replied(200, "{}")) } else { Err(CallError::TransportDown) };
                        // A command that was given up is not waited for.
                        drop(asked.swap_remove(nth).send(reply));
                    }
                }
                Step::Pass(ms) => tokio::time::advance(Duration::from_millis(ms)).await,
                Step::Poll => {}
            }
        }
        // Its caller hangs up, unless it was answered.
        model.lock().unwrap().over = true;
    }
    check(&bench.script, &model.lock().unwrap());
    assert_eq!(bench.generation.calls_in_flight(), 0);
}

/// What must be true of every call that is over.
fn check(script: &Script, model: &Model) {
    let events = script.events();
    assert!(model.open.is_empty(), "never told: {:?}", model.open);
    assert_eq!(model.started, model.done);
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    let begun = usize::from(model.begun);
    assert_eq!(count(|event| matches!(event, Event::Begin(_))), begun);
    assert_eq!(count(|event| matches!(event, Event::End(..))), begun);
    if model.begun {
        assert!(matches!(events.first(), Some(Event::Begin(_))), "{events:?}");
        assert!(matches!(events.last(), Some(Event::End(..))), "{events:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_sequence_of_operations_breaks_the_order_of_a_call(
        steps in proptest::collection::vec(step(), 0..60),
        reactions in proptest::collection::vec(act(), 0..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(run(steps, reactions));
    }
}
