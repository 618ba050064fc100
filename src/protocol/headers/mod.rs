//! The fields of each request and reply, typed: a file per family.
//!
//! `parse` reads what a peer sent, `write` makes what we send. A field that is missing or no number is an error that
//! names it; what a value means is for the reader to judge.

pub mod acl;
pub mod client;
pub mod consumer;
pub mod namesrv;
pub mod offset;
pub mod pull;
pub mod query;
pub mod send;
pub mod topic;
pub mod transaction;

/// Declares headers: each field with its Rust name, its kind and its name on the wire.
///
/// Kinds: `text`, `int32`, `int64`, `bool` must be there; those with `optional_` may be missing; `bool_or_false` counts as
/// false then.
macro_rules! headers {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ident $wire:literal,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $crate::protocol::headers::kind!(type $kind),)*
            }

            impl $name {
                /// Reads the fields.
                ///
                /// # Errors
                /// Names the first field that is missing or cannot be read.
                pub fn parse(
                    ext: &$crate::protocol::command::ExtFields,
                ) -> Result<Self, $crate::protocol::error::ProtocolError> {
                    Ok(Self { $($field: $crate::protocol::headers::kind!(parse $kind ext $wire),)* })
                }

                /// Appends the fields; what is missing is left out.
                pub fn write(&self, ext: &mut $crate::protocol::command::ExtFieldsBuilder) {
                    $($crate::protocol::headers::kind!(write $kind ext $wire self.$field);)*
                }

                /// The fields alone.
                #[must_use]
                pub fn to_ext(&self) -> $crate::protocol::command::ExtFields {
                    let mut ext = $crate::protocol::command::ExtFields::builder();
                    self.write(&mut ext);
                    ext.build()
                }
            }
        )*
    };
}

/// What a kind of field is in Rust, how it is read, how it is written.
macro_rules! kind {
    (type text) => { String };
    (type optional_text) => { Option<String> };
    (type int32) => { i32 };
    (type optional_int32) => { Option<i32> };
    (type int64) => { i64 };
    (type optional_int64) => { Option<i64> };
    (type bool) => { bool };
    (type optional_bool) => { Option<bool> };
    (type bool_or_false) => { bool };
    (parse text $ext:ident $wire:literal) => { $ext.required($wire)?.into_owned() };
    (parse optional_text $ext:ident $wire:literal) => { $ext.get($wire).map(std::borrow::Cow::into_owned) };
    (parse int32 $ext:ident $wire:literal) => { $ext.int32($wire)? };
    (parse optional_int32 $ext:ident $wire:literal) => { $ext.optional_int32($wire)? };
    (parse int64 $ext:ident $wire:literal) => { $ext.int64($wire)? };
    (parse optional_int64 $ext:ident $wire:literal) => { $ext.optional_int64($wire)? };
    (parse bool $ext:ident $wire:literal) => { $ext.bool($wire)? };
    (parse optional_bool $ext:ident $wire:literal) => { $ext.optional_bool($wire) };
    (parse bool_or_false $ext:ident $wire:literal) => { $ext.optional_bool($wire).unwrap_or(false) };
    (write optional_text $ext:ident $wire:literal $self:ident.$field:ident) => {
        $ext.push_some($wire, $self.$field.as_ref())
    };
    (write optional_int32 $ext:ident $wire:literal $self:ident.$field:ident) => { $ext.push_some($wire, $self.$field) };
    (write optional_int64 $ext:ident $wire:literal $self:ident.$field:ident) => { $ext.push_some($wire, $self.$field) };
    (write optional_bool $ext:ident $wire:literal $self:ident.$field:ident) => { $ext.push_some($wire, $self.$field) };
    (write text $ext:ident $wire:literal $self:ident.$field:ident) => { $ext.push($wire, &$self.$field) };
    (write $kind:ident $ext:ident $wire:literal $self:ident.$field:ident) => { $ext.push($wire, $self.$field) };
}

use {headers, kind};

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::offset::QueryConsumerOffset;
    use super::send::SendHeader;
    use crate::protocol::command::ExtFields;

    #[test]
    fn a_header_reads_what_it_wrote_and_names_what_is_missing() {
        let header = QueryConsumerOffset {
            consumer_group: "G".into(),
            topic: "T".into(),
            queue_id: 3,
            set_zero_if_not_found: Some(false),
        };
        assert_eq!(QueryConsumerOffset::parse(&header.to_ext()).unwrap(), header);
        let mut ext = ExtFields::builder();
        ext.push("consumerGroup", "G").push("topic", "T").push("queueId", "x");
        let error = QueryConsumerOffset::parse(&ext.build()).unwrap_err().to_string();
        assert!(error.contains("<queueId>") && error.contains("\"x\""), "{error}");
    }

    #[test]
    fn both_forms_of_a_send_read_the_same() {
        let (mut long, mut short) = (ExtFields::builder(), ExtFields::builder());
        for (name, short_name, value) in [
            ("producerGroup", "a", "PG"),
            ("topic", "b", "T"),
            ("defaultTopic", "c", "TBW102"),
            ("defaultTopicQueueNums", "d", "4"),
            ("queueId", "e", "-1"),
            ("sysFlag", "f", "1"),
            ("bornTimestamp", "g", "1700000000000"),
            ("flag", "h", "7"),
            ("properties", "i", "TAGS\u{1}A\u{2}"),
            ("reconsumeTimes", "j", "2"),
            ("unitMode", "k", "true"),
            ("maxReconsumeTimes", "l", "16"),
            ("batch", "m", "true"),
        ] {
            long.push(name, value);
            short.push(short_name, value);
        }
        let (long, short) = (long.build(), short.build());
        let header = SendHeader::parse(&long).unwrap();
        assert_eq!(header, SendHeader::parse(&short).unwrap());
        assert_eq!((header.queue_id, header.max_reconsume_times, header.batch), (-1, Some(16), true));
    }
}
