//! What stands for a text that only has to be known again: long texts cost no more than short ones, and nobody can make two
//! that look alike.

use sha2::Sha256;

/// 128 bits of the SHA-256 of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest([u64; 2]);

impl Digest {
    /// Of a text.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let digest: [u8; 32] = <Sha256 as sha2::Digest>::digest(text).into();
        let half =
            |from: usize| digest.get(from..).and_then(|bytes| bytes.first_chunk().copied().map(u64::from_be_bytes));
        Self([half(0).unwrap_or_default(), half(8).unwrap_or_default()])
    }
}
