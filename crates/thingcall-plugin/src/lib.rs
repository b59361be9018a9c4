//! What an author of a thingcall plugin depends on, alone.

pub mod abi;
