//! More sends than there are permits for: producers are held up, nobody is refused, and others are served meanwhile.

use std::sync::Arc;
use std::time::Duration;

use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::codes::{request, response};

use crate::load::{CONNECTIONS, LIMIT, Load, acknowledged, codes, make_topic, pull_all};
use crate::raw::{Raw, ask_for};
use crate::support::small;
use crate::writers::{Behaviour, front};

/// Room for three sends of the load at once.
const SEND_BYTES_MAX: usize = 2_000;
const LANES: usize = 16;
const MESSAGES: usize = 10;

#[actix::test]
async fn every_send_is_acknowledged_and_other_requests_pass() {
    let directory = tempfile::tempdir().unwrap();
    let slow = front(Behaviour::Slow { every: 1, by: Duration::from_millis(5), held: Arc::default() });
    let options = BrokerOptions { send_bytes_max: SEND_BYTES_MAX, send_wait: None, ..small(&directory) };
    let broker = Broker::builder(options).commit_log(slow).start().await.unwrap();
    make_topic(&broker, "Held").await;
    let mut other = Raw::connect(broker.address()).await;
    let load = Load { lanes: LANES, messages: MESSAGES, limit: LIMIT };
    let answers = tokio::select! {
        answers = load.run(&broker, "Held") => answers,
        () = async {
            loop {
                let bounds = ask_for(request::GET_MAX_OFFSET, &[("topic", &"Held"), ("queueId", &0)]);
                assert_eq!(other.ask(bounds).await.code, response::SUCCESS);
            }
        } => unreachable!("it asks for ever"),
    };
    let all = CONNECTIONS * LANES * MESSAGES;
    assert_eq!(codes(&answers).into_iter().collect::<Vec<_>>(), [(response::SUCCESS, all)]);
    assert!(pull_all(&broker, "Held", all).await == acknowledged(&answers), "each message once");
    broker.stop().await.unwrap();
}
