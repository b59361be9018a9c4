//! What is a context, and what is none.

use super::*;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn state(text: &str) -> Option<String> {
    TraceContext::read(PARENT, Some(text)).unwrap().state.map(|state| state.to_string())
}

#[test]
fn what_is_read_is_written_the_same() {
    let context = TraceContext::read(PARENT, Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")).unwrap();
    assert_eq!(context.parent(), PARENT);
    assert!(context.is_sampled);
    assert_eq!(context.state.as_deref(), Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"));
    let child = context.child();
    assert_eq!(
        (child.trace_id, child.state.clone(), child.is_sampled),
        (context.trace_id, context.state.clone(), true)
    );
    assert_ne!(child.span_id, context.span_id);
}

#[test]
fn a_wrong_parent_is_nobodys() {
    for wrong in [
        "",
        "00",
        "00-",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more",
        "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e47é-00f067aa0ba902b7-01",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ] {
        assert_eq!(TraceContext::read(wrong, None), None, "{wrong}");
    }
    let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-09-more";
    assert_eq!(TraceContext::read(later, None), TraceContext::read(PARENT, None), "a later version says the same");
    assert!(!TraceContext::read(&PARENT.replace("-01", "-02"), None).unwrap().is_sampled);
}

#[test]
fn a_wrong_state_is_left_out() {
    assert_eq!(state("a=1, b=2").as_deref(), Some("a=1, b=2"));
    assert_eq!(state("tenant@vendor=x").as_deref(), Some("tenant@vendor=x"));
    for wrong in ["", ",", "a", "A=1", "=1", "a=", "a=1=2", "a=\u{7f}", "a=é", &format!("a={}", "x".repeat(600))] {
        assert_eq!(state(wrong), None, "{wrong}");
    }
    let many = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
    assert!(state(&many(32)).is_some() && state(&many(33)).is_none());
}

#[test]
fn ids_are_new_ones() {
    let (one, other) = (TraceContext::root(TraceId::random(), true), TraceContext::root(TraceId::random(), false));
    assert!(one.trace_id != other.trace_id && one.span_id != other.span_id);
    assert_eq!(TraceContext::read(&other.parent(), None), Some(other));
    assert!(TraceId::random().randomness() < 1 << 56);
}
