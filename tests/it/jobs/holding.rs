//! A job that takes long stays with its worker, and only as long as that lives.

use afterbeep::clock::Clock;
use afterbeep::jobs::hold;

use super::*;
use crate::call::words;

const LEASE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_worker_holds_its_job_beyond_the_first_lease_and_learns_when_it_is_lost() {
    // No model: the server itself leaves transcriptions alone.
    let house = House::start(DEAF);
    let id = leave(&house, &words(2)).await;
    let (db, clock) = (house.db().await, Clock::default());
    let claim = async || jobs::claim(&db, Kind::Transcribe, clock.now(), LEASE).await.unwrap();
    let mine = claim().await.expect("there is a job");
    let first = job(&db, Kind::Transcribe, id).await.unwrap().leased_until;
    {
        let beyond = until("the first lease is over", async || {
            assert_eq!(claim().await, None, "another worker got a job that is held");
            (clock.now() > first + LEASE).then_some(())
        });
        tokio::select! {
            () = beyond => {}
            () = hold(&db, &clock, &mine, LEASE) => panic!("it was not lost"),
        }
    }

    let other = until("the lease of a worker that is gone ends", claim).await;
    assert_eq!((&other.id, other.attempts), (&mine.id, 2));
    let lost = hold(&db, &clock, &mine, LEASE);
    tokio::time::timeout(PATIENCE, lost).await.expect("it is told that the job is lost");
    assert!(!jobs::finish(&db, &mine).await.unwrap(), "it can still speak for the job");
}
