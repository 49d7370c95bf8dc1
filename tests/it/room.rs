//! Who may leave a message, and which message gives way: every combination.

use afterbeep::mailbox::{
    Caller, Folder, MessageId, Timestamp,
    room::{Door, Lying, MadeRoom, door, excess, giving_way},
};
use proptest::prelude::*;
use uuid::Uuid;

#[test]
fn the_door_in_every_combination() {
    use Door::{Announcement, Full, Open};
    // Limit, messages, fixed ones, whether it rotates.
    let cases = [
        (0, 0, 0, true, Announcement),
        (0, 5, 0, true, Announcement),
        (0, 5, 5, false, Announcement),
        (3, 0, 0, true, Open),
        (3, 2, 2, true, Open),
        (3, 2, 2, false, Open),
        (3, 3, 0, true, Open),
        (3, 3, 2, true, Open),
        (3, 3, 3, true, Full),
        (3, 3, 0, false, Full),
        (3, 9, 2, true, Open),
        (3, 9, 3, true, Full),
        (3, 9, 0, false, Full),
    ];
    for (limit, count, fixed, rotates, expected) in cases {
        let case = (limit, count, fixed, rotates);
        assert_eq!(door(count, fixed, limit, rotates), expected, "{case:?}");
    }
}

/// Heard, urgent, owed a mail, older: each against each, with everything else the same or worse.
#[test]
fn the_order_in_every_combination() {
    let all: Vec<Lying> = (0..16_u8)
        .map(|bits| Lying {
            folder: if bits & 8 == 0 { Folder::Saved } else { Folder::New },
            urgent: bits & 4 != 0,
            owed: bits & 2 != 0,
            received: Timestamp(i64::from(bits & 1)),
            ..lying(u128::from(bits))
        })
        .collect();
    let mut mixed = all.clone();
    mixed.reverse();
    mixed.swap(2, 9);
    for limit in 1..=17 {
        let gone = giving_way(mixed.clone(), excess(16, limit, true));
        assert_eq!(gone, all[..17 - limit], "limit {limit}");
    }
}

#[test]
fn what_does_not_rotate_is_fixed_or_takes_nothing_keeps_everything() {
    let three = || (0..3).map(lying).collect::<Vec<_>>();
    assert_eq!(excess(3, 3, false), 0);
    assert_eq!(excess(3, 0, true), 0);
    assert_eq!(excess(3, 4, true), 0);
    assert_eq!(excess(3, 3, true), 1);
    assert_eq!(giving_way(three(), 0), []);
    let mut fixed = three();
    fixed[0].fixed = true;
    fixed[2].fixed = true;
    assert_eq!(giving_way(fixed, 3), [lying(1)]);
}

#[test]
fn owners_are_warned_at_four_fifths_when_full_and_of_what_gave_way() {
    assert_eq!(MadeRoom::told(78, 100, &[]), None);
    let told = MadeRoom::told(79, 100, &[]).unwrap();
    assert_eq!((told.used, told.is_full()), (80, false));
    assert!(MadeRoom::told(99, 100, &[]).unwrap().is_full());
    let told = MadeRoom::told(100, 100, &[lying(7)]).unwrap();
    assert_eq!((told.used, told.rotated[0].id), (100, lying(7).id));
    assert!(MadeRoom::told(0, 1, &[]).unwrap().is_full());
    assert_eq!(MadeRoom::told(0, 0, &[]), None, "a copy, where no caller leaves any");
}

proptest! {
    /// Nobody heard before unheard gives way to an unheard one, nothing fixed ever goes, no more go
    /// than are needed, and they are those that were there.
    #[test]
    fn rotation_takes_no_more_than_it_needs(
        bits in prop::collection::vec(0_u8..32, 0..40),
        limit in 0_usize..45,
        rotates: bool,
    ) {
        let all: Vec<_> = bits.iter().zip(0..).map(|(bits, nth)| Lying {
            folder: if bits & 8 == 0 { Folder::Saved } else { Folder::New },
            urgent: bits & 4 != 0,
            owed: bits & 2 != 0,
            fixed: bits & 16 != 0,
            ..lying(nth)
        }).collect();
        let excess = excess(all.len(), limit, rotates);
        let gone = giving_way(all.clone(), excess);
        prop_assert!(gone.len() <= excess);
        prop_assert!(gone.iter().all(|it| !it.fixed && all.contains(it)));
        let left: Vec<_> = all.iter().filter(|it| !gone.contains(it)).collect();
        if rotates && limit > 0 && gone.len() < excess {
            prop_assert!(left.iter().all(|it| it.fixed), "there was one more to go");
        }
        if gone.iter().any(|it| it.folder == Folder::New) {
            prop_assert!(left.iter().all(|it| it.fixed || it.folder == Folder::New));
        }
    }
}

fn lying(nth: u128) -> Lying {
    Lying {
        id: MessageId(Uuid::from_u128(nth)),
        caller: Caller::default(),
        received: Timestamp(0),
        folder: Folder::Saved,
        urgent: false,
        owed: false,
        fixed: false,
    }
}
