//! Processor time by thread: what a part of a run costs, on a machine whose seconds are shared.

use std::fs::read_to_string;

/// Nanoseconds that a thread of this process has run, by the kernel's own count; 0 where there is none.
fn ran_ns(task: &str) -> u64 {
    let text = read_to_string(format!("/proc/{task}/schedstat")).unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Of the calling thread.
pub(crate) fn own_ns() -> u64 {
    ran_ns("thread-self")
}

/// Of the threads whose names begin with these words.
pub(crate) fn named_ns(beginning: &str) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| task.file_name().into_string().ok());
    let is_asked = |task: &String| {
        let name = read_to_string(format!("/proc/self/task/{task}/comm")).unwrap_or_default();
        name.starts_with(beginning)
    };
    names.filter(is_asked).map(|task| ran_ns(&format!("self/task/{task}"))).sum()
}
