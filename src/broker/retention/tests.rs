use super::*;

const HOUR_MS: i64 = 3_600_000;
const NOW: i64 = 1_000_000 * HOUR_MS;

fn usage(log: u32, queues: u32) -> Usage {
    Usage { logs: vec![Some(log)], queues: Some(queues), index: Some(queues) }
}

/// Segments of 100 bytes, by hours since they were written to last.
fn row(hours: &[i64]) -> Vec<SegmentAge> {
    let age = |(number, hours): (u64, &i64)| SegmentAge {
        end: PhysicalOffset(100 * number),
        modified_ms: NOW - hours * HOUR_MS,
    };
    (1..).zip(hours).map(age).collect()
}

#[test]
fn a_round_has_a_cause_and_is_forced_by_space_alone() {
    let rules = RetentionRules { hours: vec![4, 16], ..RetentionRules::default() };
    let round = |cause, forced| Some(Round { cause, forced });
    for (log, queues, hour, expected) in [
        (10, 10, 3, None),
        (10, 10, 4, round(Cause::Hour, false)),
        (10, 10, 16, round(Cause::Hour, false)),
        (75, 75, 5, None),
        (76, 10, 5, round(Cause::Space, false)),
        (10, 76, 5, round(Cause::Space, false)),
        (85, 85, 5, round(Cause::Space, false)),
        (86, 10, 5, round(Cause::Space, true)),
        (10, 86, 5, round(Cause::Space, true)),
        (95, 10, 4, round(Cause::Hour, true)),
        (100, 100, 5, round(Cause::Space, true)),
    ] {
        assert_eq!(Retention::default().round(&rules, &usage(log, queues), hour), expected, "{log} {queues} {hour}");
    }
    let gentle = RetentionRules { forces: false, ..rules };
    assert_eq!(Retention::default().round(&gentle, &usage(100, 100), 5), round(Cause::Space, false));
}

/// Segments are made in turn in the directories of the log.
#[test]
fn the_emptiest_disk_of_the_log_counts() {
    let rules = RetentionRules::default();
    let shares = |logs: &[Option<u32>]| Usage { logs: logs.to_vec(), ..Usage::default() };
    for (logs, expected) in [
        (shares(&[Some(99), Some(20)]), None),
        (shares(&[Some(99), Some(80)]), Some(Round { cause: Cause::Space, forced: false })),
        (shares(&[Some(99), None]), Some(Round { cause: Cause::Space, forced: true })),
        // Of what could not be found out nothing follows.
        (shares(&[None]), None),
        (shares(&[]), None),
    ] {
        assert_eq!(Retention::default().round(&rules, &logs, 0), expected, "{logs:?}");
    }
}

#[test]
fn a_request_holds_for_twenty_rounds() {
    let (rules, mut retention) = (RetentionRules::default(), Retention::default());
    retention.request();
    for number in 0..20 {
        let round = retention.round(&rules, &usage(10, 10), if number == 7 { 4 } else { 5 });
        let cause = if number == 7 { Cause::Hour } else { Cause::Request };
        assert_eq!(round, Some(Round { cause, forced: false }), "{number}");
    }
    assert_eq!(retention.round(&rules, &usage(10, 10), 5), None);
}

#[test]
fn writes_are_refused_above_ninety_percent_until_there_is_room() {
    let rules = RetentionRules::default();
    let mut retention = Retention::default();
    let mut after_round = |log, queues| {
        retention.round(&rules, &usage(log, queues), 0);
        retention.is_full()
    };
    for (log, queues, expected) in [(90, 90, false), (91, 10, true), (88, 10, true), (86, 10, true), (85, 10, false)] {
        assert_eq!(after_round(log, queues), expected, "{log} {queues}");
    }
    assert!(after_round(10, 91) && after_round(10, 86) && !after_round(10, 85));
    let mut after_check = |log, queues| {
        retention.check(&rules, &usage(log, queues));
        retention.is_full()
    };
    for (log, queues, expected) in [(90, 90, false), (91, 10, true), (90, 10, false), (10, 91, true), (10, 90, false)] {
        assert_eq!(after_check(log, queues), expected, "{log} {queues}");
    }
    // What was true last is taken to be true while nothing is known.
    assert!(after_check(99, 10));
    retention.check(&rules, &Usage::default());
    retention.round(&rules, &Usage::default(), 0);
    assert!(retention.is_full());
}

#[test]
fn segments_go_by_age_in_their_order_and_ten_at_a_time() {
    let rules = RetentionRules::default();
    let by_age = Round { cause: Cause::Hour, forced: false };
    let forced = Round { cause: Cause::Space, forced: true };
    let end = PhysicalOffset(u64::MAX);
    let of = |round, hours: &[i64]| expired(round, &rules, NOW, end, &row(hours));
    assert_eq!(of(by_age, &[]), 0);
    assert_eq!(of(by_age, &[100, 72, 71, 200]), 2, "the first that stays keeps those behind it");
    assert_eq!(of(by_age, &[71, 200]), 0);
    assert_eq!(of(by_age, &[90; 25]), 10);
    assert_eq!(of(forced, &[100, 0, 0]), 3);
    assert_eq!(of(forced, &[0; 11]), 10);
    let row = row(&[90; 5]);
    assert_eq!(expired(by_age, &rules, NOW, PhysicalOffset(300), &row), 3, "queues and index need the others");
    assert_eq!(expired(forced, &rules, NOW, PhysicalOffset(299), &row), 2);
    let forever = RetentionRules { keep: Duration::MAX, ..rules };
    assert_eq!(expired(by_age, &forever, NOW, end, &row), 0);
}

#[test]
fn a_refusal_names_the_shares() {
    let refusal = full(&Usage { index: None, ..usage(91, 100) });
    assert_eq!(refusal.code, response::SERVICE_NOT_AVAILABLE);
    assert!(refusal.remark.contains("disk is full [CL:  0.91 CQ:  1.00 INDEX: -1.00], messages"), "{}", refusal.remark);
}
