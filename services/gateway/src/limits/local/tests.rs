use std::net::IpAddr;

use super::*;

const LIMIT: Limit = Limit { minute: 3, hour: 5 };

fn client(last: u8) -> Subject {
    Subject::address(1, IpAddr::from([192, 0, 2, last]))
}

fn at(limits: &Local, seconds: u64) -> Verdict {
    limits.count_at(client(1), LIMIT, Duration::from_secs(seconds))
}

#[test]
fn requests_are_counted_down_and_then_refused() {
    let limits = Local::new();
    assert_eq!(at(&limits, 0).remaining, 2);
    assert_eq!(at(&limits, 0).remaining, 1);
    assert_eq!(at(&limits, 1).remaining, 0);
    let refused = at(&limits, 1);
    assert!(!refused.allowed);
    assert_eq!((refused.limit, refused.remaining), (3, 0));
}

#[test]
fn a_refused_request_may_be_repeated_after_the_time_it_was_told() {
    let limits = Local::new();
    while at(&limits, 10).allowed {}
    let wait = u64::from(at(&limits, 10).reset_seconds);
    assert!(!at(&limits, 10 + wait - 2).allowed);
    assert!(at(&limits, 10 + wait).allowed);
}

#[test]
fn a_full_minute_still_weighs_on_the_next_one() {
    let limits = Local::new();
    while at(&limits, 59).allowed {}
    assert!(!at(&limits, 61).allowed, "no double rate over the boundary");
}

#[test]
fn the_hour_is_counted_beside_the_minute() {
    let limits = Local::new();
    let allowed = (0..10).filter(|minute| at(&limits, minute * 120).allowed);
    assert_eq!(allowed.count(), 5);
    assert_eq!(at(&limits, 1200).limit, 5);
}

#[test]
fn clients_and_rules_are_counted_apart() {
    let limits = Local::new();
    while at(&limits, 0).allowed {}
    let other_rule = Subject::address(2, IpAddr::from([192, 0, 2, 1]));
    for subject in [client(2), other_rule] {
        assert!(limits.count_at(subject, LIMIT, Duration::ZERO).allowed);
    }
}

#[test]
fn memory_stays_bounded_and_recent_clients_are_remembered() {
    let limits = Local::new();
    while at(&limits, 0).allowed {}
    for number in 0..300_000_u32 {
        let address = IpAddr::from(number.to_be_bytes());
        limits.count_at(Subject::address(1, address), LIMIT, Duration::ZERO);
        if number % 1000 == 0 {
            assert!(!at(&limits, 0).allowed);
        }
    }
    let held: usize = limits
        .shards
        .iter()
        .map(|shard| shard.lock().unwrap())
        .map(|shard| shard.young.len() + shard.old.len())
        .sum();
    assert!(held <= SHARDS * GENERATION * 2, "{held}");
}
