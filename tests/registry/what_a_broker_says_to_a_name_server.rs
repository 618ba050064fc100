//! The requests that a broker sends to its name servers, field by field, as a name server of the test's own reads them.

use std::time::Duration;

use actix_rt::task::JoinHandle;
use bytes::BytesMut;
use ferromq::actors::broker::Broker;
use ferromq::actors::options::BrokerOptions;
use ferromq::protocol::body::register::{RegisterBrokerBody, crc_matches};
use ferromq::protocol::codes::{request, response};
use ferromq::protocol::command::{Command, Serialization};
use ferromq::protocol::frame;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::raw::Raw;
use crate::support::{free_port, small};

/// Says yes to all that one connection brings until its end, and gives what that was.
async fn yes_to_all(listener: TcpListener) -> Vec<Command> {
    let mut broker = Raw::over(listener.accept().await.unwrap().0);
    let mut heard = Vec::new();
    while let Some(command) = broker.next().await {
        let mut out = BytesMut::new();
        frame::encode(&Command::reply(response::SUCCESS, command.opaque), Serialization::Json, &mut out);
        heard.push(command);
        broker.write(&out).await;
    }
    heard
}

/// A broker from its start to its stop, and all that it said meanwhile.
async fn life_of_a_broker(compressed_register: bool) -> (String, Vec<Command>) {
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind(free_port()).await.unwrap();
    let name_servers = vec![listener.local_addr().unwrap().to_string()];
    let heard: JoinHandle<Vec<Command>> = actix_rt::spawn(yes_to_all(listener));
    let register_every = Duration::from_secs(3_600);
    let options = BrokerOptions { name_servers, compressed_register, register_every, ..small(&directory) };
    let broker = Broker::builder(BrokerOptions { cluster: "C".into(), ..options }).start().await.unwrap();
    let address = broker.address().to_string();
    broker.stop().await.unwrap();
    (address, heard.await.unwrap())
}

fn fields(command: &Command) -> Value {
    let fields = command.ext.iter().map(|(name, value)| (name.to_string(), Value::from(value.to_string())));
    Value::Object(fields.collect())
}

#[actix::test]
async fn it_registers_with_all_that_it_is_and_says_goodbye_last() {
    for compressed in [false, true] {
        let (address, heard) = life_of_a_broker(compressed).await;
        let codes: Vec<_> = heard.iter().map(|command| command.code).collect();
        assert_eq!(codes, [request::REGISTER_BROKER, request::UNREGISTER_BROKER]);
        let identity = json!({"brokerName": "broker-a", "brokerAddr": address, "clusterName": "C", "brokerId": "0"});
        assert_eq!(fields(&heard[1]), identity);
        let mut registered = fields(&heard[0]);
        let besides = registered.as_object_mut().unwrap();
        let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
        assert_eq!(besides.remove("haServerAddr"), Some(format!("127.0.0.1:{}", port + 1).into()));
        assert_eq!(besides.remove("compressed"), Some(compressed.to_string().into()));
        let crc32 = besides.remove("bodyCrc32").unwrap().as_str().unwrap().parse().unwrap();
        assert_eq!(registered, identity);
        assert!(crc32 > 0 && crc_matches(&heard[0].body, crc32), "{crc32}");
        let body = RegisterBrokerBody::decode_registration(&heard[0].body, compressed).unwrap();
        let topics = body.topic_config_serialize_wrapper.topic_config_table;
        assert_eq!((topics["TBW102"].write_queue_nums, topics["TBW102"].perm.0), (8, 7));
    }
}
