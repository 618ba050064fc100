//! How far a consumer has come that gets all messages by itself: in a file, since no broker keeps it.
//!
//! # Layout
//! `<folder>/<client>/<group>/offsets.json`: RocketMQ's, with queues as keys of an object; the one before it lies beside it as
//! `offsets.json.bak`, and is read where the first is damaged.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::client::error::ClientError;
use crate::protocol::body::Body;
use crate::protocol::body::offsets::ResetOffsetBody;
use crate::protocol::body::queue_table::MessageQueue;
use crate::protocol::units::QueueOffset;

/// The offsets by queue.
pub type Offsets = BTreeMap<MessageQueue, QueueOffset>;

/// The file of one consumer.
///
/// # Example
/// ```
/// use ferromq::client::offset_file::{OffsetFile, Offsets};
/// use ferromq::protocol::body::queue_table::MessageQueue;
/// use ferromq::protocol::units::QueueOffset;
///
/// # let folder = tempfile::tempdir()?;
/// let file = OffsetFile::of(folder.path(), "10.0.0.9@DEFAULT", "bookkeeping");
/// assert!(file.read()?.is_empty());
/// let queue = MessageQueue { broker_name: "a".into(), queue_id: 0, topic: "Invoices".into() };
/// let offsets = Offsets::from([(queue, QueueOffset(7))]);
/// file.write(&offsets)?;
/// // Whoever comes after a restart goes on there.
/// assert_eq!(OffsetFile::of(folder.path(), "10.0.0.9@DEFAULT", "bookkeeping").read()?, offsets);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct OffsetFile {
    path: PathBuf,
}

impl OffsetFile {
    /// The file of a client and group under `folder`.
    #[must_use]
    pub fn of(folder: &Path, client: &str, group: &str) -> Self {
        Self { path: folder.join(client).join(group).join("offsets.json") }
    }

    /// Where RocketMQ's clients have theirs: `.rocketmq_offsets` in the home of the user, or here if there is none.
    #[must_use]
    pub fn default_folder() -> PathBuf {
        std::env::home_dir().unwrap_or_default().join(".rocketmq_offsets")
    }

    /// What is stored; nothing, if nothing ever was.
    ///
    /// # Errors
    /// Neither the file nor the one before it can be read, though there is one.
    ///
    /// # Source
    /// `LocalFileOffsetStore` 4.9.7 (read).
    pub fn read(&self) -> Result<Offsets, ClientError> {
        let failure = match read(&self.path) {
            Ok(Some(offsets)) => return Ok(offsets),
            Ok(None) => None,
            Err(source) => Some(source),
        };
        match (read(&self.before()), failure) {
            (Ok(Some(offsets)), _) => Ok(offsets),
            (_, Some(source)) | (Err(source), None) => Err(self.failed(source)),
            (Ok(None), None) => Ok(Offsets::new()),
        }
    }

    /// Stores these.
    ///
    /// # Errors
    /// The disk does not take them; what was stored before is still there.
    pub fn write(&self, offsets: &Offsets) -> Result<(), ClientError> {
        let rows = offsets.iter().map(|(queue, offset)| (queue.clone(), i64::try_from(offset.0).unwrap_or(i64::MAX)));
        let text = ResetOffsetBody { offset_table: rows.collect() }.encode();
        self.replace(&text).map_err(|source| self.failed(source))
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = self.path.with_extension("json.tmp");
        let file = fs::File::create(&new)?;
        io::Write::write_all(&mut &file, text)?;
        file.sync_data()?;
        match fs::rename(&self.path, self.before()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::rename(&new, &self.path)
    }

    fn before(&self) -> PathBuf {
        self.path.with_extension("json.bak")
    }

    fn failed(&self, source: io::Error) -> ClientError {
        ClientError::OffsetFile { path: self.path.clone(), source }
    }
}

/// `None` if there is no such file.
fn read(path: &Path) -> io::Result<Option<Offsets>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let body = ResetOffsetBody::decode(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let rows = body.offset_table.0.into_iter().filter_map(|(queue, offset)| Some((queue, u64::try_from(offset).ok()?)));
    Ok(Some(rows.map(|(queue, offset)| (queue, QueueOffset(offset))).collect()))
}
