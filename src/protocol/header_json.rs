//! The JSON header: one pass over the bytes that copies nothing.
//!
//! The headers of all known clients are flat: numbers, strings, and one object of strings. The scanner reads those and
//! gives up on anything else (nested values, escaped keys, a remark that is not text), which then goes through `serde_json`:
//! slower, and just as right. What the scanner takes is a little more than JSON, as in the reference: control characters
//! within strings, leading zeros.

mod scanner;

use std::borrow::Cow;
use std::ops::Range;

use bytes::{BufMut, BytesMut};
use serde_json::{Map, Value};

use self::scanner::Scanner;
use super::command::{Command, CommandRef, ExtFields, ExtFieldsRef, Language};
use super::error::ProtocolError;
use super::ext_fields::FIELDS_MAX;
use super::frame::HeaderScratch;
use super::header_memo::{Known, Lesson};
use super::text;
use super::units::Opaque;

/// Reads a header, in place; the command's body is left empty.
pub(super) fn read<'a>(header: &'a [u8], scratch: &'a mut HeaderScratch) -> Result<CommandRef<'a>, ProtocolError> {
    let HeaderScratch { spans, odd, memo } = scratch;
    if let Some((number, opaque)) = memo.recognise(header) {
        let known = memo.known(number).expect("it was just recognised");
        let Known { code, language, version, flag, .. } = *known;
        let ext = ExtFieldsRef::of_spans(header, &known.spans).with_letters(known.letters.as_ref());
        return Ok(CommandRef { code, language, version, opaque, flag, remark: None, ext, body: &[] });
    }
    if let Err(error) = std::str::from_utf8(header) {
        return Err(ProtocolError::HeaderNotUtf8 { offset: error.valid_up_to() });
    }
    spans.clear();
    let mut head = Head::default();
    let mut scanner = Scanner { bytes: header, at: 0 };
    if scanner.command(&mut head, spans).is_none() {
        head = Head::default();
        *odd = read_odd(header, &mut head)?;
        return Ok(head.command(odd.as_ref()));
    }
    if spans.len() > FIELDS_MAX {
        return Err(ProtocolError::TooManyFields { limit: FIELDS_MAX });
    }
    if head.remark.is_none() {
        let Head { code, language, version, flag, .. } = head;
        memo.learn(&Lesson { header, code, language, version, flag, opaque: head.opaque_at.clone(), spans });
    }
    Ok(head.command(ExtFieldsRef::of_spans(header, spans)))
}

/// What a header says besides its ext fields.
struct Head<'a> {
    code: i32,
    language: Language,
    version: i32,
    opaque: Opaque,
    /// Where the opaque's digits are; nowhere if it has other characters.
    opaque_at: Range<usize>,
    flag: i32,
    remark: Option<Cow<'a, str>>,
}

impl Default for Head<'_> {
    fn default() -> Self {
        let language = Language::Java;
        Self { code: 0, language, version: 0, opaque: Opaque(0), opaque_at: 0..0, flag: 0, remark: None }
    }
}

impl<'a> Head<'a> {
    fn command(self, ext: ExtFieldsRef<'a>) -> CommandRef<'a> {
        let Self { code, language, version, opaque, flag, remark, .. } = self;
        CommandRef { code, language, version, opaque, flag, remark, ext, body: &[] }
    }
}

/// Appends the header of `command`.
pub(super) fn encode(command: &Command, out: &mut BytesMut) {
    begin(command.code, command.flag, command.language, command.opaque, command.version, out);
    if let Some(remark) = &command.remark {
        out.put_slice(br#","remark":"#);
        text::put_json_string(out, remark);
    }
    if !command.ext.is_empty() {
        out.put_slice(br#","extFields":{"#);
        for (index, (key, value)) in command.ext.iter().enumerate() {
            if index > 0 {
                out.put_u8(b',');
            }
            text::put_json_string(out, key);
            out.put_u8(b':');
            text::put_json_string(out, &value);
        }
        out.put_u8(b'}');
    }
    out.put_u8(b'}');
}

/// Appends the fields that every header has, up to the version's last digit.
fn begin(code: i32, flag: i32, language: Language, opaque: Opaque, version: i32, out: &mut BytesMut) {
    out.put_slice(br#"{"code":"#);
    text::put_decimal(out, code.into());
    out.put_slice(br#","flag":"#);
    text::put_decimal(out, flag.into());
    out.put_slice(br#","language":""#);
    out.put_slice(language.name().as_bytes());
    out.put_slice(br#"","opaque":"#);
    text::put_decimal(out, opaque.0.into());
    out.put_slice(br#","version":"#);
    text::put_decimal(out, version.into());
}

/// Reads a header that the scanner has given up on.
fn read_odd(header: &[u8], head: &mut Head<'_>) -> Result<ExtFields, ProtocolError> {
    let object: Map<String, Value> = serde_json::from_slice(header).map_err(not_json)?;
    head.code = odd_int32(&object, "code")?;
    head.language = match object.get("language") {
        None => Language::Java,
        Some(value) => value.as_str().map_or(Language::Unknown, Language::of_name),
    };
    head.version = odd_int32(&object, "version")?;
    head.opaque = Opaque(odd_int32(&object, "opaque")?);
    head.flag = odd_int32(&object, "flag")?;
    head.remark = match object.get("remark") {
        None | Some(Value::Null) => None,
        Some(value) => Some(literal(value).into()),
    };
    odd_ext_fields(&object)
}

/// A number, or a string that is one; missing and null count as 0.
fn odd_int32(object: &Map<String, Value>, name: &'static str) -> Result<i32, ProtocolError> {
    let number = match object.get(name) {
        None | Some(Value::Null) => Some(0),
        Some(Value::String(digits)) => text::parse_decimal(digits.as_bytes()),
        Some(value) => value.as_i64(),
    };
    number
        .and_then(|number| i32::try_from(number).ok())
        .ok_or_else(|| not_json(format_args!("{name} is no 32-bit number")))
}

fn odd_ext_fields(object: &Map<String, Value>) -> Result<ExtFields, ProtocolError> {
    let fields = match object.get("extFields") {
        None | Some(Value::Null) => return Ok(ExtFields::default()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(not_json("extFields is no object")),
    };
    if fields.len() > FIELDS_MAX {
        return Err(ProtocolError::TooManyFields { limit: FIELDS_MAX });
    }
    let mut builder = ExtFields::builder();
    for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        builder.push(key, literal(value));
    }
    Ok(builder.build())
}

/// A string's text, and anything else as it would be written.
fn literal(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn not_json(reason: impl ToString) -> ProtocolError {
    ProtocolError::HeaderNotJson { reason: reason.to_string() }
}
