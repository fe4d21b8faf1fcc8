use std::net::SocketAddr;

use testkit::wait::eventually;

use super::*;

/// An upstream with names, and what they stand for, to be changed.
fn upstream() -> (Arc<Upstream>, Arc<Mutex<Vec<SocketAddr>>>, Lifecycle) {
    let lifecycle = Lifecycle::default();
    let told = Arc::new(Mutex::new(vec![socket(1), socket(2)]));
    let answers = Arc::clone(&told);
    let names = Names::known_to(move |host| {
        assert_eq!(host, "service.internal");
        Ok(answers.lock().unwrap().clone())
    });
    let target = Target::parse("http://service.internal:80").unwrap();
    (
        Upstream::begin(vec![target], names, &lifecycle),
        told,
        lifecycle,
    )
}

fn socket(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 80))
}

/// Waits until the upstream is at these addresses.
async fn at(upstream: &Upstream, sockets: &[SocketAddr]) -> Arc<Vec<Arc<Address>>> {
    let deadline = Duration::from_mins(5);
    eventually("the addresses", deadline, async || {
        let addresses = upstream.addresses();
        let found = addresses.iter().map(|address| address.socket());
        found.eq(sockets.iter().copied()).then_some(addresses)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn names_are_looked_up_again_and_known_addresses_keep_their_connections() {
    let (upstream, told, lifecycle) = upstream();
    let before = at(&upstream, &[socket(1), socket(2)]).await;
    *told.lock().unwrap() = vec![socket(3), socket(2)];
    let after = at(&upstream, &[socket(2), socket(3)]).await;
    assert!(Arc::ptr_eq(&before[1], &after[0]), "the one that stays");
    lifecycle.stop();
}

#[tokio::test(start_paused = true)]
async fn a_look_up_without_an_answer_changes_nothing() {
    let (upstream, told, lifecycle) = upstream();
    at(&upstream, &[socket(1), socket(2)]).await;
    told.lock().unwrap().clear();
    tokio::time::sleep(RESOLVE_EVERY * 3).await;
    at(&upstream, &[socket(1), socket(2)]).await;
    lifecycle.stop();
}
