//! Segments go when they are old enough and it is time, with what queues and index have about them. Offsets go on.

use std::time::Duration;

use ferromq::actors::options::BrokerOptions;
use ferromq::actors::retention_actor::{CleanNow, Removed};
use ferromq::broker::config::{RetentionSettings, RetentionTimes};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::{QueueId, QueueOffset, StoreTime};
use ferromq::store::{FileDisk, StoreOptions, open};
use tokio::time::timeout;

use crate::keeper::{Keeper, SEGMENT_BYTES, figure, files, fill, max_offset, min_offset, succeeded};
use crate::messages::{bodies, wait_for};
use crate::raw::{LIMIT, Raw, ask_for, pull_from, send_to};
use crate::support::{small, wait_until};

/// A deletion that waits for nothing is answered within a few milliseconds.
const AS_LONG_AS_IT_WOULD_TAKE: Duration = Duration::from_millis(200);
const NOTHING: Removed = Removed { segments: 0, queue_files: 0, index_files: 0 };

#[actix::test]
async fn at_their_hour_when_they_are_old_enough() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    fill(&keeper, &mut client, "T", 4).await;
    // Five o'clock, and young.
    assert_eq!(keeper.clean(CleanNow::Due).await, NOTHING);
    // Four o'clock of the next day, and still young.
    keeper.after_hours(23).await;
    assert_eq!(keeper.clean(CleanNow::Due).await, NOTHING);
    // Five o'clock, old enough.
    keeper.after_hours(49).await;
    assert_eq!(keeper.clean(CleanNow::Due).await, NOTHING);
    keeper.after_hours(23).await;
    assert_eq!(keeper.clean(CleanNow::Due).await.segments, 3);
    assert_eq!(keeper.clean(CleanNow::Due).await, NOTHING, "the last one stays");
    keeper.stop().await;
}

#[actix::test]
async fn at_any_hour_when_more_of_the_disk_is_used_than_may_be_or_a_tool_wants_it() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    fill(&keeper, &mut client, "T", 3).await;
    keeper.used(76).await;
    assert_eq!(keeper.clean(CleanNow::Due).await, NOTHING, "they are young");
    let mut client = keeper.after_hours(72 + 24).await;
    keeper.used(75).await;
    assert_eq!(keeper.clean(CleanNow::Due).await, NOTHING);
    keeper.used(76).await;
    assert_eq!(keeper.clean(CleanNow::Due).await.segments, 2);
    keeper.used(10).await;
    fill(&keeper, &mut client, "T", 3).await;
    assert_eq!(keeper.clean(CleanNow::Due).await, NOTHING);
    keeper.settled().await;
    // Tools do not wait until that is done.
    succeeded(&client.ask(ask_for(request::DELETE_EXPIRED_COMMITLOG, &[])).await);
    wait_until(LIMIT, "the tool had them removed", || keeper.segments() == 1).await;
    keeper.stop().await;
}

/// Nobody asks for anything.
#[actix::test]
async fn by_themselves_from_time_to_time() {
    let moment = Duration::from_millis(5);
    let times = RetentionTimes { first_round: moment, rounds_every: moment, first_check: moment, checks_every: moment };
    let keeper = Keeper::start_with(|options| {
        let retention = RetentionSettings { times, ..options.retention.clone() };
        BrokerOptions { retention, ..options }
    })
    .await;
    let mut client = keeper.client().await;
    let max = fill(&keeper, &mut client, "T", 3).await;
    keeper.used_from_now_on(95);
    wait_until(LIMIT, "the young ones are gone by force", || keeper.segments() == 1).await;
    let full = |code| move |reply: &Command| reply.code == code;
    client.ask_until(send_to("T", 0, "", "refused"), full(response::SERVICE_NOT_AVAILABLE)).await;
    keeper.used_from_now_on(50);
    client.ask_until(send_to("T", 0, "", "taken"), full(response::SUCCESS)).await;
    fill(&keeper, &mut client, "T", 3).await;
    // Until it is four o'clock, and they are old.
    keeper.after_hours(95).await;
    wait_until(LIMIT, "the old ones are gone", || keeper.segments() == 1).await;
    let mut client = keeper.client().await;
    assert!(min_offset(&mut client, "T", 0).await > max / 2);
    keeper.stop().await;
}

