//! Numbers that must not be mixed up, each a type of its own.
//!
//! The wire carries them as signed Java integers; they are checked and converted once, where a header or a record is
//! decoded, and unsigned from there on.

use std::fmt;

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

unit! {
    /// A byte position in the commit log, counted over all segments since the store was born.
    PhysicalOffset(u64)
}
unit! {
    /// The number of an entry within one consume queue.
    QueueOffset(u64)
}
unit! {
    /// How far a consumer group has come in one queue: the next queue offset it wants.
    ///
    /// Kept apart from [`QueueOffset`] since clients may store anything, backwards and beyond the end included.
    ConsumedOffset(i64)
}
unit! {
    /// When the broker stored a message, in milliseconds since the epoch.
    StoreTime(i64)
}
unit! {
    /// When the producer made a message, in milliseconds since the epoch, by the producer's clock.
    BornTime(i64)
}
unit! {
    /// The number of a queue within its topic.
    QueueId(u32)
}
unit! {
    /// Names one connection of this process from its acceptance to its end; never used again afterwards.
    ConnectionId(u64)
}
unit! {
    /// Pairs a reply with its request on one connection.
    Opaque(i32)
}

impl PhysicalOffset {
    /// The position `bytes` further on.
    #[must_use]
    pub fn plus(self, bytes: u64) -> Self {
        Self(self.0 + bytes)
    }
}

impl QueueOffset {
    /// The entry `entries` further on.
    #[must_use]
    pub fn plus(self, entries: u64) -> Self {
        Self(self.0 + entries)
    }
}
