//! The example in `docs/format/frame.md` is decoded as printed there.

use ferromq::protocol::command::{Language, Serialization};
use ferromq::protocol::headers::offset::OffsetReply;
use ferromq::protocol::units::Opaque;

use crate::support::{decode_all, encode, unhex};

/// The bytes of the document's tables: what stands between bars in lines that begin with an offset.
fn example(document: &str, heading: &str) -> Vec<u8> {
    let section = document.split(heading).nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| 0x"));
    unhex(&rows.map(|row| row.split('|').nth(1).unwrap()).collect::<String>())
}

#[test]
fn the_documented_frames_say_what_the_document_says() {
    let document = include_str!("../../docs/format/frame.md");
    for (heading, serialization) in
        [("## Example: JSON", Serialization::Json), ("## Example: binary", Serialization::Binary)]
    {
        let bytes = example(document, heading);
        let (frames, left, outcome) = decode_all(&bytes);
        assert_eq!((frames.len(), left, outcome), (1, 0, Ok(())), "{heading}");
        assert_eq!(frames[0].serialization, serialization);
        let command = frames[0].command().unwrap();
        assert_eq!((command.code, command.opaque, command.flag), (0, Opaque(5), 1));
        assert_eq!((command.language, command.version, command.remark.as_deref()), (Language::Java, 407, None));
        assert_eq!(OffsetReply::parse(&command.ext), Ok(OffsetReply { offset: 42 }));
        assert_eq!(encode(&command, serialization), bytes, "{heading}");
    }
}
