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

/// The same, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchItemRef<'a> {
    /// The application's own number.
    pub flag: i32,
    /// The body.
    pub body: &'a [u8],
    /// The properties text.
    pub properties: &'a str,
}

/// The messages of a batch send's body, one after the other, where they lie.
#[derive(Clone, Copy, Debug)]
pub struct BatchItems<'a> {
    rest: &'a [u8],
}

impl<'a> BatchItems<'a> {
    /// Of a batch send's body.
    #[must_use]
    pub fn of(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    fn read(&mut self) -> Result<BatchItemRef<'a>, RecordError> {
        let left = self.rest.len();
        let cut = |needed: usize| RecordError::Cut { needed, left };
        if left < ITEM_FIXED_BYTES {
            return Err(cut(ITEM_FIXED_BYTES));
        }
        let stated = self.rest.get_u32();
        self.rest.advance(8);
        let flag = self.rest.get_i32();
        let body_length = i64::from(self.rest.get_i32());
        let body = self.part(body_length, "body length")?;
        if self.rest.len() < 2 {
            return Err(cut(ITEM_FIXED_BYTES + body.len()));
        }
        let properties_length = i64::from(self.rest.get_i16());
        let properties = self.part(properties_length, "properties length")?;
        let computed = ITEM_FIXED_BYTES + body.len() + properties.len();
        if computed != stated as usize {
            return Err(RecordError::Size { stated, computed: computed as u64 });
        }
        let properties = std::str::from_utf8(properties).map_err(|_| RecordError::NotText { field: "properties" })?;
        Ok(BatchItemRef { flag, body, properties })
    }

    fn part(&mut self, stated: i64, field: &'static str) -> Result<&'a [u8], RecordError> {
        let Ok(length) = usize::try_from(stated) else {
            return Err(RecordError::Number { field, value: stated });
        };
        let left = self.rest.len();
        let (part, rest) = self.rest.split_at_checked(length).ok_or(RecordError::Cut { needed: length, left })?;
        self.rest = rest;
        Ok(part)
    }
}

impl<'a> Iterator for BatchItems<'a> {
    type Item = Result<BatchItemRef<'a>, RecordError>;

    /// # Errors
    /// The lengths do not add up, or the properties are not text; nothing follows then.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

/// Splits the body of a batch send.
///
/// # Errors
/// As [`BatchItems`]; nothing of the batch is returned then.
pub fn decode_batch(block: Bytes) -> Result<Vec<BatchItem>, RecordError> {
    let kept = |item: BatchItemRef<'_>| {
        let properties = Text::parse(block.slice_ref(item.properties.as_bytes()), "properties")?;
        Ok(BatchItem { flag: item.flag, body: block.slice_ref(item.body), properties })
    };
    BatchItems::of(&block).map(|item| kept(item?)).collect()
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
