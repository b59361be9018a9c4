//! What was found, as text and as JSON.

use serde_json::{Value, json};
use thingcall_api::signing::{Certainty, Explanation, Finding, Mark, Step, Verdict};

use crate::output::{self, Paint};

/// As JSON, in English.
pub(super) fn as_json(explanation: &Explanation) -> Value {
    let findings: Vec<_> = explanation.findings.iter().map(finding_as_json).collect();
    json!({
        "verdict": explanation.verdict,
        "signature": explanation.signature,
        "accessKeyId": explanation.key_id,
        "findings": findings,
        "steps": explanation.steps,
    })
}

fn finding_as_json(finding: &Finding) -> Value {
    let mut all = json!({
        "id": finding.id, "certainty": finding.certainty, "what": finding.what.english, "right": finding.right.english,
    });
    if let (Some(mark), Value::Object(members)) = (&finding.mark, &mut all) {
        members.insert("mark".to_owned(), json!(mark));
    }
    all
}

/// As text.
pub(super) fn print(explanation: &Explanation) {
    let paint = Paint::for_stdout();
    let verdict = match explanation.verdict {
        Verdict::Right => paint.good("right"),
        Verdict::Wrong => paint.bad("wrong"),
        Verdict::Unknown => paint.bold("not known: there is no signature to compare"),
    };
    let of = explanation.signature.map(|name| format!(" ({name})")).unwrap_or_default();
    let key = explanation.key_id.as_ref().map(|id| format!(", key {id}")).unwrap_or_default();
    output::line(safe(&format!("signature{of}{key}: ")) + &verdict);
    for finding in &explanation.findings {
        output::line("");
        let how = match finding.certainty {
            Certainty::Proved => "proved by the signature",
            Certainty::Seen => "the server refuses it",
            Certainty::Note => "note",
        };
        output::line(paint.bold(&safe(&finding.id)) + &paint.faint(&format!("  {how}")));
        output::text(&safe(&format!("  {}", finding.what.english)));
        output::text(&safe(&format!("  Right: {}", finding.right.english)));
        if let Some(mark) = &finding.mark {
            draw(mark, paint);
        }
    }
    if explanation.verdict != Verdict::Right && !explanation.steps.is_empty() {
        output::line("");
        output::line(paint.faint("What this server has of the same request:"));
        steps(&explanation.steps);
    }
}

/// The two texts one below the other, with a caret where they begin to differ.
fn draw(mark: &Mark, paint: Paint) {
    output::line(format_args!("  in the {}, line {}, character {}:", mark.of, mark.line, mark.column));
    output::line(format_args!("    signed  {}", safe(&mark.yours)));
    output::line(format_args!("    right   {}", safe(&mark.ours)));
    output::line(format_args!("            {}{}", " ".repeat(mark.caret), paint.bad("^")));
}

/// Steps with their names.
pub(super) fn steps(steps: &[Step]) {
    for one in steps {
        step(one.name, &one.text);
    }
}

/// One step, which is not folded: it is to be compared and copied.
pub(super) fn step(name: &str, text: &str) {
    output::line("");
    output::line(Paint::for_stdout().bold(name));
    output::line(safe(text));
}

/// Without what speaks to a terminal.
fn safe(text: &str) -> String {
    text.chars().map(|char| if char.is_control() && char != '\n' { '\u{fffd}' } else { char }).collect()
}
