//! The body of a batch send: several messages, each with flag, body and properties of its own.
//!
//! # Layout
//! Per message: total size i32, magic i32 (0), CRC i32 (0), flag i32, body length i32, body, properties length i16,
//! properties. What they have in common (topic, queue, hosts, times) stands in the request's header.

use bytes::{Buf, BufMut, Bytes};

use super::{PROPERTIES_LENGTH_MAX, RecordError, Text};

/// Bytes of an item besides body and properties.
const ITEM_FIXED_BYTES: usize = 22;

/// One message of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchItem {
    /// The application's own number.
    pub flag: i32,
    /// The body.
    pub body: Bytes,
    /// The properties text.
    pub properties: Text,
}

/// Splits the body of a batch send.
///
/// # Errors
/// The lengths do not add up, or the properties are not text; nothing of the batch is returned then.
pub fn decode_batch(mut block: Bytes) -> Result<Vec<BatchItem>, RecordError> {
    let mut items = Vec::new();
    while !block.is_empty() {
        let left = block.len();
        let cut = |needed: usize| RecordError::Cut { needed, left };
        if left < ITEM_FIXED_BYTES {
            return Err(cut(ITEM_FIXED_BYTES));
        }
        let stated = block.get_u32();
        block.advance(8);
        let flag = block.get_i32();
        let body = take(&mut block, |block| i64::from(block.get_i32()), "body length")?;
        if block.len() < 2 {
            return Err(cut(ITEM_FIXED_BYTES + body.len()));
        }
        let properties = take(&mut block, |block| i64::from(block.get_i16()), "properties length")?;
        let computed = ITEM_FIXED_BYTES + body.len() + properties.len();
        if computed != stated as usize {
            return Err(RecordError::Size { stated, computed: computed as u64 });
        }
        items.push(BatchItem { flag, body, properties: Text::parse(properties, "properties")? });
    }
    Ok(items)
}

/// Appends one message to the body of a batch send.
///
/// # Errors
/// The properties are too long for their length field.
pub fn encode_batch_item(flag: i32, body: &[u8], properties: &str, out: &mut Vec<u8>) -> Result<(), RecordError> {
    if properties.len() > PROPERTIES_LENGTH_MAX {
        return Err(RecordError::Number { field: "properties length", value: properties.len() as i64 });
    }
    out.put_u32((ITEM_FIXED_BYTES + body.len() + properties.len()) as u32);
    out.put_u64(0);
    out.put_i32(flag);
    out.put_u32(body.len() as u32);
    out.put_slice(body);
    out.put_u16(properties.len() as u16);
    out.put_slice(properties.as_bytes());
    Ok(())
}

/// Reads a length with `length`, then that many bytes.
fn take(block: &mut Bytes, length: impl Fn(&mut Bytes) -> i64, field: &'static str) -> Result<Bytes, RecordError> {
    let stated = length(block);
    let Ok(length) = usize::try_from(stated) else {
        return Err(RecordError::Number { field, value: stated });
    };
    if block.len() < length {
        return Err(RecordError::Cut { needed: length, left: block.len() });
    }
    Ok(block.split_to(length))
}
