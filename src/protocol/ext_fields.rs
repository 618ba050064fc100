//! Ext fields: the named texts in a command's header, read in place.
//!
//! A header that was received is kept as it came, with a span for each key and value; a text is made only of what is asked
//! for. Which fields a request has, and of which type, is known to `headers`.

mod value;

use std::borrow::Cow;
use std::fmt::{self, Display, Write};

use bytes::Bytes;

use super::error::ProtocolError;
pub use value::FieldText;
use value::utf8;

/// Most ext fields in one header.
///
/// Requests have up to 25. Without a limit, a hostile header of 16 MiB could make us hold millions of them.
pub const FIELDS_MAX: usize = 1024;

/// The fields of a request or reply, by name.
///
/// # Invariant
/// Every span lies within `text`, on character boundaries of valid UTF-8; a value marked as escaped holds only whole JSON
/// escapes. Both are checked by whoever makes the spans: the two header decoders and [`ExtFieldsBuilder`].
#[derive(Clone, Default)]
pub struct ExtFields {
    text: Bytes,
    spans: Vec<Span>,
}

/// The same, borrowed: as the fields lie in a buffer that was read from a socket.
#[derive(Clone, Copy)]
pub struct ExtFieldsRef<'a> {
    text: &'a [u8],
    spans: &'a [Span],
    letters: Option<&'a Letters>,
}

impl ExtFields {
    /// Starts a set of fields of our own.
    #[must_use]
    pub fn builder() -> ExtFieldsBuilder {
        ExtFieldsBuilder::default()
    }

    /// The same, with room for so many fields whose names and values have so many bytes together.
    #[must_use]
    pub fn builder_with_room(fields: usize, bytes: usize) -> ExtFieldsBuilder {
        ExtFieldsBuilder { text: String::with_capacity(bytes), spans: Vec::with_capacity(fields) }
    }

    /// How many bytes the names and values have, those of values that do not count included.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The same fields, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> ExtFieldsRef<'_> {
        ExtFieldsRef { text: &self.text, spans: &self.spans, letters: None }
    }

    /// Whether there is not one field. A null counts as one, since the peer did write it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// See [`ExtFieldsRef::get`].
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.as_ref().get(name)
    }

    /// See [`ExtFieldsRef::required`].
    ///
    /// # Errors
    /// It is missing or null.
    pub fn required(&self, name: &'static str) -> Result<Cow<'_, str>, ProtocolError> {
        self.as_ref().required(name)
    }

    /// See [`ExtFieldsRef::int32`].
    ///
    /// # Errors
    /// It is missing, or not such a number.
    pub fn int32(&self, name: &'static str) -> Result<i32, ProtocolError> {
        self.as_ref().int32(name)
    }

    /// See [`ExtFieldsRef::optional_int32`].
    ///
    /// # Errors
    /// It is there and not such a number.
    pub fn optional_int32(&self, name: &'static str) -> Result<Option<i32>, ProtocolError> {
        self.as_ref().optional_int32(name)
    }

    /// See [`ExtFieldsRef::int64`].
    ///
    /// # Errors
    /// It is missing, or not such a number.
    pub fn int64(&self, name: &'static str) -> Result<i64, ProtocolError> {
        self.as_ref().int64(name)
    }

    /// See [`ExtFieldsRef::optional_int64`].
    ///
    /// # Errors
    /// It is there and not such a number.
    pub fn optional_int64(&self, name: &'static str) -> Result<Option<i64>, ProtocolError> {
        self.as_ref().optional_int64(name)
    }

    /// See [`ExtFieldsRef::bool`].
    ///
    /// # Errors
    /// It is missing.
    pub fn bool(&self, name: &'static str) -> Result<bool, ProtocolError> {
        self.as_ref().bool(name)
    }

    /// See [`ExtFieldsRef::optional_bool`].
    #[must_use]
    pub fn optional_bool(&self, name: &str) -> Option<bool> {
        self.as_ref().optional_bool(name)
    }

    /// See [`ExtFieldsRef::iter`].
    pub fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.as_ref().iter()
    }
}

impl<'a> ExtFieldsRef<'a> {
    /// Fields whose keys and values lie in `text`.
    pub(super) fn of_spans(text: &'a [u8], spans: &'a [Span]) -> Self {
        Self { text, spans, letters: None }
    }

    /// The same, where it is known which fields have the letters of the alphabet for names.
    pub(super) fn with_letters(self, letters: Option<&'a Letters>) -> Self {
        Self { letters, ..self }
    }

