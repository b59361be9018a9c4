//! A server's status as lines for eyes.

use std::time::Duration;

use serde_json::Value;

use crate::output::{Paint, columns, folded};

/// Where the second column begins.
const INDENT: usize = 12;

/// The lines.
pub(super) fn of(told: &Value, paint: Paint) -> Vec<String> {
    let mut lines = vec![headline(told, paint)];
    let findings = told.get("findings").and_then(Value::as_array).cloned().unwrap_or_default();
    for (grade, heading) in [("bad", paint.bad("not well:")), ("look", paint.bold("look at:"))] {
        let of_grade: Vec<_> = findings.iter().filter(|one| text(one, "grade") == grade).collect();
        if of_grade.is_empty() {
            continue;
        }
        lines.extend([String::new(), heading]);
        for one in of_grade {
            lines.push(wrapped(&format!("  {}: {}", text(one, "about"), text(one, "why")), 6));
            lines.push(paint.faint(&wrapped(&format!("    -> {}", text(one, "do")), 7)));
        }
    }
    lines.push(String::new());
    let rows = [
        ("calls", calls(told)),
        ("pending", pending(told)),
        ("transports", transports(told)),
        ("conditions", conditions(told)),
        ("store", store(told)),
        ("plugins", plugins(told)),
        ("instances", instances(told)),
        ("reload", reload(told)),
    ];
    let rows = rows.into_iter().filter(|(_, said)| !said.is_empty());
    lines.extend(rows.map(|(name, said)| wrapped(&format!("{name:INDENT$}{said}"), INDENT)));
    lines
}

fn wrapped(line: &str, indent: usize) -> String {
    // Spaces at the beginning and in the first column stay.
    folded(line.split(' '), " ", columns(), indent)
}

fn headline(told: &Value, paint: Paint) -> String {
    let seconds = told.get("uptimeSeconds").and_then(Value::as_u64).unwrap_or_default();
    let well = told.get("well") == Some(&Value::Bool(true));
    let ready = told.get("ready") == Some(&Value::Bool(true));
    let state = match (well, ready) {
        (true, _) => paint.good("well"),
        (false, true) => paint.bad("not well, but it takes calls"),
        (false, false) => paint.bad("not well, and not ready"),
    };
    let instance = told.get("instance").cloned().unwrap_or_default();
    format!(
        "thingcall {}  {}  up {}  {state}",
        text(told, "version"),
        text(&instance, "name"),
        humantime::format_duration(Duration::from_secs(seconds))
    )
}

fn calls(told: &Value) -> String {
    let Some(minute) = told.get("lastMinute") else { return String::new() };
    let by = minute.get("byOutcome").and_then(Value::as_object).cloned().unwrap_or_default();
    let by: Vec<_> = by.iter().map(|(outcome, calls)| format!("{outcome} {}", whole(calls))).collect();
    let by = if by.is_empty() { "none".to_owned() } else { by.join(", ") };
    format!("in the last {} s: {by}", number(minute, "seconds"))
}

fn pending(told: &Value) -> String {
    let oldest = told.get("oldestPendingSeconds").and_then(Value::as_i64);
    let oldest = oldest.map(|seconds| format!(", the oldest for {seconds} s: thingcall pending")).unwrap_or_default();
    format!("{} of {}{oldest}", number(told, "pendingCalls"), number(told, "pendingCallsMax"))
}

fn transports(told: &Value) -> String {
    let all = told.get("transports").and_then(Value::as_object).cloned().unwrap_or_default();
    let up = |up: &Value| if up.as_f64() == Some(0.0) { "down" } else { "up" };
    all.iter().map(|(name, is)| format!("{name} {}", up(is))).collect::<Vec<_>>().join(", ")
}

fn conditions(told: &Value) -> String {
    let all = told.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let held = all.iter().filter(|one| one.get("holds") == Some(&Value::Bool(true))).count();
    format!("{held} of {} hold", all.len())
}

fn store(told: &Value) -> String {
    let Some(store) = told.get("store") else { return String::new() };
    let [products, devices, keys] = ["products", "devices", "keys"].map(|name| number(store, name));
    format!("{}, {products} products, {devices} devices, {keys} keys", text(store, "place"))
}

fn plugins(told: &Value) -> String {
    let Some(plugins) = told.get("plugins") else { return String::new() };
    format!("{} active, {} refused", number(plugins, "active"), number(plugins, "refused"))
}

fn instances(told: &Value) -> String {
    let all = told.get("instances").and_then(|all| all.get("instances")).and_then(Value::as_array);
    let names = all.map(|all| all.iter().map(|one| text(one, "name")).collect::<Vec<_>>());
    names.unwrap_or_default().join(", ")
}

fn reload(told: &Value) -> String {
    let Some(last) = told.get("lastReload").filter(|last| last.is_object()) else { return String::new() };
    let done = last.get("done") == Some(&Value::Bool(true));
    format!("{} at {}", if done { "done" } else { "nothing was changed" }, text(last, "at"))
}

fn text(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(of: &Value, name: &str) -> String {
    of.get(name).map(whole).unwrap_or_default()
}

fn whole(value: &Value) -> String {
    value.as_f64().map_or_else(|| value.to_string(), |value| format!("{value:.0}"))
}

#[cfg(test)]
mod tests {
    //! Two servers, one of which is not well.

    use serde_json::json;

    use super::*;

    fn shown(told: &Value) -> String {
        of(told, Paint::for_stdout()).join("\n")
    }

    #[test]
    fn what_is_wrong_comes_first_and_says_what_to_do() {
        let mut told = json!({
            "well": true, "ready": true, "findings": [], "version": "1.0.0", "uptimeSeconds": 3661, "instance": { "name": "gw-1" },
            "lastMinute": { "seconds": 60.0, "byOutcome": { "ok": 12.0 } }, "pendingCalls": 1.0, "pendingCallsMax": 20000.0,
            "oldestPendingSeconds": 3, "transports": { "embedded": 1.0, "mqtt": 0.0 },
            "conditions": [{ "holds": true }, { "holds": false }], "store": { "place": "d/x.db", "products": 1, "devices": 2, "keys": 3 },
            "plugins": { "active": 1, "refused": 0 },
        });
        let well = shown(&told);
        assert!(
            well.starts_with("thingcall 1.0.0  gw-1  up 1h 1m 1s  well\n\ncalls       in the last 60 s: ok 12\n"),
            "{well}"
        );
        assert!(well.contains("\npending     1 of 20000, the oldest for 3 s: thingcall pending\n"), "{well}");
        assert!(well.contains("\ntransports  embedded up, mqtt down\nconditions  1 of 2 hold\n"), "{well}");
        told["well"] = false.into();
        told["findings"] = json!([
            { "grade": "bad", "about": "store", "why": "disk full", "do": "make room" },
            { "grade": "look", "about": "limit x", "why": "9 of 10", "do": "raise it" },
        ]);
        let not = shown(&told);
        let first = "not well, but it takes calls\n\nnot well:\n  store: disk full\n    -> make room\n\nlook at:\n  limit x: 9 of 10\n    -> raise it\n";
        assert!(not.contains(first), "{not}");
    }
}
