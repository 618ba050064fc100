//! Bytes of a connection: frames, their headers, and what is passed on of them.
#![no_main]

use std::borrow::Cow;

use bytes::BytesMut;
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame::{self, FRAME_BYTES_MAX, Frame, Frames, HeaderScratch};
use ferromq::protocol::headers::send::SendHeader;
use libfuzzer_sys::fuzz_target;

/// Escaped, a header takes up to six times its bytes; up to here it stays within what is accepted.
const INPUT_BYTES_MAX: usize = 256 << 10;

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() > INPUT_BYTES_MAX {
        return;
    }
    let (mut buffer, mut frames) = (BytesMut::from(bytes), Vec::new());
    // An error closes the connection; the frames ahead of it are served all the same.
    let decoded = frame::decode_all(&mut buffer, FRAME_BYTES_MAX, &mut frames);
    let kept: usize = frames.iter().map(|frame| frame::PREFIX_BYTES + frame.header.len() + frame.body.len()).sum();
    assert_eq!(kept + buffer.len(), bytes.len(), "every byte is in a frame or left over");
    read_in_place(bytes, &frames, decoded.is_err());
    for frame in frames {
        let Ok(command) = frame.command() else {
            continue;
        };
        let _ = SendHeader::parse(&command.ext);
        written_is_read_again(&command);
    }
});

/// Frames that are read where they lie, one header remembered for the next, say the same as frames that are kept.
fn read_in_place(bytes: &[u8], kept: &[Frame], broken: bool) {
    let (mut in_place, mut scratch) = (Frames::of(bytes, FRAME_BYTES_MAX), HeaderScratch::default());
    for frame in kept {
        let read = in_place.next_frame().expect("it was a frame before").expect("there are as many");
        match (read.command(&mut scratch), frame.command()) {
            (Ok(read), Ok(kept)) => assert_eq!(read.to_command(kept.body.clone()), kept),
            (Err(read), Err(kept)) => assert_eq!(read.to_string(), kept.to_string()),
            (read, kept) => panic!("{read:?} in place, {kept:?} kept"),
        }
    }
    match in_place.next_frame() {
        Ok(next) => assert!(next.is_none() && !broken, "there are no more"),
        Err(_) => assert!(broken, "it could be read before"),
    }
}

fn written_is_read_again(command: &Command) {
    for serialization in [Serialization::Binary, Serialization::Json] {
        let mut out = BytesMut::new();
        frame::encode(command, serialization, &mut out);
        let mut again = Vec::new();
        frame::decode_all(&mut out, usize::MAX, &mut again).expect("what we write is a frame");
        let again = again.remove(0).command().expect("with a header that can be read");
        assert_eq!(kept_by(serialization, &again), kept_by(serialization, command));
    }
}

/// Fields and remark, as far as an encoding keeps them: the binary one has no empty texts.
fn kept_by(serialization: Serialization, command: &Command) -> (Vec<(&str, Cow<'_, str>)>, Option<&str>) {
    let stays = |text: &str| serialization == Serialization::Json || !text.is_empty();
    let fields = command.ext.iter().filter(|(_, value)| stays(value)).collect();
    (fields, command.remark.as_deref().filter(|remark| stays(remark)))
}