    /// Where the fields are that are called `a`, `b` and so on; `None` when that would take a search.
    pub(super) fn letters(self) -> Option<&'a Letters> {
        self.letters
    }

    /// The value at a place that [`ExtFieldsRef::letters`] or [`ExtFieldsRef::keys`] has told.
    pub(super) fn at(self, place: u16) -> Option<FieldText<'a>> {
        let span = self.spans.get(usize::from(place))?;
        (span.kind != ValueKind::Null).then(|| self.value_of(span))
    }

    /// A copy that can be kept.
    #[must_use]
    pub fn to_owned(self) -> ExtFields {
        ExtFields { text: Bytes::copy_from_slice(self.text), spans: self.spans.to_vec() }
    }

    /// The value of a field; of a key that comes twice, the later one. `None` when it is missing or null.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Cow<'a, str>> {
        Some(self.value(name)?.text())
    }

    /// The value of a field that must be there.
    ///
    /// # Errors
    /// It is missing or null.
    pub fn required(self, name: &'static str) -> Result<Cow<'a, str>, ProtocolError> {
        Ok(self.value_required(name)?.text())
    }

    /// A 32-bit number that must be there.
    ///
    /// # Errors
    /// It is missing, or not such a number.
    pub fn int32(self, name: &'static str) -> Result<i32, ProtocolError> {
        self.value_required(name)?.int32(name)
    }

    /// A 32-bit number that may be missing.
    ///
    /// # Errors
    /// It is there and not such a number.
    pub fn optional_int32(self, name: &'static str) -> Result<Option<i32>, ProtocolError> {
        self.value(name).map(|value| value.int32(name)).transpose()
    }

    /// A 64-bit number that must be there.
    ///
    /// # Errors
    /// It is missing, or not such a number.
    pub fn int64(self, name: &'static str) -> Result<i64, ProtocolError> {
        self.value_required(name)?.int64(name)
    }

    /// A 64-bit number that may be missing.
    ///
    /// # Errors
    /// It is there and not such a number.
    pub fn optional_int64(self, name: &'static str) -> Result<Option<i64>, ProtocolError> {
        self.value(name).map(|value| value.int64(name)).transpose()
    }

    /// A yes or no that must be there. As in Java, whatever is not `true` is no.
    ///
    /// # Errors
    /// It is missing.
    pub fn bool(self, name: &'static str) -> Result<bool, ProtocolError> {
        Ok(self.value_required(name)?.bool())
    }

    /// A yes or no that may be missing.
    #[must_use]
    pub fn optional_bool(self, name: &str) -> Option<bool> {
        self.value(name).map(FieldText::bool)
    }

    /// The fields in the order of the header, each key once with the value that counts, nulls left out.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let are_distinct = self.first_letters_differ();
        // Quadratic at worst, which for at most FIELDS_MAX short keys is cheaper than a map.
        self.spans.iter().enumerate().filter_map(move |(index, span)| {
            let key = self.key(span);
            let later = self.spans.get(index + 1..).unwrap_or_default();
            let comes_again = || !are_distinct && later.iter().any(|other| self.key(other) == key);
            let counts = span.kind != ValueKind::Null && !comes_again();
            counts.then(|| (utf8(key), self.value_of(span).text()))
        })
    }

    /// Whether no two keys begin with the same letter: all of them are different ones then. Letters that differ in their upper bits
    /// alone count as the same, so that keys may be different ones all the same. The short names of sends have a letter each.
    fn first_letters_differ(self) -> bool {
        let mut seen = 0_u64;
        self.spans.iter().all(|span| {
            let letter = self.key(span).first().map_or(1, |letter| 1 << (letter & 63));
            let is_new = seen & letter == 0;
            seen |= letter;
            is_new
        })
    }

    /// The keys as they came, duplicates and those of nulls included, each with its place. For readers that want each field
    /// once and let the later one overwrite the earlier.
    pub(super) fn keys(self) -> impl Iterator<Item = (&'a [u8], u16)> {
        self.spans.iter().map(move |span| self.key(span)).zip(0..Letters::NOWHERE)
    }

    fn value(self, name: &str) -> Option<FieldText<'a>> {
        let span = self.spans.iter().rev().find(|span| self.key(span) == name.as_bytes())?;
        (span.kind != ValueKind::Null).then(|| self.value_of(span))
    }

    fn value_required(self, name: &'static str) -> Result<FieldText<'a>, ProtocolError> {
        self.value(name).ok_or(ProtocolError::FieldMissing { field: name })
    }

    fn key(self, span: &Span) -> &'a [u8] {
        self.slice(span.key)
    }

    fn value_of(self, span: &Span) -> FieldText<'a> {
        FieldText::new(self.slice(span.value), span.kind == ValueKind::Escaped)
    }

    fn slice(self, (start, end): (u32, u32)) -> &'a [u8] {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }
}

impl<'a> From<&'a ExtFields> for ExtFieldsRef<'a> {
    fn from(fields: &'a ExtFields) -> Self {
        fields.as_ref()
    }
}

impl PartialEq for ExtFields {
    /// Equal when the same keys have the same values, however they were written down.
    fn eq(&self, other: &Self) -> bool {
        let (mut ours, mut theirs): (Vec<_>, Vec<_>) = (self.iter().collect(), other.iter().collect());
        ours.sort_unstable();
        theirs.sort_unstable();
        ours == theirs
    }
}

