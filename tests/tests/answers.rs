//! Every action of the README by every official SDK that has it: its answer held against the models of the SDKs and against
//! itself in XML, its errors, and what the rules of a key let through. Tables, in which an action that is new must stand.

mod bench;
mod catalogued;
mod elements;
mod faults;
mod judged;
mod lacks;
mod refused;
mod rows;
mod whole;
