//! Compressed message bodies: zlib both ways, LZ4 and zstd for reading what newer clients sent.
//!
//! Every reader has a limit on what comes out: a few kilobytes can say that they are gigabytes.

use std::io::{Read, Write};

use bytes::Bytes;
use thiserror::Error;

use super::sys_flag;

/// Why a body could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// The compression type of the sys flag is none of those known.
    #[error("unknown compression type {found}")]
    Unknown {
        /// What bits 8 to 10 hold.
        found: i32,
    },
    /// More would come out than is allowed.
    #[error("the body holds more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The compressed bytes are damaged.
    #[error("damaged compressed body: {0}")]
    Damaged(#[from] std::io::Error),
}

/// The body as the producer wrote it: decompressed when the sys flag says that it is compressed.
///
/// # Errors
/// See [`CompressionError`].
pub fn plain_body(sys_flag: i32, body: &Bytes, limit: usize) -> Result<Bytes, CompressionError> {
    if sys_flag & sys_flag::COMPRESSED == 0 {
        return Ok(body.clone());
    }
    match sys_flag::compression_type(sys_flag) {
        0 | 3 => read_limited(flate2::read::ZlibDecoder::new(&body[..]), limit),
        1 => read_limited(lz4_flex::frame::FrameDecoder::new(&body[..]), limit),
        2 => read_limited(zstd::stream::read::Decoder::new(&body[..])?, limit),
        found => Err(CompressionError::Unknown { found }),
    }
    .map(Bytes::from)
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// What every version knows.
    #[default]
    Zlib,
    /// Known since RocketMQ 5.
    Lz4,
    /// Known since RocketMQ 5.
    Zstd,
}

impl Algorithm {
    /// Compresses at a level as producers count them, up to 9; gives the bits of the sys flag that say so, too. Zlib has no bits
    /// of its own, as clients before RocketMQ 5 write it.
    #[must_use]
    pub fn compress(self, plain: &[u8], level: u32) -> (Vec<u8>, i32) {
        let (compressed, kind) = match self {
            Self::Zlib => (zlib(plain, level), 0),
            Self::Lz4 => (lz4(plain), 1),
            Self::Zstd => (zstd(plain, level), 2),
        };
        (compressed, sys_flag::COMPRESSED | sys_flag::with_compression_type(0, kind))
    }
}

fn lz4(plain: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(plain).expect("a vector takes every write");
    encoder.finish().expect("a vector takes every write")
}

fn zstd(plain: &[u8], level: u32) -> Vec<u8> {
    zstd::stream::encode_all(plain, level.min(9) as i32).expect("a vector takes every write")
}

/// Compresses with zlib, as clients do with large bodies and brokers with their registration.
#[must_use]
pub fn zlib(plain: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level.min(9)));
    encoder.write_all(plain).and_then(|()| encoder.finish()).expect("a vector takes every write")
}

/// Reads zlib.
///
/// # Errors
/// Damaged, or more than `limit` bytes.
pub fn unzlib(compressed: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    read_limited(flate2::read::ZlibDecoder::new(compressed), limit)
}

fn read_limited(reader: impl Read, limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut plain = Vec::new();
    // One byte over the limit tells "exactly full" from "too much".
    reader.take(limit as u64 + 1).read_to_end(&mut plain)?;
    if plain.len() > limit {
        return Err(CompressionError::TooLarge { limit });
    }
    Ok(plain)
}
