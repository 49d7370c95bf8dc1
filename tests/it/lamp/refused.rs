//! Who is not told, and what they are answered.

use super::{lamp, settings};
use crate::call::signalling;
use crate::house::House;
use crate::phone::digest::Account;
use crate::phone::lamp::Lamp;
use crate::phone::{header, status};

const OWN: Account = Account { user: "1000", password: "secret", algorithm: "SHA-256" };

async fn ask(house: &House, at: &str, change: impl FnOnce(&mut Lamp)) -> (u16, String) {
    let mut lamp = Lamp::at(at, house.sip, "1000").await.unwrap();
    change(&mut lamp);
    let answer = lamp.subscribe(Some(600)).await.unwrap();
    (status(&answer), answer)
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_says_why() {
    let house = House::start(&settings("most_each = 2"));
    let here = "127.0.0.1:0";
    let (code, answer) = ask(&house, here, |it| it.extra = "Event: presence\r\n".into()).await;
    assert_eq!((code, header(&answer, "Allow-Events")), (489, Some("message-summary")));
    let (code, _) = ask(&house, here, |it| it.extra.clear()).await;
    assert_eq!(code, 489);
    let other = "Event: message-summary\r\nAccept: application/pidf+xml\r\n";
    assert_eq!(ask(&house, here, |it| it.extra = other.into()).await.0, 406);
    let nobody = |it: &mut Lamp| it.target = it.target.replace("1000", "4711");
    assert_eq!(ask(&house, here, nobody).await.0, 404);
    assert_eq!(ask(&house, here, |it| it.to += ";tag=never-given").await.0, 481);

    let mut brief = Lamp::at(here, house.sip, "1000").await.unwrap();
    let answer = brief.subscribe(Some(30)).await.unwrap();
    assert_eq!((status(&answer), header(&answer, "Min-Expires")), (423, Some("60")));

    let _two = (lamp(&house).await, lamp(&house).await);
    let (code, answer) = ask(&house, here, |_| {}).await;
    assert_eq!((code, header(&answer, "Retry-After")), (503, Some("300")));
}

#[tokio::test]
async fn nobody_is_told_for_being_near() {
    let house = House::start(&settings(""));
    // It may call, but is not believed; and one that is speaks for another phone.
    let there = ask(&house, "127.0.0.2:0", |_| {}).await.0;
    let missing =
        ask(&house, "127.0.0.2:0", |it| it.target = it.target.replace("1000", "4711")).await.0;
    assert_eq!((there, missing), (403, 403));
    let says = |who: &str| format!("P-Asserted-Identity: <sip:{who}@pbx.example>\r\n");
    assert_eq!(ask(&house, "127.0.0.1:0", |it| it.extra += &says("2000")).await.0, 403);
    assert_eq!(ask(&house, "127.0.0.1:0", |it| it.extra += &says("1000")).await.0, 200);
    assert_eq!(ask(&house, "127.0.0.2:0", |it| it.extra += &says("1000")).await.0, 403);
}

#[tokio::test]
async fn a_phone_with_a_password_is_told_of_its_own_mailbox_only() {
    for allow in ["", "\"127.0.0.0/8\""] {
        let (house, _folder) = signalling::house(|file| {
            format!(
                "allow = [{allow}]\n[[sip.accounts]]\nuser = \"1000\"\npassword_file = \"{file}\"\n"
            )
        });
        house.run(&["mailbox", "add", "2000", "--name", "Bob"]);
        let mut own = Lamp::at("127.0.0.1:0", house.sip, "1000").await.unwrap();
        own.account = Some(OWN);
        // Behind a NAT it does not know better.
        own.contact = "sip:1000@192.0.2.99:5060".to_owned();
        let answer = own.subscribe(Some(600)).await.unwrap();
        assert_eq!(status(&answer), 200, "{answer}");
        own.until("0/0 (0/0)").await.unwrap();
        let answer = own.subscribe(Some(600)).await.unwrap();
        assert_eq!(status(&answer), 200, "{answer}");

        let mut other = Lamp::at("127.0.0.1:0", house.sip, "2000").await.unwrap();
        other.account = Some(OWN);
        assert_eq!(status(&other.subscribe(Some(600)).await.unwrap()), 403);
        let none = ask(&house, "127.0.0.3:0", |_| {}).await.0;
        assert_eq!(none, 401);
        let wrong = Account { password: "guess", ..OWN };
        assert_eq!(ask(&house, "127.0.0.4:0", |it| it.account = Some(wrong)).await.0, 401);
    }
}

#[tokio::test]
async fn a_subscription_is_renewed_by_its_own_phone_and_in_order() {
    let house = House::start(&settings(""));
    let mut mine = lamp(&house).await;
    let mut thief = Lamp::at("127.0.0.2:0", house.sip, "1000").await.unwrap();
    thief.target.clone_from(&mine.target);
    thief.call_id.clone_from(&mine.call_id);
    (thief.from, thief.to) = (mine.from.clone(), mine.to.clone());
    thief.cseq = 10;
    assert_eq!(status(&thief.subscribe(Some(0)).await.unwrap()), 403);
    mine.cseq = 20;
    assert_eq!(status(&mine.subscribe(Some(600)).await.unwrap()), 200);
    mine.cseq = 5;
    assert_eq!(status(&mine.subscribe(Some(600)).await.unwrap()), 500);
}
