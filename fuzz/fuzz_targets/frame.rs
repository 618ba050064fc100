//! Bytes of a connection: frames, their headers, and what is passed on of them.
#![no_main]

use bytes::BytesMut;
use ferromq::protocol::command::Serialization;
use ferromq::protocol::frame::{self, FRAME_BYTES_MAX};
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
    let _ = frame::decode_all(&mut buffer, FRAME_BYTES_MAX, &mut frames);
    let kept: usize = frames.iter().map(|frame| frame::PREFIX_BYTES + frame.header.len() + frame.body.len()).sum();
    assert_eq!(kept + buffer.len(), bytes.len(), "every byte is in a frame or left over");
    for frame in frames {
        let Ok(command) = frame.command() else {
            continue;
        };
        let _ = SendHeader::parse(&command.ext);
        let mut out = BytesMut::new();
        frame::encode(&command, Serialization::Binary, &mut out);
        out.clear();
        frame::encode(&command, Serialization::Json, &mut out);
        let mut again = Vec::new();
        frame::decode_all(&mut out, usize::MAX, &mut again).expect("what we write is a frame");
        let again = again.remove(0).command().expect("with a header that can be read");
        assert_eq!((again.ext, again.remark), (command.ext, command.remark));
    }
});
