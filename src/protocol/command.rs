//! The command: what a frame's header and body say, apart from how they are encoded.
//!
//! Which codes and fields exist is the business of `codes` and `headers`; how a command becomes bytes that of `frame`.

use std::borrow::Cow;

use bytes::Bytes;

pub use super::ext_fields::{ExtFields, ExtFieldsBuilder, ExtFieldsRef};
use super::units::Opaque;

/// The version that every command of ours carries: that of RocketMQ 4.9.7.
///
/// Peers decide by it what they may ask for. Go reads it as a 16-bit number.
pub const VERSION: i32 = 407;

const REPLY_BIT: i32 = 1;
const ONEWAY_BIT: i32 = 2;

/// A request or a reply.
///
/// # Source
/// `org.apache.rocketmq.remoting.protocol.RemotingCommand` 4.9.7 (read); fixtures `frame_*`.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What is asked for ([`super::codes::request`]) or how it went ([`super::codes::response`]).
    pub code: i32,
    /// The language of the sender.
    pub language: Language,
    /// The release of the sender, as an ordinal; 0 when it said nothing.
    pub version: i32,
    /// Pairs the reply with its request.
    pub opaque: Opaque,
    /// Bit 0 marks a reply, bit 1 a request that wants none.
    pub flag: i32,
    /// Words about a reply; present on success too, so nothing follows from it.
    pub remark: Option<String>,
    /// The fields of the request or reply by name.
    pub ext: ExtFields,
    /// What follows the header.
    pub body: Bytes,
}

impl Command {
    /// A request without fields and body, as our client sends it.
    #[must_use]
    pub fn request(code: i32) -> Self {
        Self {
            code,
            language: Language::Rust,
            version: VERSION,
            opaque: Opaque(0),
            flag: 0,
            remark: None,
            ext: ExtFields::default(),
            body: Bytes::new(),
        }
    }

    /// A reply to the request that carried `opaque`.
    ///
    /// Servers answer as Java: some old clients know no other language.
    #[must_use]
    pub fn reply(code: i32, opaque: Opaque) -> Self {
        Self { language: Language::Java, opaque, flag: REPLY_BIT, ..Self::request(code) }
    }

    /// The same with these fields in place of its own.
    #[must_use]
    pub fn with_ext(self, ext: ExtFields) -> Self {
        Self { ext, ..self }
    }

    /// The same with this body.
    #[must_use]
    pub fn with_body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// The same with this remark.
    #[must_use]
    pub fn with_remark(self, remark: impl Into<String>) -> Self {
        Self { remark: Some(remark.into()), ..self }
    }

    /// The same with this number to pair the reply by.
    #[must_use]
    pub fn with_opaque(self, opaque: Opaque) -> Self {
        Self { opaque, ..self }
    }

    /// The same from a sender of this language: what a broker sends to its clients says Java.
    #[must_use]
    pub fn with_language(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// The same as a request that wants no reply.
    #[must_use]
    pub fn oneway(self) -> Self {
        Self { flag: self.flag | ONEWAY_BIT, ..self }
    }

    /// The same, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> CommandRef<'_> {
        CommandRef {
            code: self.code,
            language: self.language,
            version: self.version,
            opaque: self.opaque,
            flag: self.flag,
            remark: self.remark.as_deref().map(Cow::Borrowed),
            ext: self.ext.as_ref(),
            body: &self.body,
        }
    }

    /// Whether this answers a request.
    #[must_use]
    pub fn is_reply(&self) -> bool {
        self.flag & REPLY_BIT != 0
    }

    /// Whether the sender waits for no reply.
    #[must_use]
    pub fn is_oneway(&self) -> bool {
        self.flag & ONEWAY_BIT != 0
    }
}

/// A command as it lies in the buffer that it was read into: what a request of the busiest kinds is served from, without
/// a copy of its own.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of Command")]
pub struct CommandRef<'a> {
    pub code: i32,
    pub language: Language,
    pub version: i32,
    pub opaque: Opaque,
    pub flag: i32,
    pub remark: Option<Cow<'a, str>>,
    pub ext: ExtFieldsRef<'a>,
    pub body: &'a [u8],
}

