//! A socket with its two buffers: requests are gathered and written many at a time, replies are looked at where they
//! were read.
//!
//! Writing and reading go on side by side: a load generator that only wrote until everything is gone would wait for a
//! server that itself waits for its replies to be read.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// First size of the read buffer. Only what is read into is ever touched.
const INBOX_BYTES: usize = 256 * 1024;
/// A larger frame than this is no answer to anything a load generator asks for.
const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// One connection of a load generator.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    /// Requests that are to be written.
    pub outbox: Vec<u8>,
    written: usize,
    inbox: Vec<u8>,
    begin: usize,
    end: usize,
}

/// A frame that was received, where it was read.
#[derive(Clone, Copy, Debug)]
pub struct FrameView<'a> {
    /// Whether the header is binary instead of JSON.
    pub is_binary: bool,
    /// The header.
    pub header: &'a [u8],
    /// What follows it.
    pub body: &'a [u8],
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// The system's answer.
    pub async fn open(address: &str) -> io::Result<Self> {
        Self::of_stream(TcpStream::connect(address).await?)
    }

    /// Takes over a connected socket.
    ///
    /// # Errors
    /// The system's answer.
    pub fn of_stream(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, outbox: Vec::new(), written: 0, inbox: vec![0; INBOX_BYTES], begin: 0, end: 0 })
    }

    /// Writes what waits and returns as soon as something was read.
    ///
    /// # Errors
    /// The connection ended, or broke.
    pub async fn turn(&mut self) -> io::Result<()> {
        poll_fn(|context| {
            if let Poll::Ready(Err(error)) = self.poll_write(context) {
                return Poll::Ready(Err(error));
            }
            self.poll_read(context)
        })
        .await
    }

    /// Returns when everything is written, for requests without replies. What is read meanwhile waits in the inbox.
    ///
    /// # Errors
    /// The connection ended, or broke.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|context| {
            if let Poll::Ready(outcome) = self.poll_write(context) {
                return Poll::Ready(outcome);
            }
            match self.poll_read(context) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Pending,
            }
        })
        .await
    }

    /// Hands out the complete frames that were read, and forgets them.
    ///
    /// # Errors
    /// A length that no frame can have.
    pub fn take_frames(&mut self, mut take: impl FnMut(FrameView<'_>)) -> io::Result<()> {
        while let Some((frame, length)) = parse(&self.inbox[self.begin..self.end])? {
            take(frame);
            self.begin += length;
        }
        Ok(())
    }

    /// Ready when the outbox is empty.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.outbox.len() {
            match Pin::new(&mut self.stream).poll_write(context, &self.outbox[self.written..]) {
                Poll::Ready(Ok(bytes)) => self.written += bytes,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.outbox.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Ready when something was read.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.make_room();
        let mut space = ReadBuf::new(&mut self.inbox[self.end..]);
        match Pin::new(&mut self.stream).poll_read(context, &mut space) {
            Poll::Ready(Ok(())) if space.filled().is_empty() => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Ok(())) => {
                self.end += space.filled().len();
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }

    /// Moves the beginning of an incomplete frame to the front, and grows the inbox when the frame fills it.
    fn make_room(&mut self) {
        self.inbox.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        if self.end == self.inbox.len() {
            self.inbox.resize(self.inbox.len() * 2, 0);
        }
    }
}

/// The first frame of `bytes` and its length in all, if it is complete.
fn parse(bytes: &[u8]) -> io::Result<Option<(FrameView<'_>, usize)>> {
    let Some((head, rest)) = bytes.split_at_checked(8) else { return Ok(None) };
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (length, header_length) = (word(0) as usize, (word(4) & 0x00FF_FFFF) as usize);
    if length > FRAME_BYTES_MAX || length < 4 + header_length {
        let text = format!("a frame of {length} bytes with a header of {header_length}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let Some(content) = rest.get(..length - 4) else { return Ok(None) };
    let (header, body) = content.split_at(header_length);
    Ok(Some((FrameView { is_binary: head[4] == 1, header, body }, length + 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(header: &[u8], body: &[u8]) -> Vec<u8> {
        let length = (4 + header.len() + body.len()) as u32;
        [&length.to_be_bytes()[..], &(header.len() as u32).to_be_bytes(), header, body].concat()
    }

    #[test]
    fn a_frame_is_taken_only_when_it_is_complete() {
        let whole = frame(b"{head}", b"body");
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_ok_and(|found| found.is_none()), "{end} bytes");
        }
        let more = [whole.clone(), vec![0, 0]].concat();
        let (view, length) = parse(&more).ok().flatten().expect("it is complete");
        assert_eq!((view.header, view.body, length), (&b"{head}"[..], &b"body"[..], whole.len()));
        assert!(!view.is_binary);
    }

    #[test]
    fn lengths_that_cannot_be_are_errors() {
        assert!(parse(&[0xFF; 8]).is_err());
        assert!(parse(&[0, 0, 0, 5, 0, 0, 0, 2]).is_err(), "header longer than the frame");
    }
}
