//! In a broadcast each member gets all messages, and goes on where it was by itself.

use ferromq::client::{Begin, Client, ConsumerOptions, PushConsumer, Verdict, Wanted};
use ferromq::protocol::body::heartbeat::MessageModel;

use crate::inbox::{Inbox, client, numbered, send};
use crate::support::Cluster;

async fn member(client: &Client, folder: &std::path::Path, inbox: &Inbox) -> PushConsumer {
    let model = MessageModel::Broadcasting;
    let options = ConsumerOptions { begin: Begin::First, model, ..ConsumerOptions::default() };
    let builder = client.push_consumer("readers").options(options).subscribe("Orders", Wanted::All);
    builder.offsets_folder(folder).start(inbox.listener()).await.unwrap()
}

#[actix::test]
async fn each_member_gets_all_and_goes_on_where_it_was() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..20)).await;
    let (first_client, second_client) = (client(&cluster).await, client(&cluster).await);
    let (first_inbox, second_inbox) = (Inbox::default(), Inbox::default());
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let first = member(&first_client, folders[0].path(), &first_inbox).await;
    let second = member(&second_client, folders[1].path(), &second_inbox).await;
    first_inbox.holds(20).await;
    second_inbox.holds(20).await;
    assert_eq!((first_inbox.sorted(), second_inbox.sorted()), (numbered(0..20), numbered(0..20)));
    first.stop().await.unwrap();
    send(&cluster, "Orders", &numbered(20..40)).await;
    second_inbox.holds(40).await;
    second.stop().await.unwrap();

    let again = Inbox::default();
    // Another client of this machine, as after a restart.
    let first = member(&client(&cluster).await, folders[0].path(), &again).await;
    again.holds(20).await;
    first.stop().await.unwrap();
    assert_eq!(again.sorted(), numbered(20..40));
    cluster.stop().await;
}

#[actix::test]
async fn what_is_not_consumed_does_not_come_again() {
    let cluster = Cluster::start().await;
    send(&cluster, "Orders", &numbered(0..4)).await;
    let (inbox, client, folder) = (Inbox::default(), client(&cluster).await, tempfile::tempdir().unwrap());
    let model = MessageModel::Broadcasting;
    let options = ConsumerOptions { begin: Begin::First, model, ..ConsumerOptions::default() };
    let builder = client.push_consumer("readers").options(options).subscribe("Orders", Wanted::All);
    let seen = inbox.clone();
    let listener = move |delivery| {
        seen.take_in(delivery);
        std::future::ready(Verdict::LATER)
    };
    let consumer = builder.offsets_folder(folder.path()).start(listener).await.unwrap();
    inbox.holds(4).await;
    consumer.stop().await.unwrap();
    let rest = Inbox::default();
    let consumer = member(&client, folder.path(), &rest).await;
    send(&cluster, "Orders", &numbered(4..8)).await;
    rest.holds(4).await;
    consumer.stop().await.unwrap();
    assert_eq!(rest.sorted(), numbered(4..8));
    cluster.stop().await;
}
