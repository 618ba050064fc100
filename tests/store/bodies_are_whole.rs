//! Which bodies fit their check sums: all that the Java broker wrote, and none that was changed since.

use ferromq::protocol::units::PhysicalOffset;

use crate::fixture::{ALL, Fixture, entries, message_at, queue_of};

/// Where the records lie whose bodies do not fit their check sums, in a store that is opened here.
fn damaged(name: &str, like: &str) -> Vec<PhysicalOffset> {
    let expected = Fixture::unpack(like);
    let fixture = Fixture::unpack(name);
    let mut store = fixture.open();
    let mut damaged = Vec::new();
    let mut seen = 0;
    for row in expected.rows("queues") {
        let (topic, queue_id) = queue_of(row);
        for (_, entry) in entries(&mut store, &topic, queue_id) {
            let message = message_at(&store, &entry).unwrap();
            seen += 1;
            if message.check_body().is_err() {
                damaged.push(entry.physical);
            }
        }
    }
    assert_eq!(seen, expected.rows("messages").len(), "{name}");
    damaged
}

/// A flipped bit far below the place where a clean start begins to look is not seen before somebody checks the body.
#[test]
fn every_check_sum_fits_but_that_of_the_flipped_body() {
    let whole = Fixture::unpack("b0-clean-many-files");
    let flipped = Fixture::unpack("c4-body-flip-old-file-clean");
    let pairs = whole.rows("messages").iter().zip(flipped.rows("messages"));
    let other = pairs.filter(|(whole, flipped)| whole["bodySha256"] != flipped["bodySha256"]);
    let other: Vec<_> = other.map(|(_, row)| PhysicalOffset(row["physicalOffset"].as_u64().unwrap())).collect();
    assert_eq!(other.len(), 1, "{other:?}");
    for (name, like) in ALL {
        let wanted = if name.starts_with("c4") { other.clone() } else { Vec::new() };
        assert_eq!(damaged(name, like), wanted, "{name}");
    }
}
