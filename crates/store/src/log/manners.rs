//! How threads that commit are scheduled: the log's, and those of payloads.
//!
//! Such a thread sleeps through most of a commit, and is woken twice by the disk for a few microseconds of work. Each time, the
//! system would stop whatever runs and put it in its place at once: two changes of thread, and caches full of somebody else's
//! data, in the middle of calls that are being decided. On Linux it can say that it is in no such hurry (`SCHED_BATCH`): it then
//! runs as soon as a processor has nothing else to do or whoever runs has had its share.

/// Lets the calling thread interrupt nobody when it is woken. Its share of the processors stays what it was. Where the system
/// knows nothing of the kind, or does not allow it, everything is as before.
pub(crate) fn interrupt_nobody() {
    #[cfg(target_os = "linux")]
    if let Err(error) = linux::batch() {
        tracing::debug!(%error, "a committing thread is scheduled like any other");
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use thread_priority::{
        NormalThreadSchedulePolicy::Batch, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id,
    };

    pub(super) fn batch() -> std::io::Result<()> {
        let nice = rustix::process::getpriority_process(None)?;
        let policy = ThreadSchedulePolicy::Normal(Batch);
        set_thread_priority_and_policy(thread_native_id(), same_as(nice), policy)
            .map_err(|error| std::io::Error::other(error.to_string()))
    }

    /// The priority that the crate turns into this nice value: it sets one in any case, and it is to stay what it was.
    pub(super) fn same_as(nice: i32) -> ThreadPriority {
        let above_lowest = (19 - nice).clamp(0, 39);
        // 0 to 99 are spread over 39 steps; in the middle of one, where no rounding matters.
        let priority = u8::try_from((2 * above_lowest - 1).max(0) * 99 / 78).unwrap_or_default();
        ThreadPriorityValue::try_from(priority).map_or(ThreadPriority::Min, ThreadPriority::Crossplatform)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy};

    #[test]
    fn every_nice_value_stays_what_it_was() {
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        for nice in -20..=19 {
            assert_eq!(linux::same_as(nice).to_posix(policy).unwrap(), nice, "{nice}");
        }
    }

    #[test]
    fn only_the_thread_that_asks_is_changed() {
        let before = thread_schedule_policy().unwrap();
        let nice = rustix::process::getpriority_process(None).unwrap();
        std::thread::spawn(move || {
            interrupt_nobody();
            let policy = thread_schedule_policy().unwrap();
            assert_eq!(policy, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch));
            assert_eq!(rustix::process::getpriority_process(None).unwrap(), nice);
        })
        .join()
        .unwrap();
        assert_eq!(thread_schedule_policy().unwrap(), before);
    }
}
