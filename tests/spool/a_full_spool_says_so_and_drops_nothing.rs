//! What does not fit is refused with the numbers; what was taken is sent, and then there is room again.

use ferromq::client::spool::SpoolError;
use ferromq::client::{ClientError, Sent, SpoolOptions};

use crate::place::{Place, drained, message};

#[actix::test]
async fn the_limit_is_kept_and_told() {
    let place = Place::new();
    let options = SpoolOptions { bytes_max: 50_000, ..place.spool() };
    let producer = place.client().await.producer("writers").start_spooled(options).await.unwrap();
    let mut taken = Vec::new();
    let error = loop {
        let body = format!("{:04} {}", taken.len(), "x".repeat(1_000));
        match producer.send(&message(&body)).await {
            Ok(_) => taken.push(body),
            Err(error) => break error,
        }
    };
    let ClientError::SpoolFull(full) = &error else { panic!("{error}") };
    let SpoolError::Full { bytes, limit, directory, .. } = &**full else { panic!("{error}") };
    assert_eq!((*bytes, *limit, directory), (producer.waiting().bytes, 50_000, &place.spool_directory()));
    assert!((48_000..=50_000).contains(bytes) && taken.len() > 35, "{} of {bytes}", taken.len());
    assert!(error.to_string().contains(&format!("is full: {bytes} of 50000 bytes are taken")), "{error}");
    // A shorter one finds room.
    assert!(matches!(producer.send(&message("short")).await, Ok(Sent::Spooled { .. })));
    let cluster = place.start().await;
    drained(&producer).await;
    taken.push("short".into());
    assert_eq!(place.stored("Orders", taken.len()).await, taken);
    producer.stop().await.unwrap();
    cluster.stop().await;
}