impl fmt::Debug for ExtFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl fmt::Debug for ExtFieldsRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Where a key and its value lie, as byte positions in the text they were found in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// From and up to where the key goes; keys are never escaped.
    pub(super) key: (u32, u32),
    /// From and up to where the value goes, without quotes.
    pub(super) value: (u32, u32),
    /// What the value's bytes are.
    pub(super) kind: ValueKind,
}

/// Which span has each letter of the alphabet for its key, the last of several or none, where there are no other keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letters(pub(super) [u16; 26]);

impl Letters {
    /// Stands for a field that is not there: no header has so many.
    pub(super) const NOWHERE: u16 = u16::MAX;

    /// The places of these fields; `None` if one of them is not called by a letter.
    pub(super) fn of(text: &[u8], spans: &[Span]) -> Option<Self> {
        let mut letters = [Self::NOWHERE; 26];
        for (number, span) in (0..Self::NOWHERE).zip(spans) {
            let letter = text.get(span.key.0 as usize).filter(|_| span.key.1 - span.key.0 == 1)?;
            *letters.get_mut(usize::from(letter.wrapping_sub(b'a')))? = number;
        }
        Some(Self(letters))
    }
}

/// What the bytes of a value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// The value itself.
    Plain,
    /// The inside of a JSON string that has escapes.
    Escaped,
    /// Nothing: the peer wrote the key with a null.
    Null,
}

/// Collects fields of our own: a request to send, or a reply's.
#[derive(Debug, Default)]
pub struct ExtFieldsBuilder {
    text: String,
    spans: Vec<Span>,
}

impl ExtFieldsBuilder {
    /// Adds a field; of a key that is pushed twice, the later value counts.
    pub fn push(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.push_with(name, |text| write!(text, "{value}").expect("a String takes whatever a Display writes"))
    }

    /// The same for a text, without the formatter, which costs more than the copy.
    pub fn push_text(&mut self, name: &str, value: &str) -> &mut Self {
        self.push_with(name, |text| text.push_str(value))
    }

    /// The same for a number.
    pub fn push_number(&mut self, name: &str, value: impl Into<i64>) -> &mut Self {
        self.push_text(name, itoa::Buffer::new().format(value.into()))
    }

    fn push_with(&mut self, name: &str, append: impl FnOnce(&mut String)) -> &mut Self {
        let start = self.text.len();
        self.text.push_str(name);
        let middle = self.text.len();
        append(&mut self.text);
        let at = |position: usize| u32::try_from(position).expect("fields of our own stay far below 4 GiB");
        self.spans.push(Span {
            key: (at(start), at(middle)),
            value: (at(middle), at(self.text.len())),
            kind: ValueKind::Plain,
        });
        self
    }

    /// Adds a field when there is a value for it.
    pub fn push_some(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.push(name, value);
        }
        self
    }

    /// The fields as a set that can be read and sent.
    #[must_use]
    pub fn build(self) -> ExtFields {
        ExtFields { text: Bytes::from(self.text), spans: self.spans }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    fn fields() -> ExtFields {
        let mut builder = ExtFields::builder();
        builder.push("queueId", 3).push("big", i64::MAX).push("yes", true).push("queueId", "four").push("empty", "");
        builder.build()
    }

    #[test]
    fn the_later_of_two_values_counts() {
        assert_eq!(fields().get("queueId").unwrap(), "four");
        assert_eq!(fields().iter().filter(|(key, _)| *key == "queueId").count(), 1);
        for twice in ["", "q", "queueId"] {
            let mut builder = ExtFields::builder();
            builder.push(twice, 1).push("other", 2).push_text(twice, "three");
            let fields = builder.build();
            assert_eq!(fields.iter().collect::<Vec<_>>(), [("other", "2".into()), (twice, "three".into())]);
        }
    }

    #[test]
    fn numbers_are_checked_and_the_error_says_what_was_found() {
        assert_eq!(fields().int64("big"), Ok(i64::MAX));
        let expected = ProtocolError::FieldInvalid {
            field: "big",
            value: "9223372036854775807".into(),
            expected: "a 32-bit number",
        };
        assert_eq!(fields().int32("big"), Err(expected));
        assert_eq!(fields().int32("nothing"), Err(ProtocolError::FieldMissing { field: "nothing" }));
        assert_eq!(fields().optional_int32("nothing"), Ok(None));
        assert!(fields().optional_int64("queueId").is_err());
    }

    #[test]
    fn anything_but_true_is_no() {
        assert_eq!((fields().bool("yes"), fields().bool("queueId")), (Ok(true), Ok(false)));
        assert_eq!(fields().optional_bool("nothing"), None);
        assert_eq!(fields().get("empty").unwrap(), "");
    }
}