#[actix::test]
async fn ten_in_a_round() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    fill(&keeper, &mut client, "T", 24).await;
    keeper.after_hours(100).await;
    let mut removed = Vec::new();
    for _ in 0..4 {
        removed.push(keeper.clean(CleanNow::AllThatIsOld).await.segments);
    }
    assert_eq!(removed, [10, 10, 3, 0]);
    keeper.stop().await;
}

#[actix::test]
async fn with_what_queues_and_index_have_about_them() {
    everything_follows(|options| options).await;
}

#[actix::test]
async fn with_the_extensions_of_queues() {
    everything_follows(|options| {
        let store = StoreOptions { queue_ext_enabled: true, queue_ext_file_bytes: 100, ..options.store };
        BrokerOptions { store, ..options }
    })
    .await;
}

async fn everything_follows(change: fn(BrokerOptions) -> BrokerOptions) {
    let keeper = Keeper::start_with(change).await;
    let mut client = keeper.client().await;
    let max = fill(&keeper, &mut client, "T", 6).await;
    let before = [files(keeper.directory.path(), "consumequeue/T/0"), files(keeper.directory.path(), "index")];
    let units_before = files(keeper.directory.path(), "consumequeue_ext/T/0");
    let mut client = keeper.after_hours(100).await;
    let removed = keeper.clean(CleanNow::AllThatIsOld).await;
    assert_eq!(removed.segments, 5);
    let after = [files(keeper.directory.path(), "consumequeue/T/0"), files(keeper.directory.path(), "index")];
    assert_eq!(removed.queue_files, before[0].len() - after[0].len());
    assert_eq!(removed.index_files, before[1].len() - after[1].len());
    assert!(removed.queue_files > 3 && removed.index_files > 0, "{removed:?}");
    let units = files(keeper.directory.path(), "consumequeue_ext/T/0");
    assert!(units.len() <= units_before.len() / 2, "{} of {}", units.len(), units_before.len());
    assert_eq!(files(keeper.directory.path(), "commitlog").first(), Some(&format!("{:020}", 5 * SEGMENT_BYTES)));
    assert_eq!(figure(&mut client, "commitLogMinOffset").await, (5 * SEGMENT_BYTES).to_string());
    let min = check_bounds(&mut client, max).await;
    let directory = keeper.stop().await;
    // The same after the next start.
    let keeper = Keeper::start_in(directory, change).await;
    let mut client = keeper.client().await;
    assert_eq!(check_bounds(&mut client, max).await, min);
    let sent = client.ask(send_to("T", 0, "", "next")).await;
    assert_eq!(sent.ext.int64("queueOffset").unwrap(), max);
    assert_eq!(bodies(&wait_for(&mut client, "T", 0, max, 1).await), ["next"]);
    keeper.stop().await;
}

/// Pulls below the minimum are sent there, from there on everything is read; tells the minimum.
async fn check_bounds(client: &mut Raw, max: i64) -> i64 {
    let min = min_offset(client, "T", 0).await;
    assert!(min > 60 && min < max, "{min} of {max}");
    for below in [0, min - 1] {
        let reply = client.ask(pull_from("T", 0, below, 32)).await;
        assert_eq!((reply.code, reply.remark.as_deref()), (response::PULL_OFFSET_MOVED, Some("OFFSET_TOO_SMALL")));
        assert_eq!(reply.ext.int64("nextBeginOffset").unwrap(), min);
        assert_eq!(reply.ext.int64("minOffset").unwrap(), min);
    }
    let read = wait_for(client, "T", 0, min, (max - min) as usize).await;
    for (message, number) in read.iter().zip(min..) {
        assert_eq!((message.queue_offset.0 as i64, message.body[0]), (number, number as u8));
    }
    let query = |number: i64| {
        let key = format!("k{number}");
        let fields: [(&str, &dyn std::fmt::Display); 5] =
            [("topic", &"T"), ("key", &key), ("maxNum", &32), ("beginTimestamp", &0), ("endTimestamp", &i64::MAX)];
        ask_for(request::QUERY_MESSAGE, &fields)
    };
    assert_eq!(client.ask(query(min - 1)).await.code, response::QUERY_NOT_FOUND);
    client.ask_until(query(min), |reply| reply.code == response::SUCCESS).await;
    min
}

