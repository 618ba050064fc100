//! What a name server serves is what RocketMQ's serves; other codes are answered: nobody should have to time out.

use ferromq::protocol::codes::response;

use crate::by_hand::Alone;
use crate::raw::ask_for;

/// # Source
/// The cases of `DefaultRequestProcessor.processRequest` of the name server 4.9.7 (read).
const OF_THE_REFERENCE: [i32; 20] =
    [100, 101, 102, 103, 104, 105, 106, 205, 206, 216, 219, 224, 304, 311, 312, 313, 318, 319, 322, 327];

#[actix::test]
async fn every_other_code_is_not_supported() {
    let alone = Alone::start().await;
    let mut client = alone.connect().await;
    let others = [i32::MIN, -1, 9_999, 200_050, i32::MAX].into_iter().chain(0..1_100);
    for code in others.filter(|code| !OF_THE_REFERENCE.contains(code)) {
        let reply = client.ask(ask_for(code, &[])).await;
        let text = format!(" request type {code} not supported");
        assert_eq!((reply.code, reply.remark), (response::REQUEST_CODE_NOT_SUPPORTED, Some(text)));
    }
    for code in OF_THE_REFERENCE {
        let reply = client.ask(ask_for(code, &[])).await;
        assert_ne!(reply.code, response::REQUEST_CODE_NOT_SUPPORTED, "{code}");
    }
    alone.stop().await;
}
