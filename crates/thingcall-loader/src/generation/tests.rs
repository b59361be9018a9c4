//! A generation's life: create, calls, retire.

use thingcall_plugin::abi::OK;

use crate::testbench::{Event, FakeDevice, Settings, bench, echo, replied};

#[tokio::test]
async fn an_echo_answers_on_its_pool_and_inline_and_is_destroyed_once() {
    for settings in [Settings::default(), Settings::inline()] {
        let bench = bench(echo(), settings);
        assert_eq!(bench.call(&FakeDevice::silent()).await, Ok(replied(200, r#"{"a":1}"#)));
        let script = bench.script.clone();
        script.wait_for(|events| matches!(events, [Event::Begin(_), Event::End(_, OK)]));
        assert!(bench.generation.retire().await);
        assert_eq!(script.events().last(), Some(&Event::Destroy));
        assert_eq!(script.events().len(), 3);
    }
}
