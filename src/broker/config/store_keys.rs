//! The 78 keys of `MessageStoreConfig`.

use crate::properties_file::Key;

/// What `brokerRole` takes.
const ROLES: &[&str] = &["ASYNC_MASTER", "SYNC_MASTER", "SLAVE"];
/// What `flushDiskType` takes.
const FLUSH_TYPES: &[&str] = &["ASYNC_FLUSH", "SYNC_FLUSH"];
const INT_MAX: i64 = i32::MAX as i64;

/// The keys, in the order in which tools show them.
///
/// # Source
/// `MessageStoreConfig` 4.9.7 (read).
pub static STORE_KEYS: &[Key] = &[
    // Where, and how large the files are. The sizes must be those that the store was made with.
    Key::text("storePathRootDir", "store").important().at_start(),
    Key::text("storePathCommitLog", "").important().at_start(),
    Key::text("readOnlyCommitLogStorePaths", "").refused("their messages would be missing"),
    Key::int("mappedFileSizeCommitLog", "1073741824").within(1_024, INT_MAX).at_start(),
    Key::int("mappedFileSizeConsumeQueue", "6000000").within(20, INT_MAX).at_start(),
    Key::switch("enableConsumeQueueExt", false).at_start(),
    Key::int("mappedFileSizeConsumeQueueExt", "50331648").within(24, INT_MAX).at_start(),
    // RocketMQ puts the size of its bloom filter over whatever is set here.
    Key::int("bitMapLengthConsumeQueueExt", "64").no_effect(),
    Key::switch("messageIndexEnable", true).important().at_start(),
    Key::int("maxHashSlotNum", "5000000").within(1, INT_MAX).at_start(),
    Key::int("maxIndexNum", "20000000").within(2, INT_MAX).at_start(),
    Key::switch("messageIndexSafe", false).important().no_effect(),
    Key::int("maxMsgsNumBatch", "64"),
    Key::int("defaultQueryMaxNum", "32"),
    // What is taken.
    Key::int("maxMessageSize", "4194304"),
    Key::text("messageDelayLevel", "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h").at_start(),
    Key::switch("checkCRCOnRecover", true).at_start(),
    // When it is written to disk.
    Key::word("flushDiskType", FLUSH_TYPES, "ASYNC_FLUSH").important().at_start(),
    Key::int("syncFlushTimeout", "5000").at_start(),
    Key::int("flushIntervalCommitLog", "500").within(1, INT_MAX).important().at_start(),
    Key::switch("flushCommitLogTimed", true).important().no_effect(),
    Key::int("flushCommitLogLeastPages", "4").no_effect(),
    Key::int("flushCommitLogThoroughInterval", "10000").no_effect(),
    Key::int("flushIntervalConsumeQueue", "1000").no_effect(),
    Key::int("flushConsumeQueueLeastPages", "2").no_effect(),
    Key::int("flushConsumeQueueThoroughInterval", "60000").within(1, INT_MAX).at_start(),
    // The Java broker's ways of writing: its buffer outside the heap, its locks, its warming of pages.
    Key::int("commitIntervalCommitLog", "200").important().no_effect(),
    Key::int("commitCommitLogLeastPages", "4").no_effect(),
    Key::int("commitCommitLogThoroughInterval", "200").no_effect(),
    Key::switch("transientStorePoolEnable", false).important().at_start(),
    Key::int("transientStorePoolSize", "5").no_effect(),
    Key::switch("fastFailIfNoBufferInStorePool", false).no_effect(),
    Key::switch("useReentrantLockWhenPutMessage", true).no_effect(),
    Key::switch("warmMapedFileEnable", false).no_effect(),
    Key::int("flushLeastPagesWhenWarmMapedFile", "4096").no_effect(),
    Key::switch("debugLockEnable", false).no_effect(),
    Key::long("osPageCacheBusyTimeOutMills", "1000").no_effect(),
    Key::int("putMsgIndexHightWater", "600000").no_effect(),
    // What one pull may return.
    Key::int("maxTransferBytesOnMessageInMemory", "262144").important(),
    Key::int("maxTransferCountOnMessageInMemory", "32").important(),
    Key::int("maxTransferBytesOnMessageInDisk", "65536").important(),
    Key::int("maxTransferCountOnMessageInDisk", "8").important(),
    Key::int("accessMessageInMemoryMaxRatio", "40").within(0, 100).important(),
    Key::switch("diskFallRecorded", true).later(),
    // What is deleted and when.
    Key::text("deleteWhen", "04").important(),
    Key::int("fileReservedTime", "72").important(),
    Key::int("diskMaxUsedSpaceRatio", "75"),
    Key::switch("cleanFileForciblyEnable", true).important(),
    Key::int("cleanResourceInterval", "10000").within(1, INT_MAX).at_start(),
    Key::int("deleteCommitLogFilesInterval", "100"),
    Key::int("deleteConsumeQueueFilesInterval", "100"),
    Key::int("destroyMapedFileIntervalForcibly", "120000").within(1_000, INT_MAX).at_start(),
    Key::int("redeleteHangedFileInterval", "120000"),
    // Replication.
    Key::word("brokerRole", ROLES, "ASYNC_MASTER").important().refused("it does not replicate"),
    Key::int("haListenPort", "10912").no_effect(),
    Key::int("haSendHeartbeatInterval", "5000").later(),
    Key::int("haHousekeepingInterval", "20000").later(),
    Key::int("haTransferBatchSize", "32768").later(),
    Key::text("haMasterAddress", "").important().later(),
    Key::int("haSlaveFallbehindMax", "268435456").later(),
    Key::int("slaveTimeout", "3000").later(),
    Key::switch("offsetCheckInSlave", false).later(),
    Key::switch("duplicationEnable", false).refused("it does not replicate"),
    Key::switch("enableDLegerCommitLog", false).refused("it does not replicate"),
    Key::text("storePathDLedgerCommitLog", "").important().later(),
    Key::text("dLegerGroup", "").later(),
    Key::text("dLegerPeers", "").later(),
    Key::text("dLegerSelfId", "").later(),
    Key::text("preferredLeaderId", "").later(),
    Key::switch("enableBatchPush", false).later(),
    // Delayed messages and light queues.
    Key::long("flushDelayOffsetInterval", "10000").within(1, i64::MAX).at_start(),
    Key::switch("enableScheduleMessageStats", true).later(),
    Key::switch("enableScheduleAsyncDeliver", false).later(),
    Key::int("scheduleAsyncDeliverMaxPendingLimit", "2000").later(),
    Key::int("scheduleAsyncDeliverMaxResendNum2Blocked", "3").later(),
    Key::switch("enableLmq", false).later(),
    Key::switch("enableMultiDispatch", false).later(),
    Key::int("maxLmqConsumeQueueNum", "20000").later(),
];
