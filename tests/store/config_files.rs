//! The JSON files under `config/` survive whatever happens while they are written.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use ferromq::store::config_files::{load, save, set_aside};
use ferromq::store::disk::FileDisk;

use crate::calls::Calls;
use crate::fault_disk::{CALLS, FaultDisk};
use crate::watched_disk::{Call, WatchedDisk};

fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
    text.trim().parse()
}

#[test]
fn the_old_or_the_new_text_is_there_whatever_fails() {
    for call in CALLS {
        for nth in 0.. {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("config/topics.json");
            save(&FileDisk, &path, "1").unwrap();
            let (disk, fault) = FaultDisk::failing(call, nth, io::ErrorKind::Other);
            let saved = save(&*disk, &path, "2");
            let loaded = load(&FileDisk, &path, parse).unwrap();
            assert!(loaded.warnings.is_empty());
            assert!(matches!(loaded.value, Some(1 | 2)), "{call:?} {nth}");
            if saved.is_ok() {
                assert_eq!(loaded.value, Some(2));
            }
            if !fault.struck() {
                break;
            }
        }
    }
}

/// A start of a broker sees to the directories of its store; nobody else does to those of a name server, say.
#[test]
fn the_directories_that_a_file_needs_last_before_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("namesrv/a/kvConfig.json");
    let calls = Arc::new(Calls::default());
    save(&WatchedDisk(Arc::clone(&calls)), &path, "1").unwrap();
    let calls = calls.take();
    let place = |call, path: &Path| calls.iter().position(|made| *made == (call, path.to_path_buf()));
    let saved = place(Call::Rename, &path);
    for with_new_name in [directory.path(), &directory.path().join("namesrv")] {
        let lasts = place(Call::SyncDir, with_new_name);
        assert!(lasts.is_some() && lasts < saved, "{}: {calls:?}", with_new_name.display());
    }
}

#[test]
fn a_damaged_file_falls_back_to_its_copy_with_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("consumerOffset.json");
    assert!(load(&FileDisk, &path, parse).unwrap().value.is_none());
    save(&FileDisk, &path, "1").unwrap();
    save(&FileDisk, &path, "2").unwrap();
    for damage in ["", "2x"] {
        fs::write(&path, damage).unwrap();
        let loaded = load(&FileDisk, &path, parse).unwrap();
        assert_eq!((loaded.value, loaded.warnings.len()), (Some(1), 1));
    }
    fs::write(path.with_extension("json.bak"), "y").unwrap();
    let loaded = load(&FileDisk, &path, parse).unwrap();
    assert_eq!((loaded.value, loaded.warnings.len()), (None, 2));
}

/// The start after a damage and the first change that follows it.
#[test]
fn after_a_fall_back_the_copy_or_the_new_text_is_there_whatever_fails() {
    for call in CALLS {
        for nth in 0.. {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("topics.json");
            save(&FileDisk, &path, "1").unwrap();
            save(&FileDisk, &path, "2").unwrap();
            fs::write(&path, "2x").unwrap();
            let (disk, fault) = FaultDisk::failing(call, nth, io::ErrorKind::Other);
            assert!(load(&FileDisk, &path, parse).unwrap().is_of_copy());
            let saved = set_aside(&*disk, &path).and_then(|aside| {
                assert_eq!(fs::read_to_string(aside).unwrap(), "2x");
                save(&*disk, &path, "3")
            });
            let loaded = load(&FileDisk, &path, parse).unwrap();
            assert!(matches!(loaded.value, Some(1 | 3)), "{call:?} {nth}: {loaded:?}");
            if saved.is_ok() {
                assert_eq!(loaded.value, Some(3));
            }
            if !fault.struck() {
                break;
            }
        }
    }
}
