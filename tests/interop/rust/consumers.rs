//! Consumers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ferromq::admin::Admin;
use ferromq::client::discovery::NAME_SERVERS_VARIABLE;
use ferromq::client::{ConsumerOptions, Order, OutgoingMessage, RetryWhen, Verdict, Wanted};
use ferromq::protocol::message::Message;
use ferromq::protocol::names::Topic;
use ferromq::protocol::units::QueueOffset;

use crate::inbox::{Inbox, body, expect, from_the_first, numbered, reader, send, until};
use crate::{Outcome, Run};

pub(crate) async fn retry_comes_again(run: &Run) -> Outcome {
    let (client, topic, inbox) = (run.client().await?, run.name("Retry"), Inbox::default());
    send(&client, &topic, &numbered(0..4)).await?;
    let judge = |message: &Message| match (body(message).as_str(), message.reconsume_times) {
        ("message 0002", 0) => Verdict::Retry { consumed: 0, when: RetryWhen::Level(1) },
        _ => Verdict::Consumed,
    };
    let builder = client.push_consumer(&topic).options(from_the_first()).subscribe(&topic, Wanted::All);
    let consumer = builder.start(inbox.judging(judge)).await?;
    inbox.holds(5).await;
    consumer.stop().await?;
    let again: Vec<_> =
        inbox.messages().iter().filter(|message| message.reconsume_times == 1).map(|message| body(message)).collect();
    expect(again == ["message 0002"], || format!("came again: {again:?}"))?;
    let topics: BTreeSet<_> = inbox.messages().iter().map(|message| message.topic.to_string()).collect();
    expect(topics.len() == 1, || format!("topics: {topics:?}"))
}

pub(crate) async fn dead_letters(run: &Run) -> Outcome {
    let (client, topic, inbox) = (run.client().await?, run.name("Dead"), Inbox::default());
    let receipts = send(&client, &topic, &numbered(0..2)).await?;
    let never = |_: &Message| Verdict::Retry { consumed: 0, when: RetryWhen::Never };
    let builder = client.push_consumer(&topic).options(from_the_first()).subscribe(&topic, Wanted::All);
    let consumer = builder.start(inbox.judging(never)).await?;
    inbox.holds(2).await;
    let admin = Admin::new(&std::env::var(NAME_SERVERS_VARIABLE)?)?;
    let brokers = admin.cluster_info().await?;
    let name = receipts.first().map(|receipt| receipt.broker_name.to_string()).unwrap_or_default();
    let broker = &brokers.broker_addr_table.get(&name).ok_or("the broker is not there")?.broker_addrs[&0];
    let dead = Topic::parse(&format!("%DLQ%{topic}"))?;
    until(async || {
        let stats = admin.topic_stats(broker, &dead).await.unwrap_or_default();
        stats.offset_table.values().map(|queue| queue.max_offset).sum::<i64>() == 2
    })
    .await;
    Ok(consumer.stop().await?)
}

pub(crate) async fn tags_and_conditions(run: &Run) -> Outcome {
    let (client, topic) = (run.client().await?, run.name("Filter"));
    let producer = client.producer(&topic).start().await?;
    // Two of the tags have one hash in Java.
    for tag in ["Aa", "BB", "paid", "cancelled"] {
        let length = tag.len().to_string();
        producer.send(&OutgoingMessage::to(&topic, tag)?.tag(tag).property("length", length)).await?;
    }
    let wanted = [
        ("Tags", Wanted::Tags("Aa || paid".into()), ["Aa", "paid"]),
        ("Condition", Wanted::Condition("length > 3".into()), ["cancelled", "paid"]),
    ];
    for (name, wanted, expected) in wanted {
        let inbox = Inbox::default();
        let builder = client.push_consumer(&run.name(name)).options(from_the_first()).subscribe(&topic, wanted);
        let consumer = builder.start(inbox.judging(|_| Verdict::Consumed)).await?;
        inbox.holds(2).await;
        consumer.stop().await?;
        expect(inbox.bodies() == expected, || format!("{name}: {:?}", inbox.bodies()))?;
    }
    Ok(())
}

pub(crate) async fn members_share(run: &Run) -> Outcome {
    let (one, other, topic, inbox) = (run.client().await?, run.client().await?, run.name("Share"), Inbox::default());
    send(&one, &topic, &numbered(0..40)).await?;
    let first = reader(&one, &topic, &topic, from_the_first(), &inbox).await?;
    inbox.holds(40).await;
    let second = reader(&other, &topic, &topic, from_the_first(), &inbox).await?;
    let of_topic = |consumer: &ferromq::client::PushConsumer| {
        consumer.queues().borrow().iter().filter(|queue| queue.topic == topic).count()
    };
    until(async || of_topic(&first) == 2 && of_topic(&second) == 2).await;
    send(&one, &topic, &numbered(40..80)).await?;
    // What changes hands may come twice.
    until(async || inbox.bodies().into_iter().collect::<BTreeSet<_>>().len() == 80).await;
    second.stop().await?;
    until(async || of_topic(&first) == 4).await;
    Ok(first.stop().await?)
}

pub(crate) async fn order_changes_hands(run: &Run) -> Outcome {
    let (one, other, topic, inbox) = (run.client().await?, run.client().await?, run.name("Order"), Inbox::default());
    let in_order = || ConsumerOptions { order: Order::Queue, ..from_the_first() };
    send(&one, &topic, &numbered(0..40)).await?;
    let first = reader(&one, &topic, &topic, in_order(), &inbox).await?;
    inbox.holds(10).await;
    let second = reader(&other, &topic, &topic, in_order(), &inbox).await?;
    send(&one, &topic, &numbered(40..80)).await?;
    inbox.holds(80).await;
    first.stop().await?;
    send(&one, &topic, &numbered(80..120)).await?;
    inbox.holds(120).await;
    second.stop().await?;
    let mut by_queue: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for message in inbox.messages() {
        by_queue.entry(message.queue_id.0).or_default().push(message.queue_offset.0);
    }
    let bad = by_queue.iter().find(|(_, offsets)| !offsets.is_sorted());
    expect(bad.is_none(), || format!("out of order: {bad:?}"))
}

pub(crate) async fn pull_and_seek(run: &Run) -> Outcome {
    let (client, topic) = (run.client().await?, run.name("Pull"));
    send(&client, &topic, &numbered(0..40)).await?;
    let mut consumer = client.pull_consumer(&topic).options(from_the_first()).start().await?;
    let queues = consumer.queues_of(&topic).await?;
    let queue = queues.first().ok_or("no queue")?.clone();
    consumer.assign([queue.clone()]).await?;
    for expected in [10, 4] {
        let mut count = 0;
        while count < expected {
            count += consumer.poll(Duration::from_secs(20)).await?.len();
        }
        expect(count == expected, || format!("{count} messages instead of {expected}"))?;
        consumer.seek(&queue, QueueOffset(6)).await?;
    }
    consumer.commit().await?;
    Ok(consumer.stop().await?)
}

pub(crate) async fn group_goes_on(run: &Run) -> Outcome {
    let (client, topic) = (run.client().await?, run.name("GoesOn"));
    for numbers in [0..20, 20..40] {
        send(&client, &topic, &numbered(numbers.clone())).await?;
        let inbox = Inbox::default();
        let consumer = reader(&client, &topic, &topic, from_the_first(), &inbox).await?;
        inbox.holds(20).await;
        consumer.stop().await?;
        expect(inbox.bodies() == numbered(numbers), || format!("{:?}", inbox.bodies()))?;
    }
    Ok(())
}
