//! A store that a Java broker left with messages that wait: they are delivered by ours, and what was delivered is not again.

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::body::lenient;
use serde_json::Value;

use crate::fixture::Fixture;
use crate::messages::wait_for;
use crate::raw::Raw;
use crate::support::small;

async fn check(client: &mut Raw, topic: &str, queue_id: i32, expected: &[&str]) {
    let messages = wait_for(client, topic, queue_id, 0, expected.len()).await;
    // Levels deliver independently of each other.
    let mut keys: Vec<_> = messages.iter().map(|message| message.keys().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, expected, "{topic} {queue_id}");
}

#[actix::test]
async fn what_fell_due_meanwhile_is_delivered_once() {
    let fixture = Fixture::unpack("a-clean");
    let options = BrokerOptions { store: fixture.options(), ..small(&fixture.directory) };
    let broker = Broker::builder(options).start().await.unwrap();
    let mut client = Raw::connect(broker.address()).await;
    // delay0 to delay3 had been delivered by Java's broker, the others waited an hour or two.
    check(&mut client, "FixDelay", 0, &["delay0", "delay2", "delay4", "delay6"]).await;
    check(&mut client, "FixDelay", 1, &["delay1", "delay3", "delay5", "delay7"]).await;
    check(&mut client, "%RETRY%CG_retry", 0, &["retry0", "retry1", "retry3"]).await;
    broker.stop().await.unwrap();
    let file = std::fs::read(fixture.options().config_dir().join("delayOffset.json")).unwrap();
    let file: Value = lenient::read(&file).unwrap();
    assert_eq!(file["offsetTable"], serde_json::json!({"1": 5, "2": 1, "17": 1, "18": 4}));
}
