//! An application that is killed without warning: what it was told is spooled is sent by the next one.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use ferromq::client::{Client, ClientOptions, SpoolOptions};

use crate::inbox::numbered;
use crate::place::{Place, drained, message};

/// Names the directory and the number of the first message to the process that is started.
const DIRECTORY: &str = "FERROMQ_TEST_SPOOL_KILLED";
const FIRST: &str = "FERROMQ_TEST_SPOOL_FIRST";
/// What it says of each message that it was told is spooled.
const SPOOLED: &str = "spooled ";

/// A process that spools until it is killed, which it is when this goes.
struct Application(Child);

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn application(place: &Place, first: usize) -> Application {
    let mut application = Command::new(std::env::current_exe().unwrap());
    application.args(["--exact", "what_was_spooled_outlives_a_kill::spools_until_it_is_killed"]);
    application.args(["--ignored", "--nocapture"]);
    application.env(DIRECTORY, place.spool_directory()).env(FIRST, first.to_string());
    Application(application.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
}

#[actix::test]
async fn of_the_process() {
    let place = Place::new();
    let mut next = 0;
    for round in 1..5 {
        let mut application = application(&place, next);
        let mut lines = BufReader::new(application.0.stdout.take().unwrap()).lines();
        let mut spooled = || lines.by_ref().find_map(|line| line.ok()?.strip_prefix(SPOOLED)?.parse::<usize>().ok());
        let enough = next + 20 * round;
        while spooled().is_some_and(|number| number < enough) {}
        // SIGKILL.
        application.0.kill().unwrap();
        // It may have come further before that.
        let last = std::iter::from_fn(spooled).last().unwrap_or(enough);
        next = last + 1;
    }
    let producer = place.producer().await;
    let waiting = producer.waiting().messages as usize;
    assert!((next..next + 8).contains(&waiting), "{waiting} wait, {next} were told of");
    let cluster = place.start().await;
    drained(&producer).await;
    let mut stored = place.stored("Orders", waiting).await;
    // One that was on the disk when its process was killed, which so did not tell of it, has the number of the next one's first.
    stored.dedup();
    assert_eq!(stored, numbered(0..stored.len()));
    assert!(stored.len() >= next);
    producer.stop().await.unwrap();
    cluster.stop().await;
}

#[actix::test]
#[ignore = "is run by the test above, in a process of its own"]
async fn spools_until_it_is_killed() {
    let options = SpoolOptions::at(std::env::var_os(DIRECTORY).unwrap());
    let first: usize = std::env::var(FIRST).unwrap().parse().unwrap();
    // A port that the system gives to nobody.
    let client = Client::new(ClientOptions::of("127.0.0.1:1")).await.unwrap();
    let producer = client.producer("writers").start_spooled(options).await.unwrap();
    for number in first..first + 100_000 {
        producer.send(&message(&numbered(number..number + 1)[0])).await.unwrap();
        writeln!(std::io::stdout(), "{SPOOLED}{number}").unwrap();
    }
}
