//! Messages that lie, limits of subscriptions, goodbyes.

mod desk;

use desk::{Desk, goodbye, open_rates};
use proptest::prelude::*;
use xos_protocol::{MESSAGE_BYTES_MAX, MessageHeader, MessageKind, SessionCode, Subscription};
use xos_server::{Client, ServerOptions};
use zerocopy::IntoBytes;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the bytes: a message, too few of them, or a refusal, and never more records than the length has.
    #[test]
    fn reading_any_bytes_never_goes_wrong(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..200),
        starts_well in any::<bool>(),
        count in any::<u16>(),
    ) {
        if starts_well && bytes.len() >= 32 {
            let header = MessageHeader::new(MessageKind::Commands, 1, 0, 96, count);
            bytes[..32].copy_from_slice(header.as_bytes());
        }
        match MessageHeader::read(&bytes, MESSAGE_BYTES_MAX) {
            Ok(Some(header)) => {
                let records = u32::from(header.record_bytes) * u32::from(header.count);
                prop_assert_eq!(header.length, 32 + records);
                prop_assert!(header.length <= MESSAGE_BYTES_MAX);
            }
            Ok(None) => prop_assert!(bytes.len() < 32),
            Err(bad) => prop_assert!(bad.value != bad.limit),
        }
    }
}

#[test]
fn subscriptions_are_bounded_and_a_goodbye_is_answered() {
    let desk = Desk::new(ServerOptions { subscriptions_max: 1, ..open_rates() });
    let mut anna = desk.anna();
    let wish = |level| Subscription { instrument: 1, level, ..Default::default() };
    anna.queue(MessageKind::Subscribe, 0, &[wish(2), wish(3)]);
    anna.send().expect("sent");
    let refused = loop {
        let (header, records) = anna.wait_message().expect("a message");
        if header.kind == MessageKind::Refused.code() {
            break xos_server::each::<xos_protocol::Refused>(&records).next().expect("a refusal");
        }
    };
    assert_eq!((refused.code, refused.limit), (SessionCode::TooManySubscriptions.code(), 1));
    anna.queue::<xos_protocol::Goodbye>(MessageKind::Goodbye, 0, &[Default::default()]);
    anna.send().expect("sent");
    let told = loop {
        match anna.wait_message() {
            Ok(_) => {}
            Err(error) => break goodbye(error),
        }
    };
    assert_eq!(told, Some(SessionCode::Farewell));
    let still: Result<Client, _> = Client::connect(desk.server.address(), desk::WAIT);
    assert!(still.is_ok());
}
