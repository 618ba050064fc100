//! A file system of a few megabytes that is filled up: sends are refused, old messages stay readable, and the room of what
//! is removed is used without a restart.

use std::process::Command;

use ferromq::protocol::codes::{request, response};

use crate::binary::Ferromq;
use crate::keeper::{max_offset, succeeded};
use crate::messages::wait_for;
use crate::raw::{Raw, ask_for, send_to};

/// As a user with a name space of mounts of his own; the process after `--` sees a small file system at `small`.
const MOUNT: &str = "mount -t tmpfs -o size=40m tmpfs small && exec \"$@\"";

/// Whether this system lets us mount anything.
fn may_mount() -> bool {
    let tried = Command::new("unshare").args(["-rm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]).output();
    let may = tried.as_ref().is_ok_and(|tried| tried.status.success());
    if !may {
        eprintln!(
            "NOT TESTED: a small file system cannot be mounted here ({tried:?}). A disk that only says it is full is \
            tested by without_room_nothing_is_taken and tests/faults/a_full_disk_holds_consumers_up_and_loses_nothing"
        );
    }
    may
}

async fn fill_up(client: &mut Raw) -> (i64, String) {
    let mut taken = 0;
    loop {
        let reply = client.ask(send_to("T", 0, "", vec![taken as u8; 1 << 20])).await;
        if reply.code != response::SUCCESS {
            assert_eq!(reply.code, response::SERVICE_NOT_AVAILABLE, "{reply:?}");
            return (taken, reply.remark.unwrap_or_default());
        }
        assert_eq!(reply.ext.int64("queueOffset").unwrap(), taken);
        taken += 1;
        assert!(taken < 60, "more than there is room for");
    }
}

#[actix::test]
async fn it_is_refused_when_there_is_none_and_used_when_there_is_some() {
    if !may_mount() {
        return;
    }
    let settings = "mappedFileSizeCommitLog=4194304\nmaxHashSlotNum=1000\nmaxIndexNum=4000\nlistenPort=0\n\
        flushConsumeQueueThoroughInterval=20\nflushIntervalCommitLog=20\ndeleteCommitLogFilesInterval=1\n";
    let ferromq = Ferromq::new().with_file("broker.conf", settings);
    std::fs::create_dir(ferromq.path().join("small")).unwrap();
    let before = ["unshare", "-rm", "sh", "-c", MOUNT, "sh"];
    let serving = ferromq.serve_by(&before, "broker -c broker.conf --host 127.0.0.1 --port 0 --data small/data");
    let mut client = Raw::connect(serving.broker()).await;
    let (taken, words) = fill_up(&mut client).await;
    assert!(taken > 10, "{taken}: {words}");
    assert!(words.contains("disk is full") || words.contains("disk full"), "{words}");
    // What was acknowledged is there.
    for (message, number) in wait_for(&mut client, "T", 0, 0, taken as usize).await.iter().zip(0..) {
        assert_eq!((message.body.len(), i64::from(message.body[0])), (1 << 20, number));
    }
    // The tool's request is a round in which what is young goes as well, since the disk is so full.
    succeeded(&client.ask(ask_for(request::DELETE_EXPIRED_COMMITLOG, &[])).await);
    let again = client.ask_until(send_to("T", 0, "", vec![7; 1 << 20]), |reply| reply.code == response::SUCCESS).await;
    assert_eq!(again.ext.int64("queueOffset").unwrap(), taken);
    wait_for(&mut client, "T", 0, taken, 1).await;
    // The queue follows the log a moment later.
    let bound = ask_for(request::GET_MIN_OFFSET, &[("topic", &"T"), ("queueId", &0)]);
    let begins = client.ask_until(bound, |reply| reply.ext.int64("offset").unwrap() > 0).await;
    let (min, max) = (begins.ext.int64("offset").unwrap(), max_offset(&mut client, "T", 0).await);
    assert!(min <= taken, "{min} of {taken}");
    assert_eq!(wait_for(&mut client, "T", 0, min, (max - min) as usize).await.len() as i64, max - min);
    assert_eq!(serving.terminate().code, 0);
}
