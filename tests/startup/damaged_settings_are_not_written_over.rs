//! A JSON file that cannot be read: its copy is used, or nothing starts.

use std::fs;

use ferromq::actors::broker::Broker;
use ferromq::protocol::codes::{request, response};

use crate::raw::{Raw, ask_for, send_to};
use crate::refused_with_one_clear_line::{files, refused};
use crate::support::small;

const DAMAGED: [&str; 4] = ["{\"topicConfigTable\":{\"T\":{\"top", "", "\0\0\0\0", "[1, 2]"];

#[actix::test]
async fn without_a_copy_nothing_starts_and_nothing_is_written() {
    for name in ["topics.json", "subscriptionGroup.json", "consumerOffset.json"] {
        for text in DAMAGED {
            let directory = tempfile::tempdir().unwrap();
            let config = directory.path().join("store/config");
            fs::create_dir_all(&config).unwrap();
            fs::write(config.join(name), text).unwrap();
            let before = files(&config);
            refused(small(&directory), &[name, "cannot be used"]).await;
            assert_eq!(files(&config), before, "{name}: {text:?}");
        }
    }
}

#[actix::test]
async fn with_a_copy_the_topics_of_before_are_there() {
    for text in DAMAGED {
        let directory = tempfile::tempdir().unwrap();
        let broker = Broker::builder(small(&directory)).start().await.unwrap();
        let mut client = Raw::connect(broker.address()).await;
        // The second topic makes the file with the first one the copy.
        for topic in ["First", "Second"] {
            assert_eq!(client.ask(send_to(topic, 0, "", "x")).await.code, response::SUCCESS);
        }
        broker.stop().await.unwrap();
        fs::write(directory.path().join("store/config/topics.json"), text).unwrap();
        let broker = Broker::builder(small(&directory)).start().await.unwrap();
        let mut client = Raw::connect(broker.address()).await;
        let topics = client.ask(ask_for(request::GET_ALL_TOPIC_CONFIG, &[])).await;
        let topics = String::from_utf8(topics.body.to_vec()).unwrap();
        assert!(topics.contains("\"First\""), "{text:?}: {topics}");
        assert_eq!(client.ask(send_to("First", 0, "", "x")).await.ext.int64("queueOffset").unwrap(), 1);
        broker.stop().await.unwrap();
    }
}
