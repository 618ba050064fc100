//! The power goes: of what the kernel was not asked to sync, any part is lost. Under SYNC_FLUSH nothing acknowledged is.
//!
//! The store lies on a file system of its own, on an image of a disk, which is shut down from one moment to the next: what ext4
//! has not written by then it never writes. What that leaves open are disks that lose what they said was on them, and writes
//! of a few sectors out of a page; `tests/sim` has both.

use std::path::Path;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::image::{MOUNTED, cut_power, make, may_mount, wait_until_free};
use crate::rounds::{End, check};

/// All that was not synced is lost.
struct PowerCut;

impl End for PowerCut {
    fn prepare(&self, directory: &Path) {
        make(directory);
    }

    fn before(&self) -> &[&str] {
        &MOUNTED
    }

    fn strike(&self, directory: &Path, process: Pid) {
        // It is not to hear of the disk, nor to tell anybody: each of its threads must have stopped.
        kill_process(process, Signal::STOP).unwrap();
        waitpid(Some(process), WaitOptions::UNTRACED).unwrap();
        cut_power(directory, process);
    }

    fn clear_away(&self, directory: &Path) {
        wait_until_free(directory);
    }
}

#[actix::test]
async fn nothing_acknowledged_is_lost_under_sync_flush() {
    if may_mount() {
        check(&PowerCut, "SYNC_FLUSH", "").await;
    }
}
