//! The front as its callers see it: real sockets, a fixed clock, an engine and a directory made of memory.

mod batches;
mod bench;
mod beside;
mod directory;

mod allowed;
mod audit;
mod broadcasts;
mod captures;
mod connections;
mod fleets;
mod gateway;
mod groups;
mod instances;
mod invoke;
mod letters;
mod models;
mod neighbours;
mod oddities;
mod once;
mod past;
mod registry;
mod sets;
mod signatures;
mod subscribed;
mod untrusted;
mod values;
