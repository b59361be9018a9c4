//! Answers as they are kept.
//!
//! **Invariant:** what is read is what was written, in its order, in the JSON and in the XML of whoever reads it.

use std::collections::HashSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use thingcall_core::{ErrorCode, Executed, OnceEnd, Outcome};
use tracing::error;

use super::{Answered, lost};
use crate::answer::{Fields, Node};
use crate::error::{ActionError, ServiceFailure};

/// How many different names the fields of answers may have: those of this program are fewer by far.
const NAMES_MAX: usize = 4096;

/// An answer as it is written.
#[derive(Debug, Serialize, Deserialize)]
enum Kept {
    Fields(Vec<(String, KeptNode)>),
    Failure { code: String, outcome: String, text: String, data: Option<Vec<(String, KeptNode)>> },
}

#[derive(Debug, Serialize, Deserialize)]
enum KeptNode {
    Text(String),
    Flag(bool),
    Number(i64),
    Object(Vec<(String, KeptNode)>),
    List(Vec<KeptNode>),
    Each(String, Vec<KeptNode>),
}

/// How a call that was answered so ends its claim: a device that was not called may be called yet.
pub(super) fn end_of(answered: &Answered) -> OnceEnd {
    let kept = match answered {
        Ok(fields) if was_not_sent(fields) => return OnceEnd::Release,
        Ok(fields) => Kept::Fields(kept_fields(fields)),
        Err(ActionError::Gateway(_)) => return OnceEnd::Release,
        Err(ActionError::Service(failure)) if failure.executed == Executed::No => return OnceEnd::Release,
        Err(ActionError::Service(ServiceFailure { code, outcome, text, data, .. })) => Kept::Failure {
            code: code.as_str().to_owned(),
            outcome: outcome.as_str().to_owned(),
            text: text.clone(),
            data: data.as_ref().map(kept_fields),
        },
    };
    // Texts and numbers can be written.
    OnceEnd::Answer(serde_json::to_vec(&kept).unwrap_or_default())
}

/// RRpc says so where its device is away and nothing left for it.
fn was_not_sent(fields: &Fields) -> bool {
    fields.iter().any(|(name, node)| *name == "RrpcCode" && matches!(node, Node::Text(word) if word == "OFFLINE"))
}

/// The answer that was kept so.
pub(super) fn answer_of(bytes: &[u8]) -> Answered {
    match serde_json::from_slice(bytes) {
        Ok(Kept::Fields(kept)) => fields(kept).ok_or_else(unreadable),
        Ok(Kept::Failure { code, outcome, text, data }) => {
            let data = data.and_then(fields);
            let code = code.parse::<ErrorCode>().unwrap_or(ErrorCode::SystemException);
            let outcome = outcome.parse::<Outcome>().unwrap_or(Outcome::Internal);
            Err(ActionError::Service(ServiceFailure { code, outcome, executed: Executed::Maybe, text, data }))
        }
        Err(_) => Err(unreadable()),
    }
}

fn unreadable() -> ActionError {
    error!("an answer that is kept cannot be read; a newer program may have written it");
    lost()
}

fn kept_fields(fields: &Fields) -> Vec<(String, KeptNode)> {
    fields.iter().map(|(name, node)| ((*name).to_owned(), kept_node(node))).collect()
}

fn kept_node(node: &Node) -> KeptNode {
    match node {
        Node::Text(text) => KeptNode::Text(text.clone()),
        Node::Flag(flag) => KeptNode::Flag(*flag),
        Node::Number(number) => KeptNode::Number(*number),
        Node::Object(fields) => KeptNode::Object(kept_fields(fields)),
        Node::List(nodes) => KeptNode::List(nodes.iter().map(kept_node).collect()),
        Node::Each(name, nodes) => KeptNode::Each((*name).to_owned(), nodes.iter().map(kept_node).collect()),
    }
}

fn fields(kept: Vec<(String, KeptNode)>) -> Option<Fields> {
    kept.into_iter().map(|(name, kept)| Some((known(&name)?, node(kept)?))).collect()
}

fn node(kept: KeptNode) -> Option<Node> {
    let all = |kept: Vec<KeptNode>| kept.into_iter().map(node).collect::<Option<Vec<_>>>();
    Some(match kept {
        KeptNode::Text(text) => Node::Text(text),
        KeptNode::Flag(flag) => Node::Flag(flag),
        KeptNode::Number(number) => Node::Number(number),
        KeptNode::Object(kept) => Node::Object(fields(kept)?),
        KeptNode::List(kept) => Node::List(all(kept)?),
        KeptNode::Each(name, kept) => Node::Each(known(&name)?, all(kept)?),
    })
}

/// The name of a field, which lasts as long as the program. There are few.
fn known(name: &str) -> Option<&'static str> {
    static NAMES: OnceLock<Mutex<HashSet<&'static str>>> = OnceLock::new();
    let mut names = NAMES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return Some(known);
    }
    if names.len() >= NAMES_MAX {
        return None;
    }
    let name: &'static str = Box::leak(name.into());
    names.insert(name);
    Some(name)
}

#[cfg(test)]
mod tests {
    //! What is read of what was written.

    use super::*;
    use crate::answer::text;

    fn again(answered: &Answered) -> Answered {
        match end_of(answered) {
            OnceEnd::Answer(bytes) => answer_of(&bytes),
            OnceEnd::Release => panic!("it is kept"),
        }
    }

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let object =
            vec![("Result", text("{\"a\":\"\u{4e2d}\"}")), ("MessageId", text("17")), ("Flag", Node::Flag(true))];
        let each = Node::Each("e", vec![Node::Number(-3), text("")]);
        let fields = vec![("Data", Node::Object(object)), ("List", Node::List(vec![each]))];
        assert_eq!(again(&Ok(fields.clone())), Ok(fields));
        let failure = |executed| {
            let (code, outcome) = (ErrorCode::Offline, Outcome::Offline);
            Err(ActionError::Service(ServiceFailure { code, outcome, executed, text: "went".to_owned(), data: None }))
        };
        assert_eq!(again(&failure(Executed::Yes)), failure(Executed::Maybe));
        assert_eq!(end_of(&failure(Executed::No)), OnceEnd::Release);
        assert_eq!(end_of(&Ok(vec![("RrpcCode", text("OFFLINE"))])), OnceEnd::Release);
        assert!(
            matches!(answer_of(b"{}"), Err(ActionError::Service(failure)) if failure.text.contains("may have executed"))
        );
    }
}
