//! What may have happened to a file while nobody looked.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferromq::store::SharedDisk;

use crate::watched_disk::{Call, Watch, WatchedDisk};

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Cut to so many bytes,
    CutTo(u64),
    /// to half its length and so many bytes more,
    CutToHalfAnd(u64),
    /// by one byte.
    CutByOne,
    GrownByOne,
    Zeros,
    /// From the middle on.
    ZerosBehindTheMiddle,
    /// Up to the middle.
    ZerosBeforeTheMiddle,
    Random,
    RandomBehindTheMiddle,
    /// The same length of another file.
    ContentOfAnother,
    NamedInWords,
    /// By the number that follows that of the last file beside it,
    NamedAsNext,
    /// or one that does not.
    NamedBehindAGap,
    /// There is a second one with the number that follows the last,
    CopiedAsNext,
    /// or with a name that is no number.
    CopiedInWords,
    ADirectory,
    ALinkToNowhere,
    Gone,
    /// The system does not let it be opened.
    Denied,
    /// The disk does not give it back.
    ReadsFail,
}

use Damage::{
    ADirectory, ALinkToNowhere, ContentOfAnother, CopiedAsNext, CopiedInWords, CutByOne, CutTo, CutToHalfAnd, Denied,
    Gone, GrownByOne, NamedAsNext, NamedBehindAGap, NamedInWords, Random, RandomBehindTheMiddle, ReadsFail, Zeros,
    ZerosBeforeTheMiddle, ZerosBehindTheMiddle,
};

/// All of them.
pub(crate) const ALL: [Damage; 23] = [
    CutTo(0),
    CutTo(1),
    CutTo(10),
    CutToHalfAnd(0),
    CutToHalfAnd(7),
    CutByOne,
    GrownByOne,
    Zeros,
    ZerosBehindTheMiddle,
    ZerosBeforeTheMiddle,
    Random,
    RandomBehindTheMiddle,
    ContentOfAnother,
    NamedInWords,
    NamedAsNext,
    NamedBehindAGap,
    CopiedAsNext,
    CopiedInWords,
    ADirectory,
    ALinkToNowhere,
    Gone,
    Denied,
    ReadsFail,
];

/// Without those that leave a file of another length, but for two: of files of one length all of them are the same.
pub(crate) const FEWER: [Damage; 18] = [
    CutTo(0),
    CutToHalfAnd(7),
    Zeros,
    ZerosBehindTheMiddle,
    ZerosBeforeTheMiddle,
    Random,
    RandomBehindTheMiddle,
    ContentOfAnother,
    NamedInWords,
    NamedAsNext,
    NamedBehindAGap,
    CopiedAsNext,
    CopiedInWords,
    ADirectory,
    ALinkToNowhere,
    Gone,
    Denied,
    ReadsFail,
];

impl Damage {
    /// Whether the file itself is left as it was.
    pub(crate) fn spares_the_file(self) -> bool {
        matches!(self, CopiedAsNext | CopiedInWords | Denied | ReadsFail)
    }

    /// Does it to a file. Tells which other file there is now, if any; `None` where it makes no sense for such a file.
    pub(crate) fn befall(self, path: &Path, other: &[u8], seed: u64) -> Option<Option<PathBuf>> {
        let bytes = fs::read(path).unwrap();
        let (len, half) = (bytes.len(), bytes.len() / 2);
        let cut = |to: usize| (to < len).then(|| fs::write(path, &bytes[..to]).unwrap());
        let rewrite = |from: usize, to: usize, with: &mut dyn FnMut(usize) -> u8| {
            let mut changed = bytes.clone();
            changed[from..to].iter_mut().enumerate().for_each(|(at, byte)| *byte = with(from + at));
            (changed != bytes).then(|| fs::write(path, changed).unwrap())
        };
        let mut random = fastrand::Rng::with_seed(seed);
        let moved = |to: PathBuf| fs::rename(path, &to).map(|()| to).unwrap();
        let copied = |to: PathBuf| fs::copy(path, &to).map(|_| to).unwrap();
        let in_words = path.with_file_name("not-a-number");
        match self {
            CutTo(to) => cut(to as usize)?,
            CutToHalfAnd(more) => cut(half / 20 * 20 + more as usize)?,
            CutByOne => cut(len.checked_sub(1)?)?,
            GrownByOne => fs::write(path, [&bytes[..], &[0]].concat()).unwrap(),
            Zeros => rewrite(0, len, &mut |_| 0)?,
            ZerosBehindTheMiddle => rewrite(half, len, &mut |_| 0)?,
            ZerosBeforeTheMiddle => rewrite(0, half, &mut |_| 0)?,
            Random => rewrite(0, len, &mut |_| random.u8(..))?,
            RandomBehindTheMiddle => rewrite(half, len, &mut |_| random.u8(..))?,
            ContentOfAnother => rewrite(0, len, &mut |at| other.get(at).copied().unwrap_or(0))?,
            NamedInWords => return Some(Some(moved(in_words))),
            NamedAsNext => return Some(Some(moved(behind(path, 1)?))),
            NamedBehindAGap => return Some(Some(moved(behind(path, 3)?))),
            CopiedAsNext => return Some(Some(copied(behind(path, 1)?))),
            CopiedInWords => return Some(Some(copied(in_words))),
            ADirectory => {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            }
            ALinkToNowhere => {
                fs::remove_file(path).unwrap();
                symlink("/nowhere/at/all", path).unwrap();
            }
            Gone => fs::remove_file(path).unwrap(),
            Denied | ReadsFail => {}
        }
        Some(None)
    }

    /// The disk on which it happens.
    pub(crate) fn disk(self, path: &Path) -> SharedDisk {
        let (call, error) = match self {
            Denied => (Some(Call::Open), io::ErrorKind::PermissionDenied),
            ReadsFail => (Some(Call::Read), io::ErrorKind::Other),
            _ => (None, io::ErrorKind::Other),
        };
        Arc::new(WatchedDisk(Arc::new(Unwilling { call, error, path: path.into() })))
    }
}

/// A name so many files behind the last one of the directory, if these are numbers.
fn behind(path: &Path, files: u64) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    name.parse::<u64>().ok()?;
    let names = fs::read_dir(path.parent()?).unwrap().map(|entry| entry.unwrap().file_name());
    let last = names.filter_map(|name| name.to_str()?.parse::<u64>().ok()).max()?;
    // Files of the index are named by a time, all others by the offset of their first byte.
    let step = if name.len() == 20 { fs::metadata(path).unwrap().len() } else { 1_000 };
    Some(path.with_file_name(format!("{:0width$}", last + files * step, width = name.len())))
}

/// Fails calls of one kind on one file. Syncs are left out: no power is cut here, and they would take all the time.
#[derive(Debug)]
struct Unwilling {
    call: Option<Call>,
    error: io::ErrorKind,
    path: PathBuf,
}

impl Watch for Unwilling {
    fn before(&self, call: Call, path: &Path) -> io::Result<()> {
        if Some(call) == self.call && path == self.path {
            return Err(self.error.into());
        }
        Ok(())
    }

    fn syncs(&self) -> bool {
        false
    }
}
