//! What plugins hand over is checked before it is used.
#![expect(unsafe_code, reason = "plays a plugin")]

use std::ptr::null;

use thingcall_core::{Answer, CallError, CallMode, Executed};
use thingcall_plugin::abi::{E_CANCELLED, E_INVAL, E_LIMIT, E_PANIC, E_STALE, E_UNSUPPORTED, FORMAT_RAW};

use super::*;
use crate::testbench::{BEGUN, FakeDevice, Script, bench, inline, replied, result, script, text};

fn give(token: Token, result: &CallResult) -> i32 {
    // SAFETY: what is not readable in it is refused before it is read; that is what is tested.
    unsafe { complete(token, result) }
}

/// What a call is told whose plugin does this.
async fn told(begin: impl Fn(&Script, Token) + Send + Sync + 'static) -> Result<Answer, CallError> {
    let plugin = script(move |script, token, _| {
        begin(script, token);
        BEGUN
    });
    let mut settings = inline();
    settings.plugin_bytes_max = 1000;
    bench(plugin, settings).call(&FakeDevice::silent()).await
}

#[tokio::test]
async fn a_malformed_answer_is_refused_and_leaves_the_call_open() {
    let answer = told(|script, token| {
        // SAFETY: null is refused.
        assert_eq!(unsafe { complete(token, null()) }, E_INVAL);
        let good = result(OK, 200, "{}");
        for size in [0, 8, 47] {
            assert_eq!(give(token, &CallResult { struct_size: size, ..good }), E_INVAL);
        }
        for status in [1, i32::MAX] {
            assert_eq!(give(token, &CallResult { status, ..good }), E_INVAL);
        }
        for len in [1, 77, 1 << 60, usize::MAX] {
            let broken = Bytes { ptr: null(), len };
            assert_eq!(give(token, &CallResult { data: broken, ..good }), E_INVAL);
            assert_eq!(give(token, &CallResult { message: broken, ..good }), E_INVAL);
        }
        assert_eq!(script.complete(token, OK, 200, "{}"), OK);
    })
    .await;
    assert_eq!(answer, Ok(replied(200, "{}")));
}

