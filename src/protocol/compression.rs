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
