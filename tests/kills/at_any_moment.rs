//! SIGKILL, with each way to flush: what was written is there, whether it was synced or not.

use crate::rounds::{Kill, check};

#[actix::test]
async fn nothing_acknowledged_is_lost_under_async_flush() {
    check(&Kill, "ASYNC_FLUSH", "").await;
}

/// What RocketMQ's broker acknowledges with this key set is in its memory only until a thread has written it.
#[actix::test]
async fn nothing_acknowledged_is_lost_when_it_is_collected_in_memory_first() {
    check(&Kill, "ASYNC_FLUSH", "transientStorePoolEnable=true\n").await;
}

#[actix::test]
async fn nothing_acknowledged_is_lost_under_sync_flush() {
    check(&Kill, "SYNC_FLUSH", "").await;
}
