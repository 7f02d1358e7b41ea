use std::time::Duration;

use harness::relay::Step;

use super::*;

fn delivery(state: &str, unsure: bool) -> Delivery {
    Delivery {
        id: Uuid::new_v4(),
        email: Some("ada@example.org".to_owned()),
        state: state.to_owned(),
        unsure,
    }
}

fn mail_of(delivery: &Delivery) -> Transaction {
    Transaction {
        connection: 1,
        sender: String::new(),
        recipient: "ada@example.org".to_owned(),
        message: None,
        message_id: None,
        delivery: Some(delivery.id.to_string()),
        step: Step::Dot,
        reply: String::new(),
        reply_written: true,
        kept: true,
        after: Duration::ZERO,
    }
}

fn complaints(delivery: &Delivery, mails: usize) -> usize {
    let mut complaints = Complaints::default();
    let log = vec![mail_of(delivery); mails];
    complaints.check_mails(std::slice::from_ref(delivery), &log);
    complaints.list().len()
}

#[test]
fn a_sent_user_has_one_email() {
    let sent = delivery("sent", false);

    assert_eq!([0, 1, 2].map(|mails| complaints(&sent, mails)), [1, 0, 1]);
}

#[test]
fn an_unsure_attempt_allows_for_a_second_mail() {
    let unsure = delivery("sent", true);

    assert_eq!([0, 1, 2, 3].map(|mails| complaints(&unsure, mails)), [1, 0, 0, 1]);
}

#[test]
fn a_failed_user_has_no_email() {
    let failed = delivery("failed", false);

    assert_eq!([0, 1].map(|mails| complaints(&failed, mails)), [0, 1]);
}

#[test]
fn an_unexpected_email_is_reported() {
    let mut complaints = Complaints::default();

    complaints.check_mails(&[], &[mail_of(&delivery("sent", false))]);

    assert_eq!(complaints.list().len(), 1);
}
