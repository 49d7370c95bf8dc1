//! Numbers called back by phone.

use afterbeep::store::call_backs::claim;

use super::house::house_with_mailbox;

#[tokio::test]
async fn a_day_has_so_many_call_backs_and_the_next_as_many_again() {
    let (house, mailbox) = house_with_mailbox().await;
    let may = async |day, most| claim(&house.db, &mailbox.id, day, most).await.unwrap();
    assert!(!may(1, 0).await);
    for day in [1, 2, 5] {
        for _ in 0..3 {
            assert!(may(day, 3).await);
        }
        assert!(!may(day, 3).await);
        assert!(!may(day, 2).await);
    }
    // A higher limit counts from the next call on.
    assert!(may(5, 4).await);
    assert!(!may(5, 4).await);
}

#[tokio::test]
async fn of_many_at_once_no_more_are_let_through() {
    let (house, mailbox) = house_with_mailbox().await;
    let asks = (0..30).map(|_| claim(&house.db, &mailbox.id, 7, 20));
    let let_through = futures::future::join_all(asks).await;
    assert_eq!(let_through.into_iter().filter(|it| *it.as_ref().unwrap()).count(), 20);
}
