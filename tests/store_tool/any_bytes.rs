//! Whatever the bytes of a store are, it is looked at to the end: there are findings and errors, and no panic.

use std::fs;
use std::path::PathBuf;

use ferromq::protocol::names::Topic;
use ferromq::protocol::units::PhysicalOffset;
use ferromq::store::disk::FileDisk;
use ferromq::store::offline::dump::Selection;
use ferromq::store::offline::repair::{self, Request};
use ferromq::store::{OfflineError, OfflineStore};

use crate::fixture::Fixture;
use crate::tool::{snapshot, untold};

/// Overwrites some bytes of some files, cuts one, or makes one longer.
fn damage(fixture: &Fixture, random: &mut fastrand::Rng) {
    let root = fixture.options().root;
    let files: Vec<PathBuf> =
        snapshot(&root).into_keys().map(|name| root.join(name)).filter(|path| path.is_file()).collect();
    for _ in 0..random.usize(1..12) {
        let path = &files[random.usize(..files.len())];
        let mut bytes = fs::read(path).unwrap();
        match random.u8(..10) {
            0 => bytes.truncate(random.usize(..=bytes.len())),
            1 => bytes.extend(vec![random.u8(..); random.usize(..100)]),
            _ if bytes.is_empty() => {}
            kind => {
                let at = random.usize(..bytes.len());
                let end = (at + random.usize(1..16)).min(bytes.len());
                let fill = [0, 0xff, random.u8(..)][usize::from(kind % 3)];
                bytes[at..end].fill(fill);
            }
        }
        fs::write(path, bytes).unwrap();
    }
}

/// Looks at it in every way.
fn look(fixture: &Fixture, random: &mut fastrand::Rng) -> Result<(), OfflineError> {
    let store = OfflineStore::open(FileDisk::shared(), &untold(fixture))?;
    store.survey(&mut |_| {})?;
    store.verify(&[], &mut |_| {})?;
    let key = Some("k1".to_owned());
    for key in [None, key] {
        let selection = Selection { key, topic: Topic::parse("FixPlain").ok(), ..Selection::default() };
        // An unknown topic is one of the things that may come of it.
        let _ = store.dump(&selection, &mut |_| {}, |_| Ok::<_, OfflineError>(()));
    }
    let truncate_at = random.bool().then(|| PhysicalOffset(random.u64(..200_000)));
    let _ = store.plan(Request { truncate_at }, &mut |_| {});
    drop(store);
    let _ = repair::repair(FileDisk::shared(), &untold(fixture), Request::default(), None, &mut |_| {});
    Ok(())
}

#[test]
fn damaged_stores_are_looked_at_to_the_end() {
    let mut looked_at = 0;
    for seed in 0..150 {
        let mut random = fastrand::Rng::with_seed(seed);
        let name =
            ["b0-clean-many-files", "c1-torn-tail-abort", "d-segments-deleted", "e-queue-ext"][seed as usize % 4];
        let fixture = Fixture::unpack(name);
        damage(&fixture, &mut random);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| look(&fixture, &mut random)));
        looked_at += u32::from(outcome.unwrap_or_else(|_| panic!("seed {seed}")).is_ok());
    }
    assert!(looked_at > 100, "{looked_at}");
}
