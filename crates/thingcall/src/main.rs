//! The program (commands to come).

mod config;
mod logs;
mod observe;
mod output;

fn main() {}