/// The reference begins at 0 again when the queue is cleaned, and gives out offsets twice.
#[actix::test]
async fn a_queue_of_which_nothing_is_left_keeps_its_numbers() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    let old = fill(&keeper, &mut client, "Old", 2).await;
    let new = fill(&keeper, &mut client, "New", 4).await;
    let mut client = keeper.after_hours(100).await;
    assert_eq!(keeper.clean(CleanNow::AllThatIsOld).await.segments, 3);
    succeeded(&client.ask(ask_for(request::CLEAN_EXPIRED_CONSUMEQUEUE, &[])).await);
    assert_eq!(keeper.clean(CleanNow::QueuesOnly).await, NOTHING, "the tool had that done");
    assert_eq!((min_offset(&mut client, "Old", 0).await, max_offset(&mut client, "Old", 0).await), (old, old));
    assert_eq!(files(keeper.directory.path(), "consumequeue/Old/0").len(), 1);
    let directory = keeper.stop().await;
    let keeper = Keeper::start_in(directory, |options| options).await;
    let mut client = keeper.client().await;
    assert_eq!((min_offset(&mut client, "Old", 0).await, max_offset(&mut client, "Old", 0).await), (old, old));
    assert_eq!(max_offset(&mut client, "New", 0).await, new);
    let reply = client.ask(pull_from("Old", 0, 0, 32)).await;
    assert_eq!((reply.code, reply.ext.int64("nextBeginOffset").unwrap()), (response::PULL_OFFSET_MOVED, old));
    let sent = client.ask(send_to("Old", 0, "", "next")).await;
    assert_eq!(sent.ext.int64("queueOffset").unwrap(), old);
    assert_eq!(bodies(&wait_for(&mut client, "Old", 0, old, 1).await), ["next"]);
    keeper.stop().await;
}

/// Queues and index may need what they do not have on the disk yet.
#[actix::test]
async fn never_before_queues_and_index_are_on_the_disk() {
    let keeper =
        Keeper::start_with(|options| BrokerOptions { flush_queues_every: Duration::from_secs(3_600), ..options }).await;
    let mut client = keeper.client().await;
    fill(&keeper, &mut client, "T", 3).await;
    keeper.after_hours(100).await;
    let clean = || keeper.broker.retention().clean.send(CleanNow::AllThatIsOld);
    assert_eq!(clean().await.unwrap().unwrap(), NOTHING);
    // That round has them synced, as far as they have come then, and so does each that is kept from something.
    let all_gone = async {
        while keeper.segments() > 1 {
            clean().await.unwrap().unwrap();
        }
    };
    let all_gone = timeout(LIMIT, all_gone).await;
    assert!(all_gone.is_ok(), "no other sync is needed: {:?} {:?}", keeper.log.positions(), keeper.broker.faults());
    keeper.stop().await;
}

/// A place before the beginning of the log says nothing any more.
#[actix::test]
async fn deleted_topics_are_forgotten_with_their_messages() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    fill(&keeper, &mut client, "Gone", 2).await;
    succeeded(&client.ask(ask_for(request::DELETE_TOPIC_IN_BROKER, &[("topic", &"Gone")])).await);
    let path = keeper.directory.path().join("store/config/ferromq.deletedTopics.json");
    assert!(std::fs::read_to_string(&path).unwrap().contains("Gone"));
    fill(&keeper, &mut client, "T", 4).await;
    keeper.after_hours(100).await;
    keeper.clean(CleanNow::AllThatIsOld).await;
    let forgotten = || !std::fs::read_to_string(&path).unwrap().contains("Gone");
    wait_until(LIMIT, "the topic is forgotten", forgotten).await;
    keeper.stop().await;
}

