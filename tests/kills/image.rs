//! An image of a disk with a file system on it, which only the process sees that uses it.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};

use ferromq::time::{Clock, SystemClock};
use rustix::ioctl::{Opcode, Setter, ioctl, opcode};
use rustix::process::Pid;
use tempfile::TempDir;

/// What the process is begun by: it has the image mounted at `disk`, and nobody else. With the process all of it goes.
pub(crate) const MOUNTED: [&str; 6] =
    ["unshare", "-m", "sh", "-c", "mount -o loop disk.image disk && exec \"$@\"", "sh"];
const IMAGE: &str = "disk.image";
const IMAGE_BYTES: u64 = 256 << 20;
/// Letting go of an image takes the kernel some milliseconds.
const LIMIT_MS: i64 = 30_000;

/// `EXT4_IOC_SHUTDOWN`, and its argument for not even writing out the journal.
const SHUTDOWN: Opcode = opcode::read::<u32>(b'X', 125);
const WITHOUT_JOURNAL: u32 = 2;

/// Makes the image in a directory.
pub(crate) fn make(directory: &Path) {
    let made = try_make(directory).unwrap();
    assert!(made.status.success(), "{made:?}");
}

fn try_make(directory: &Path) -> std::io::Result<Output> {
    let image = directory.join(IMAGE);
    File::create(&image)?.set_len(IMAGE_BYTES)?;
    run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image))
}

/// Whether this system lets us make an image and mount it, which takes root and a loop device.
pub(crate) fn may_mount() -> bool {
    let directory = TempDir::new().unwrap();
    std::fs::create_dir(directory.path().join("disk")).unwrap();
    let (first, others) = MOUNTED.split_first().unwrap();
    let made = try_make(directory.path());
    let mounted = run(Command::new(first).args(others).arg("true").current_dir(directory.path()));
    let may = [&made, &mounted].iter().all(|done| done.as_ref().is_ok_and(|done| done.status.success()));
    if !may {
        eprintln!(
            "NOT TESTED: an image of a disk cannot be mounted here ({made:?}, {mounted:?}). Power cuts of the store alone \
            are tested by tests/sim"
        );
    }
    may
}

/// From now on nothing that the process has written reaches the image, nor what it had written before and ext4 had not.
/// Nothing happens if the image is not mounted yet.
pub(crate) fn cut_power(directory: &Path, process: Pid) {
    let within = format!("/proc/{}/root{}", process.as_raw_nonzero(), directory.join("disk").display());
    let (disk, around) = (File::open(within).unwrap(), std::fs::metadata(directory).unwrap());
    // What is shut down must not be the file system that the image lies on.
    if disk.metadata().unwrap().dev() == around.dev() {
        return;
    }
    // SAFETY: the call reads the one number that it is given, whose width the operation names.
    #[expect(unsafe_code, reason = "no library has this call")]
    unsafe { ioctl(&disk, Setter::<SHUTDOWN, u32>::new(WITHOUT_JOURNAL)) }.unwrap();
}

/// Waits until nobody has the image mounted.
pub(crate) fn wait_until_free(directory: &Path) {
    let (clock, image) = (SystemClock::new(), directory.join(IMAGE));
    let until = clock.now_ms() + LIMIT_MS;
    loop {
        let devices = run(Command::new("losetup").args(["-n", "-O", "NAME", "-j"]).arg(&image)).unwrap();
        assert!(devices.status.success(), "{devices:?}");
        if devices.stdout.is_empty() {
            return;
        }
        assert!(clock.now_ms() < until, "{} is still in use", image.display());
    }
}

fn run(command: &mut Command) -> std::io::Result<Output> {
    // They lie where only root looks by itself.
    command.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").output()
}
