//! Whoever connects beyond the limit is closed, those before are served, and who goes makes room.

use ferromq::protocol::codes::response;
use ferromq::protocol::command::{Command, Serialization};

use crate::raw::Raw;
use crate::served::{CODE, Served};

async fn is_served(served: &mut Served, client: &mut Raw) {
    client.send_as(Command::request(CODE), Serialization::Json).await;
    served.request().await.reply.succeed();
    assert_eq!(client.next().await.unwrap().code, response::SUCCESS);
}

#[actix::test]
async fn the_third_of_two_is_closed() {
    let mut served = Served::start_for(2);
    let address = served.server.local();
    let (mut first, mut second) = (Raw::connect(address).await, Raw::connect(address).await);
    is_served(&mut served, &mut first).await;
    is_served(&mut served, &mut second).await;
    assert!(Raw::connect(address).await.is_closed().await);
    is_served(&mut served, &mut first).await;
    drop(second);
    loop {
        let mut third = Raw::connect(address).await;
        third.send_as(Command::request(CODE), Serialization::Json).await;
        tokio::select! {
            request = served.request() => {
                request.reply.succeed();
                assert_eq!(third.next().await.unwrap().code, response::SUCCESS);
                break;
            }
            // The second one's end was not seen yet.
            closed = third.is_closed() => assert!(closed),
        }
    }
    served.stop().await;
}
