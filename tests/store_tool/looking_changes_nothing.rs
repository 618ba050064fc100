//! Who looks makes no file and changes no byte, and nobody looks at what is in use.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use ferromq::store::disk::{Disk, Entry, FileDisk, OpenMode, SharedFile, Space};
use ferromq::store::offline::Part;
use ferromq::store::offline::dump::Selection;
use ferromq::store::offline::repair::Request;
use ferromq::store::{OfflineError, OfflineStore, StoreError};

use crate::binary::Ferromq;
use crate::fixture::{ALL, Fixture};
use crate::tool::{snapshot, untold};

/// A disk that can only be looked at.
#[derive(Debug)]
struct Glass;

impl Disk for Glass {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<SharedFile> {
        assert_eq!(mode, OpenMode::ReadOnly, "{} is opened to be written to", path.display());
        FileDisk.open(path, mode)
    }

    fn entry(&self, path: &Path) -> io::Result<Option<Entry>> {
        FileDisk.entry(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<Entry>> {
        FileDisk.list(directory)
    }

    fn create_dir(&self, directory: &Path) -> io::Result<()> {
        panic!("makes {}", directory.display())
    }

    fn rename(&self, from: &Path, _: &Path) -> io::Result<()> {
        panic!("renames {}", from.display())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        panic!("removes {}", path.display())
    }

    fn remove_dir(&self, directory: &Path) -> io::Result<()> {
        panic!("removes {}", directory.display())
    }

    fn sync_dir(&self, directory: &Path) -> io::Result<()> {
        panic!("syncs {}", directory.display())
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        FileDisk.space(path)
    }
}

#[test]
fn not_a_byte_and_not_a_file() {
    for (name, _) in ALL {
        let fixture = Fixture::unpack(name);
        let before = snapshot(fixture.directory.path());
        let store = OfflineStore::open(Arc::new(Glass), &untold(&fixture)).unwrap();
        store.survey(&mut |_| {}).unwrap();
        store.verify(&[], &mut |_| {}).unwrap();
        store.dump(&Selection::default(), &mut |_| {}, |_| Ok::<_, OfflineError>(())).unwrap();
        store.plan(Request::default(), &mut |_| {}).unwrap();
        assert_eq!(snapshot(fixture.directory.path()), before, "{name}");
    }
}

/// A start sets such a file aside. Who looks says what is wrong with it, and believes the copy.
#[test]
fn not_what_is_damaged_in_the_settings_either() {
    let fixture = Fixture::unpack("a-clean");
    let deleted = fixture.rows("queues")[0]["topic"].as_str().unwrap().to_owned();
    let path = fixture.options().config_dir().join("ferromq.deletedTopics.json");
    let copy = path.with_extension("json.bak");
    fs::write(&path, "{\"").unwrap();
    fs::write(&copy, format!("{{\"{deleted}\":{}}}", i64::MAX)).unwrap();
    let before = snapshot(fixture.directory.path());
    let look = || OfflineStore::open(Arc::new(Glass), &untold(&fixture)).unwrap();
    let told = || -> Vec<String> {
        let found = look().verify(&[], &mut |_| {}).unwrap().findings;
        let of_config = found.listed().iter().filter(|finding| finding.part == Part::Config);
        of_config.map(ToString::to_string).collect()
    };
    look().survey(&mut |_| {}).unwrap();
    look().dump(&Selection::default(), &mut |_| {}, |_| Ok::<_, OfflineError>(())).unwrap();
    let planned = look().plan(Request::default(), &mut |_| {}).unwrap();
    assert!(planned.queues.keys().all(|(topic, _)| topic.as_str() != deleted), "the copy counts");
    let lines = told();
    assert!(lines.len() == 1 && lines[0].ends_with("; the copy beside it can"), "{lines:?}");
    assert_eq!(snapshot(fixture.directory.path()), before);
    // Without a copy nobody knows what is to stay deleted.
    fs::remove_file(&copy).unwrap();
    let lines = told();
    assert!(lines.len() == 1 && lines[0].contains("ferromq.deletedTopics.json cannot be used"), "{lines:?}");
    let refused = look().plan(Request::default(), &mut |_| {}).unwrap_err();
    assert!(matches!(&refused, OfflineError::Undecided(_)), "{refused}");
}

/// A copy of a store may have no lock file, and gets none.
#[test]
fn by_the_commands_themselves() {
    let fixture = Fixture::unpack("c3-body-flip-abort");
    let root = fixture.options().root;
    fs::remove_file(root.join("lock")).unwrap();
    let before = snapshot(fixture.directory.path());
    for (command, code) in [
        ("inspect", 0),
        ("inspect --json", 0),
        ("verify", 1),
        ("verify --json", 1),
        ("dump", 0),
        ("repair --dry-run", 0),
        ("repair --dry-run --truncate-at 126506", 0),
    ] {
        let ran = Ferromq::new().run(&format!("store {command} {}", root.display()));
        assert_eq!(ran.code, code, "{command}: {}", ran.err);
        assert_eq!(snapshot(fixture.directory.path()), before, "{command}");
    }
}

#[test]
fn a_store_in_use_is_refused_with_one_line() {
    let ferromq = Ferromq::new().with_small_store("");
    let server = ferromq.serve("standalone --port 0 --namesrv-port 0 -c small.conf");
    for command in ["inspect", "verify", "dump", "repair --dry-run", "repair"] {
        let ran = ferromq.run(&format!("store {command}"));
        assert_eq!((ran.code, ran.out.as_str(), ran.err.lines().count()), (2, "", 1), "{command}: {}", ran.err);
        assert!(ran.err.contains("ferromq-data/store is in use: a broker"), "{}", ran.err);
    }
    assert_eq!(server.terminate().code, 0);
    let ran = ferromq.run("store verify");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
}

/// Within one process the operating system's lock would not tell.
#[test]
fn a_store_that_this_process_has_open_is_refused() {
    let fixture = Fixture::unpack("b0-clean-many-files");
    let store = fixture.open();
    let refused = OfflineStore::open(FileDisk::shared(), &untold(&fixture)).unwrap_err();
    assert!(matches!(refused, OfflineError::Store(StoreError::Locked { .. })), "{refused}");
    store.close().unwrap();
    let looking = OfflineStore::open(FileDisk::shared(), &untold(&fixture)).unwrap();
    let refused = fixture.try_open().unwrap_err();
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    drop(looking);
    fixture.open().close().unwrap();
}
