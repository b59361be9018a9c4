//! The processor's time that other processes take, as the kernel counts it.

use std::time::Duration;

/// The unit of `/proc/PID/stat` on every Linux, whatever the kernel's own tick is.
const TICK: Duration = Duration::from_millis(10);

/// What these processes have used so far, in user and kernel mode together; `None` if one of them is gone.
pub(crate) fn used(pids: &[u32]) -> Option<Duration> {
    pids.iter().map(|pid| of_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).sum()
}

/// The second field is the program's name in brackets, which may hold anything.
fn of_stat(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Option<u32> = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().ok()).sum();
    Some(TICK * ticks?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_kernel_time_are_added_whatever_the_name_holds() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 900 0 1 0 150 25 9 9 20 0 4 0 100 1000 10";

        assert_eq!(of_stat(stat), Some(Duration::from_millis(1750)));
    }

    #[test]
    fn process_that_is_gone_has_no_figure() {
        assert_eq!(used(&[std::process::id(), u32::MAX]), None);
    }
}
