//! The bits of two "sys flags": the one of a message and the one of a pull request.

use std::net::SocketAddr;

/// The body was compressed by the client.
pub const COMPRESSED: i32 = 0x1;
/// The topic has more than one tag per message; set by the broker.
pub const MULTI_TAGS: i32 = 0x2;
/// Mask of the transaction type.
pub const TRANSACTION_TYPE: i32 = 0xC;
/// No part of a transaction.
pub const TRANSACTION_NONE: i32 = 0;
/// A half message.
pub const TRANSACTION_PREPARED: i32 = 0x4;
/// A committed message.
pub const TRANSACTION_COMMIT: i32 = 0x8;
/// A rolled back message.
pub const TRANSACTION_ROLLBACK: i32 = 0xC;
/// The born host is an IPv6 address.
pub const BORN_HOST_V6: i32 = 0x10;
/// The store host is an IPv6 address.
pub const STORE_HOST_V6: i32 = 0x20;
/// 5.x: the record holds a whole batch, which this store does not support.
pub const INNER_BATCH: i32 = 0x80;
/// Mask of the compression type, which [`compression_type`] tells.
pub const COMPRESSION_TYPE: i32 = 0x700;

/// The compression type in bits 8 to 10: 0 or 3 zlib, 1 LZ4, 2 zstd.
#[must_use]
pub fn compression_type(sys_flag: i32) -> i32 {
    (sys_flag & COMPRESSION_TYPE) >> 8
}

/// The flag with another compression type.
#[must_use]
pub fn with_compression_type(sys_flag: i32, compression_type: i32) -> i32 {
    (sys_flag & !COMPRESSION_TYPE) | (compression_type << 8 & COMPRESSION_TYPE)
}

/// The transaction type's bits.
#[must_use]
pub fn transaction_type(sys_flag: i32) -> i32 {
    sys_flag & TRANSACTION_TYPE
}

/// The flag with another transaction type.
#[must_use]
pub fn with_transaction_type(sys_flag: i32, transaction_type: i32) -> i32 {
    (sys_flag & !TRANSACTION_TYPE) | (transaction_type & TRANSACTION_TYPE)
}

/// Whether a record of this flag gets an entry in its queue: half and rollback records do not.
#[must_use]
pub fn enters_queue(sys_flag: i32) -> bool {
    matches!(transaction_type(sys_flag), TRANSACTION_NONE | TRANSACTION_COMMIT)
}

/// Bytes of the born host field.
#[must_use]
pub fn born_host_bytes(sys_flag: i32) -> usize {
    if sys_flag & BORN_HOST_V6 == 0 { 8 } else { 20 }
}

/// Bytes of the store host field.
#[must_use]
pub fn store_host_bytes(sys_flag: i32) -> usize {
    if sys_flag & STORE_HOST_V6 == 0 { 8 } else { 20 }
}

/// The flag with the two host bits set from the addresses.
#[must_use]
pub fn with_hosts(sys_flag: i32, born_host: SocketAddr, store_host: SocketAddr) -> i32 {
    let born = if born_host.is_ipv6() { BORN_HOST_V6 } else { 0 };
    let store = if store_host.is_ipv6() { STORE_HOST_V6 } else { 0 };
    (sys_flag & !(BORN_HOST_V6 | STORE_HOST_V6)) | born | store
}

/// The bits of a pull request's sys flag.
pub mod pull {
    /// The request carries an offset to be stored.
    pub const COMMIT_OFFSET: i32 = 0x1;
    /// The broker may hold the request until there is a message.
    pub const SUSPEND: i32 = 0x2;
    /// The request carries the filter expression.
    pub const SUBSCRIPTION: i32 = 0x4;
    /// Filtering by class, which nobody supports any more.
    pub const CLASS_FILTER: i32 = 0x8;
    /// The request is a "lite pull".
    pub const LITE_PULL: i32 = 0x10;
}