impl CommandRef<'_> {
    /// A copy that can be kept; its body is `body`, which may be a slice of what this one borrows from.
    #[must_use]
    pub fn to_command(&self, body: Bytes) -> Command {
        Command {
            code: self.code,
            language: self.language,
            version: self.version,
            opaque: self.opaque,
            flag: self.flag,
            remark: self.remark.as_deref().map(str::to_owned),
            ext: self.ext.to_owned(),
            body,
        }
    }

    /// See [`Command::is_reply`].
    #[must_use]
    pub fn is_reply(&self) -> bool {
        self.flag & REPLY_BIT != 0
    }

    /// See [`Command::is_oneway`].
    #[must_use]
    pub fn is_oneway(&self) -> bool {
        self.flag & ONEWAY_BIT != 0
    }
}

/// How a header is written; a reply takes that of its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Serialization {
    /// A JSON object, type byte 0. What clients use unless told otherwise.
    #[default]
    Json,
    /// RocketMQ's own layout, type byte 1.
    Binary,
}

impl Serialization {
    /// The type byte in the header word.
    #[must_use]
    pub fn type_byte(self) -> u8 {
        match self {
            Self::Json => 0,
            Self::Binary => 1,
        }
    }

    /// The encoding that a type byte stands for.
    #[must_use]
    pub fn of_type_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Json),
            1 => Some(Self::Binary),
            _ => None,
        }
    }
}

/// The language that a peer says it is written in. It changes nothing but what admin tools show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are those of the languages")]
pub enum Language {
    Java,
    Cpp,
    Dotnet,
    Python,
    Delphi,
    Erlang,
    Ruby,
    Other,
    Http,
    Go,
    Php,
    Oms,
    Rust,
    /// Something that we do not know, and pass on as `OTHER`.
    Unknown,
}

impl Language {
    /// In the order of their numbers on the wire, which begin at 0.
    const NUMBERED: [(Self, &'static str); 13] = [
        (Self::Java, "JAVA"),
        (Self::Cpp, "CPP"),
        (Self::Dotnet, "DOTNET"),
        (Self::Python, "PYTHON"),
        (Self::Delphi, "DELPHI"),
        (Self::Erlang, "ERLANG"),
        (Self::Ruby, "RUBY"),
        (Self::Other, "OTHER"),
        (Self::Http, "HTTP"),
        (Self::Go, "GO"),
        (Self::Php, "PHP"),
        (Self::Oms, "OMS"),
        (Self::Rust, "RUST"),
    ];

    /// The language of this name in a JSON header.
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        // Nearly every client says JAVA, servers answer with it: the first comparison is the only one then.
        Self::NUMBERED.iter().find(|(_, known)| *known == name).map_or(Self::Unknown, |(language, _)| *language)
    }

    /// The language of this number in a binary header.
    #[must_use]
    pub fn of_number(number: u8) -> Self {
        Self::NUMBERED.get(usize::from(number)).map_or(Self::Unknown, |(language, _)| *language)
    }

    /// Its name in a JSON header.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NUMBERED.get(usize::from(self.number())).map_or("OTHER", |(_, name)| name)
    }

    /// Its number in a binary header.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Unknown => Self::Other as u8,
            known => known as u8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_keep_their_names_and_numbers() {
        for (number, (language, name)) in (0..).zip(Language::NUMBERED) {
            assert_eq!((language.number(), language.name()), (number, name));
            assert_eq!((Language::of_number(number), Language::of_name(name)), (language, language));
        }
        assert_eq!((Language::of_name("COBOL"), Language::of_number(13)), (Language::Unknown, Language::Unknown));
        assert_eq!((Language::Unknown.name(), Language::Unknown.number()), ("OTHER", 7));
    }

    #[test]
    fn a_reply_and_a_oneway_request_say_so() {
        let reply = Command::reply(0, Opaque(7));
        assert!(reply.is_reply() && !reply.is_oneway());
        let oneway = Command::request(15).oneway();
        assert!(oneway.is_oneway() && !oneway.is_reply());
    }
}
