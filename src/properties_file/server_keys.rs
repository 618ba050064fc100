//! The keys of `NettyServerConfig` and `NettyClientConfig`: the network of name server and broker alike.

use super::Key;

/// The 14 keys of `NettyServerConfig`. `listenPort` is 8888 in Java's class and replaced by each program: see
/// `broker::config` and `namesrv::config`.
pub static SERVER_KEYS: &[Key] = &[
    // 65533 leaves room for the replication port, which is one more.
    Key::int("listenPort", "8888").within(0, 65_533).at_start(),
    Key::int("serverWorkerThreads", "8").no_effect(),
    Key::int("serverCallbackExecutorThreads", "0").no_effect(),
    Key::int("serverSelectorThreads", "3").no_effect(),
    Key::int("serverOnewaySemaphoreValue", "256").no_effect(),
    Key::int("serverAsyncSemaphoreValue", "64").no_effect(),
    Key::int("serverChannelMaxIdleTimeSeconds", "120").at_start(),
    Key::int("serverSocketSndBufSize", "0").no_effect(),
    Key::int("serverSocketRcvBufSize", "0").no_effect(),
    Key::int("writeBufferHighWaterMark", "0").no_effect(),
    Key::int("writeBufferLowWaterMark", "0").no_effect(),
    Key::int("serverSocketBacklog", "1024").no_effect(),
    Key::switch("serverPooledByteBufAllocatorEnable", true).no_effect(),
    Key::switch("useEpollNativeSelector", false).no_effect(),
];

/// The keys of `NettyClientConfig` that are not in [`SERVER_KEYS`] too: the broker towards its name servers.
pub static CLIENT_KEYS: &[Key] = &[
    Key::int("clientWorkerThreads", "4").no_effect(),
    Key::int("clientCallbackExecutorThreads", "4").no_effect(),
    Key::int("clientOnewaySemaphoreValue", "65535").no_effect(),
    Key::int("clientAsyncSemaphoreValue", "65535").no_effect(),
    Key::int("connectTimeoutMillis", "3000").later(),
    Key::int("channelNotActiveInterval", "60000").no_effect(),
    Key::int("clientChannelMaxIdleTimeSeconds", "120").no_effect(),
    Key::int("clientSocketSndBufSize", "0").no_effect(),
    Key::int("clientSocketRcvBufSize", "0").no_effect(),
    Key::switch("clientPooledByteBufAllocatorEnable", false).no_effect(),
    Key::switch("clientCloseSocketIfTimeout", true).no_effect(),
    Key::switch("useTLS", false).refused("connections would be in clear text"),
];
