//! Two producers that write to the same files would lose messages: the second one is refused, whichever process it is of.

use std::path::PathBuf;
use std::process::Command;

use ferromq::client::ClientError;
use ferromq::client::spool::{Spool, SpoolError};
use ferromq::client::{SpoolOptions, SpooledProducer};

use crate::place::Place;

/// Names the directory to the process that is started.
const DIRECTORY: &str = "FERROMQ_TEST_SPOOL_TAKEN";

#[actix::test]
async fn another_one_of_this_process() {
    let place = Place::new();
    let first: SpooledProducer = place.producer().await;
    let second = place.client().await.producer("writers").start_spooled(place.spool()).await.unwrap_err();
    let ClientError::Spool(error) = &second else { panic!("{second}") };
    assert!(matches!(&**error, SpoolError::Taken { directory } if *directory == place.spool_directory()), "{error}");
    first.stop().await.unwrap();
    place.producer().await.stop().await.unwrap();
}

#[actix::test]
async fn one_of_another_process() {
    let place = Place::new();
    let first = place.producer().await;
    let open = || {
        let mut other = Command::new(std::env::current_exe().unwrap());
        other.args(["--exact", "one_producer_has_a_directory::opens_what_it_is_told", "--ignored"]);
        other.env(DIRECTORY, place.spool_directory()).output().unwrap()
    };
    let output = open();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && said.contains("Taken"), "{said}");
    first.stop().await.unwrap();
    assert!(open().status.success(), "the directory is free");
}

#[test]
#[ignore = "is run by the test above, in a process of its own"]
fn opens_what_it_is_told() {
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    Spool::open(&SpoolOptions::at(directory)).unwrap();
}