/// Whoever still removed a file of the old queue when there is a new one would remove the new one's.
#[actix::test]
async fn a_topic_that_is_made_again_meanwhile_keeps_what_is_new() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    fill(&keeper, &mut client, "T", 4).await;
    let mut client = keeper.after_hours(100).await;
    keeper.settled().await;
    keeper.hold_removal();
    let cleaning = keeper.broker.retention().clean.send(CleanNow::AllThatIsOld);
    let cleaning = actix_rt::spawn(async move { cleaning.await.unwrap().unwrap() });
    keeper.removal_waits().await;
    // The first file of the queue is being removed, by a thread that takes its time.
    let mut other = keeper.client().await;
    let delete = ask_for(request::DELETE_TOPIC_IN_BROKER, &[("topic", &"T")]);
    other.send_as(delete, Serialization::Json).await;
    assert!(timeout(AS_LONG_AS_IT_WOULD_TAKE, other.next()).await.is_err(), "the deletion waits for it");
    keeper.let_removal_go_on();
    succeeded(&other.next().await.unwrap());
    let sent = client.ask(send_to("T", 0, "", "new")).await;
    assert_eq!(sent.ext.int64("queueOffset").unwrap(), 0);
    assert_eq!(cleaning.await.unwrap().segments, 3);
    let directory = keeper.stop().await;
    let keeper = Keeper::start_in(directory, |options| options).await;
    assert_eq!(bodies(&wait_for(&mut keeper.client().await, "T", 0, 0, 1).await), ["new"]);
    keeper.stop().await;
}

/// A round goes on after a start that comes when the log was cleaned and the queues were not.
#[actix::test]
async fn the_first_round_after_a_start_cleans_what_the_last_one_left() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    let max = fill(&keeper, &mut client, "T", 4).await;
    let directory = keeper.stop().await;
    std::fs::remove_file(directory.path().join("store/commitlog").join(format!("{:020}", 0))).unwrap();
    let before = files(directory.path(), "consumequeue/T/0").len();
    let keeper = Keeper::start_in(directory, |options| options).await;
    let mut client = keeper.client().await;
    let min = min_offset(&mut client, "T", 0).await;
    assert!(min > 10, "the start has found where the queue begins");
    assert_eq!(
        keeper.clean(CleanNow::Due).await.queue_files,
        before - files(keeper.directory.path(), "consumequeue/T/0").len()
    );
    assert!(files(keeper.directory.path(), "consumequeue/T/0").len() < before);
    assert_eq!(wait_for(&mut client, "T", 0, min, (max - min) as usize).await.len() as i64, max - min);
    keeper.stop().await;
}

/// What is left on the disk is a store like any other.
#[actix::test]
async fn what_is_left_opens_with_everything_in_it() {
    let keeper = Keeper::start().await;
    let mut client = keeper.client().await;
    let max = fill(&keeper, &mut client, "T", 5).await;
    keeper.after_hours(100).await;
    assert_eq!(keeper.clean(CleanNow::AllThatIsOld).await.segments, 4);
    let directory = keeper.stop().await;
    let options = StoreOptions {
        log_segment_bytes: SEGMENT_BYTES,
        queue_file_bytes: 200,
        index_slots: 20,
        index_entries: 40,
        ..small(&directory).store
    };
    let mut store = open(FileDisk::shared(), options, &mut |_| {}).unwrap();
    assert!(!store.report.unclean && store.report.warnings.is_empty(), "{:?}", store.report);
    assert_eq!(store.report.log_min.0, 4 * SEGMENT_BYTES);
    let queue = store.queues.queue_mut(&Topic::parse("T").unwrap(), QueueId(0)).unwrap();
    assert_eq!(queue.max_offset(), QueueOffset(max as u64));
    let (min, log) = (queue.min_offset(), store.log.view());
    for number in min.0..max as u64 {
        let entry = queue.entry(QueueOffset(number)).unwrap().unwrap();
        assert_eq!(log.message(entry.physical).unwrap().unwrap().queue_offset, QueueOffset(number));
    }
    let found =
        store.index.as_ref().unwrap().lookup("T", &format!("k{}", max - 1), 8, StoreTime(0), StoreTime(i64::MAX));
    assert_eq!(found.unwrap().records.len(), 1);
}
