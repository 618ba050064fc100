//! Files that are not as they were written: a torn end is cut off, everything else is told of, and no letter is another one.

use std::path::PathBuf;

use ferromq::client::SpoolOptions;
use ferromq::client::spool::{Spool, SpoolError};
use ferromq::store::Disk;
use ferromq::store::disk::OpenMode;

use crate::disk::{Call, Faults, SimDisk};
use crate::letters::{drain, letter, options, put};
use crate::world::Crash;

/// Two files, of which the second has three groups: 1 to 12 | 13, 14 | 15 | 16, 17.
fn spool_of_two_files() -> (SimDisk, SpoolOptions, [PathBuf; 2]) {
    let disk = SimDisk::new(7);
    let options = options(&disk, 40_000);
    let mut spool = Spool::open(&options).unwrap();
    put(&mut spool, 1..13);
    for group in [13..15, 15..16, 16..18] {
        put(&mut spool, group);
    }
    drop(spool);
    let files: Vec<_> = disk.files_under(&options.directory).into_iter().filter(|path| is_of_letters(path)).collect();
    (disk, options, files.try_into().unwrap())
}

fn is_of_letters(path: &std::path::Path) -> bool {
    path.file_name().unwrap().len() == 20
}

/// What comes out is what was put, up to where a torn end was cut; and then it goes on.
fn comes_out(options: &SpoolOptions) -> Result<Vec<u64>, SpoolError> {
    let mut spool = Spool::open(options)?;
    put(&mut spool, [100]);
    let mut numbers = drain(&mut spool);
    assert_eq!(numbers.pop(), Some(100));
    assert!(numbers.iter().copied().eq(1..numbers.len() as u64 + 1), "{numbers:?}");
    Ok(numbers)
}

#[test]
fn an_end_at_any_byte_is_cut_in_the_last_file_and_told_of_in_others() {
    let (whole, _, files) = spool_of_two_files();
    for (file, is_last) in files.iter().zip([false, true]) {
        for len in 0..whole.bytes(file).unwrap().len() as u64 {
            let (disk, options, files) = spool_of_two_files();
            let path = &files[usize::from(is_last)];
            disk.open(path, OpenMode::Existing).unwrap().set_len(len).unwrap();
            match (is_last, comes_out(&options)) {
                (true, Ok(numbers)) => assert!((12..17).contains(&numbers.len()), "{len}: {numbers:?}"),
                (false, Err(SpoolError::Damaged { path: named, at, .. })) => assert!(named == *path && at <= len),
                (_, outcome) => panic!("{len}: {outcome:?}"),
            }
        }
    }
}

#[test]
fn any_bit_that_flips_is_told_of_or_cut_with_the_last_group() {
    let (whole, _, files) = spool_of_two_files();
    let mut cut = 0;
    for (file, is_last) in files.iter().zip([false, true]) {
        for at in 0..whole.bytes(file).unwrap().len() {
            let (disk, options, files) = spool_of_two_files();
            disk.flip(&files[usize::from(is_last)], at, (at % 8) as u8);
            match comes_out(&options) {
                // 16 and 17 are the last group.
                Ok(numbers) => {
                    cut += 1;
                    assert!(is_last && (15..17).contains(&numbers.len()), "{at}: {numbers:?}");
                }
                Err(SpoolError::Damaged { path, at: named, .. }) => {
                    assert!(path == files[usize::from(is_last)] && named <= at as u64, "{at}: {named}");
                }
                Err(SpoolError::Version { .. }) => assert_eq!(at, 7),
                Err(error) => panic!("{at}: {error}"),
            }
        }
    }
    assert!(cut > 0);
}

#[test]
fn a_file_that_is_gone_is_missed() {
    let (disk, options, [first, second]) = spool_of_two_files();
    disk.lose(&first);
    let error = Spool::open(&options).unwrap_err().to_string();
    assert!(error.contains(second.file_name().unwrap().to_str().unwrap()) && error.contains("are missing"), "{error}");
}

#[test]
fn a_position_that_is_lost_has_letters_sent_again_and_loses_none() {
    let (disk, options, _) = spool_of_two_files();
    let mut spool = Spool::open(&options).unwrap();
    for _ in 0..5 {
        spool.front().unwrap();
        spool.sent().unwrap();
    }
    drop(spool);
    for place in [8, 20] {
        disk.flip(&options.directory.join("sent"), place + 4, 3);
    }
    assert_eq!(comes_out(&options).unwrap().len(), 17);
}

#[test]
fn after_a_sync_that_failed_nothing_is_taken_and_what_was_acknowledged_is_sent() {
    let (disk, options, _) = spool_of_two_files();
    let mut spool = Spool::open(&options).unwrap();
    disk.set_faults(Faults { fail: Some((Call::Sync, 0)), ..Faults::default() });
    spool.put(&letter(18)).unwrap();
    let error = spool.commit().unwrap_err();
    assert!(error.to_string().contains("takes nothing more until its producer is started again"), "{error}");
    let error = spool.put(&letter(19)).unwrap_err();
    assert!(matches!(error, SpoolError::Poisoned { .. }), "{error}");
    assert_eq!(drain(&mut spool), (1..18).collect::<Vec<_>>());
    drop(spool);
    // Nobody was told that 18 is there, and nobody that it is not.
    let mut spool = Spool::open(&options).unwrap();
    put(&mut spool, [20]);
    let left = drain(&mut spool);
    assert!(left == [18, 20] || left == [20], "{left:?}");
}

