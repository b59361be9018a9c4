//! (being written)

/// A thing model.
#[derive(Debug)]
pub struct ThingModel;