#[tokio::test]
async fn an_answer_that_breaks_a_rule_ends_the_call_with_the_plugins_name() {
    let large = format!(r#"{{"v":"{}"}}"#, "x".repeat(1000));
    let cases: [(i32, u32, &str, &str); 8] = [
        (E_INVAL, 0, "[]", "not a JSON object"),
        (E_INVAL, 0, "{", "not a JSON object"),
        (E_INVAL, 0, "{} {}", "not a JSON object"),
        (E_INVAL, 0, "\u{0}", "not a JSON object"),
        (E_INVAL, 0, "null", "not a JSON object"),
        (E_UNSUPPORTED, FORMAT_RAW, "{}", "not in JSON"),
        (E_UNSUPPORTED, 77, "{}", "not in JSON"),
        (E_LIMIT, 0, &large, "1008 bytes, 1000 are allowed"),
    ];
    for (status, format, data, words) in cases {
        let data = data.to_owned();
        let answer = told(move |script, token| {
            assert_eq!(give(token, &CallResult { format, ..result(OK, 200, &data) }), status);
            assert_eq!(script.complete(token, OK, 200, "{}"), E_STALE);
        })
        .await;
        let Err(CallError::Plugin { why, executed: Executed::No }) = answer else { panic!("{answer:?}") };
        assert!(why.starts_with("plugin bench: ") && why.contains(words), "{why}");
    }
}

#[tokio::test]
async fn absurd_lengths_are_refused_unread() {
    for len in [1001, 1 << 60, usize::MAX] {
        let answer = told(move |_, token| {
            let data = Bytes { ptr: std::ptr::NonNull::dangling().as_ptr(), len };
            assert_eq!(give(token, &CallResult { data, ..result(OK, 200, "") }), E_LIMIT);
        })
        .await;
        assert!(matches!(answer, Err(CallError::Plugin { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn a_longer_struct_of_a_newer_header_is_understood() {
    let answer = told(|_, token| {
        #[repr(C)]
        struct Newer(CallResult, [u64; 4]);
        let newer = Newer(CallResult { struct_size: 80, ..result(OK, 200, r#"{"v":1.0}"#) }, [u64::MAX; 4]);
        // SAFETY: as long as it says.
        assert_eq!(unsafe { complete(token, (&raw const newer).cast()) }, OK);
    })
    .await;
    assert_eq!(answer, Ok(replied(200, r#"{"v":1.0}"#)));
}

#[tokio::test]
async fn bad_statuses_name_the_plugin_and_its_words() {
    for (status, words) in [
        (E_PANIC, "plugin bench: its code panicked"),
        (-77, "plugin bench: it failed: boom"),
        (i32::MIN, "plugin bench: it failed: boom"),
        (E_CANCELLED, "plugin bench: it gave the call up: boom"),
    ] {
        let answer = told(move |_, token| {
            let message = Bytes::of(b"boom");
            assert_eq!(give(token, &CallResult { message, ..result(status, 0, "") }), OK);
        })
        .await;
        assert_eq!(answer, Err(CallError::Plugin { why: words.to_owned(), executed: Executed::No }));
    }
}

#[tokio::test]
async fn commands_are_checked_as_answers_are() {
    let answer = told(|script, token| {
        unsafe extern "C" fn never(_: *mut c_void, _: *const CallResult) {
            std::process::abort();
        }
        let good = Forward { struct_size: 32, format: 0, timeout_ms: 0, args: Bytes::of(b"{}") };
        // SAFETY: what cannot be read is refused before it is read.
        let send = |command: *const Forward, done| unsafe { forward(token, command, done, std::ptr::null_mut()) };
        let never: Option<DoneFn> = Some(never);
        assert_eq!(send(null(), never), E_INVAL);
        assert_eq!(send(&good, None), E_INVAL);
        assert_eq!(send(&Forward { struct_size: 31, ..good }, never), E_INVAL);
        assert_eq!(send(&Forward { format: FORMAT_RAW, ..good }, never), E_UNSUPPORTED);
        assert_eq!(send(&Forward { args: Bytes { ptr: null(), len: 5 }, ..good }, never), E_INVAL);
        assert_eq!(send(&Forward { args: Bytes { len: 1 << 60, ..good.args }, ..good }, never), E_LIMIT);
        for args in ["", "[]", "1", "{", "nonsense", "\u{feff}{}"] {
            assert_eq!(send(&Forward { args: Bytes::of(args.as_bytes()), ..good }, never), E_INVAL, "{args}");
        }
        // SAFETY: without a function nothing is started.
        assert_eq!(unsafe { timer(token, 1, None, std::ptr::null_mut()) }, E_INVAL);
        script.complete(token, OK, 200, "");
    })
    .await;
    assert_eq!(answer, Ok(replied(200, "{}")));
}

#[tokio::test]
async fn made_up_tokens_are_stale_everywhere() {
    let bench = bench(crate::testbench::echo(), inline());
    for token in [0, 1, 77, u64::MAX, bench.script.token.load(std::sync::atomic::Ordering::SeqCst) ^ (1 << 50)] {
        // SAFETY: any token is allowed.
        unsafe {
            assert_eq!(complete(token, &result(OK, 200, "")), E_STALE);
            assert_eq!(wake(token), E_STALE);
            assert_eq!(forward(token, null(), None, std::ptr::null_mut()), E_STALE);
            assert_eq!(timer(token, 1, None, std::ptr::null_mut()), E_STALE);
            assert_eq!(cancel(token, 1), E_STALE);
            assert_eq!(remaining_ms(token), i64::from(E_STALE));
            assert_eq!(log_enabled(token, LOG_ERROR), 0);
            log(token, LOG_ERROR, null(), null(), null());
            assert_eq!(metric_define(token, 1, null(), null(), std::ptr::null_mut()), E_STALE);
            assert_eq!(metric_record(token, 0, 1.0), E_STALE);
            let place = std::ptr::without_provenance_mut(usize::try_from(token).unwrap());
            assert_eq!(out_write(place, null(), 0), E_STALE);
        }
    }
    // A plugin's own token is no call.
    let own = bench.script.token.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!((give(own, &result(OK, 200, "")), bench.script.wake(own)), (E_STALE, E_STALE));
}

#[tokio::test]
async fn a_call_knows_who_where_what_and_how_long() {
    let plugin = script(|script, token, request| {
        assert_eq!((request.struct_size, request.mode, request.format), (168, 2, 1));
        assert_eq!((text(request.product_key), text(request.device_name)), ("pk1", "dev1"));
        assert_eq!(text(request.identifier), "testFb:testService");
        assert_eq!((text(request.module), text(request.service)), ("testFb", "testService"));
        assert_eq!(text(request.request_id).len(), 36);
        assert_eq!(text(request.args), r#"{"a":1}"#);
        assert_eq!((text(request.traceparent), text(request.tracestate)), ("", ""), "it belongs to no trace");
        assert!((7000..=8000).contains(&request.timeout_ms), "{}", request.timeout_ms);
        // SAFETY: any token is allowed.
        assert!((7000..=8000).contains(&unsafe { remaining_ms(token) }));
        script.complete(token, OK, 200, "");
        BEGUN
    });
    let bench = bench(plugin, inline());
    bench.call_as(CallMode::Async, &FakeDevice::silent()).await.unwrap();
}
