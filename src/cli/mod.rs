//! The commands of the binary, a file each: arguments in, result on standard output, what goes wrong as an error.

pub mod bench;
pub mod consume;
pub mod produce;

use std::io;

/// Turns the news that nobody reads standard output any more, as after `| head`, into a quiet end.
fn unless_reader_left(outcome: anyhow::Result<()>) -> anyhow::Result<()> {
    match outcome {
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}