/// The kernel takes what it could not sync for written: what the next process puts behind it would lie behind a hole.
#[test]
fn what_a_sync_that_failed_has_left_is_on_the_disk_before_more_is_put_behind_it() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let options = options(&disk, 1 << 20);
        let mut spool = Spool::open(&options).unwrap();
        put(&mut spool, 1..3);
        disk.set_faults(Faults { fail: Some((Call::Sync, 0)), ..Faults::default() });
        (3..10).for_each(|number| spool.put(&letter(number)).unwrap());
        spool.commit().unwrap_err();
        drop(spool);
        put(&mut Spool::open(&options).unwrap(), [10]);
        disk.crash(Crash::PowerCut);
        let left = drain(&mut Spool::open(&options).unwrap());
        assert!(left.starts_with(&[1, 2]) && left.ends_with(&[10]), "seed {seed}: {left:?}");
    }
}

#[test]
fn a_disk_without_room_is_told_of_and_there_may_be_room_later() {
    let (disk, options, _) = spool_of_two_files();
    let mut spool = Spool::open(&options).unwrap();
    disk.set_capacity(0);
    spool.put(&letter(18)).unwrap();
    let error = spool.commit().unwrap_err();
    assert!(matches!(error, SpoolError::Io { action: "write", .. }), "{error}");
    disk.set_capacity(1 << 30);
    put(&mut spool, [18]);
    assert_eq!(drain(&mut spool), (1..19).collect::<Vec<_>>());
}

/// What is sent makes room, and needs none to do so, also when the disk was full at the start.
#[test]
fn a_spool_on_a_full_disk_is_opened_and_sent() {
    let (disk, options, files) = spool_of_two_files();
    disk.set_capacity(0);
    let mut spool = Spool::open(&options).unwrap();
    for _ in 0..13 {
        spool.front().unwrap().unwrap();
        spool.sent().unwrap();
    }
    assert!(!disk.files_under(&options.directory).contains(&files[0]), "its letters are sent");
    drop(spool);
    assert_eq!(drain(&mut Spool::open(&options).unwrap()), (14..18).collect::<Vec<_>>());
}

#[test]
fn what_was_refused_is_tried_again_behind_the_others_or_discarded() {
    let (disk, options, _) = spool_of_two_files();
    let mut spool = Spool::open(&options).unwrap();
    let refuse = |spool: &mut Spool, count| {
        for _ in 0..count {
            let letter = spool.front().unwrap().unwrap();
            spool.put_aside(&letter).unwrap();
            spool.sent().unwrap();
        }
    };
    refuse(&mut spool, 3);
    assert_eq!((spool.waiting().messages, spool.waiting().refused), (14, 3));
    assert_eq!(spool.retry_refused().unwrap(), 3);
    assert_eq!((spool.waiting().messages, spool.waiting().refused, spool.waiting().refused_bytes), (17, 0, 0));
    assert!(!disk.files_under(&options.directory).contains(&options.directory.join("refused")));
    disk.crash(Crash::Kill);
    drop(spool);
    let mut spool = Spool::open(&options).unwrap();
    refuse(&mut spool, 1);
    assert_eq!(spool.discard_refused().unwrap(), 1);
    assert_eq!((spool.discard_refused().unwrap(), spool.retry_refused().unwrap()), (0, 0));
    assert_eq!(drain(&mut spool), (5..18).chain(1..4).collect::<Vec<_>>());
}

#[test]
fn what_was_refused_stays_aside_when_there_is_no_room_to_try_it_again() {
    let disk = SimDisk::new(1);
    let options = options(&disk, 10_000);
    let mut spool = Spool::open(&options).unwrap();
    put(&mut spool, 1..10);
    while let Some(letter) = spool.front().unwrap() {
        spool.put_aside(&letter).unwrap();
        spool.sent().unwrap();
    }
    let before = spool.waiting();
    assert!(before.refused == 9 && before.refused_bytes > 4_000, "{before:?}");
    disk.set_capacity(0);
    spool.retry_refused().unwrap_err();
    assert_eq!(spool.waiting().refused, 9);
    disk.set_capacity(1 << 30);
    assert_eq!(spool.retry_refused().unwrap(), 9);
    assert_eq!(drain(&mut spool), (1..10).collect::<Vec<_>>());
}

#[test]
fn files_of_what_is_sent_are_removed() {
    let disk = SimDisk::new(1);
    let options = options(&disk, 1 << 20);
    let mut spool = Spool::open(&options).unwrap();
    let files = || disk.files_under(&options.directory).iter().filter(|path| is_of_letters(path)).count();
    for number in 0..1_000 {
        put(&mut spool, [number]);
    }
    assert!(files() > 6, "{}", files());
    assert_eq!(drain(&mut spool).len(), 1_000);
    assert_eq!(files(), 1);
    assert_eq!(spool.waiting(), Default::default());
    drop(spool);
    let mut spool = Spool::open(&options).unwrap();
    assert_eq!((files(), drain(&mut spool)), (0, vec![]));
    put(&mut spool, [1]);
    assert_eq!(drain(&mut spool), [1]);
}
