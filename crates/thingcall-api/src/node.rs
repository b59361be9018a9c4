//! What answers are made of: one small tree of names and values.

/// A value in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// A text.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(i64),
    /// Named values.
    Object(Fields),
    /// Several values of one name: in JSON an array, in XML the name again and again.
    List(Vec<Node>),
    /// Several values: in JSON an array, in XML one element with one of this name for each in it.
    Each(&'static str, Vec<Node>),
}

/// Named values in the order they are written.
pub(crate) type Fields = Vec<(&'static str, Node)>;

/// A text node.
pub(crate) fn text(value: impl Into<String>) -> Node {
    Node::Text(value.into())
}
