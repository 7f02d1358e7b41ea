//! Parking messages that are not valid jobs.

use super::channel::{confirm_select, within};
use super::error::QueueError;
use super::publish::PERSISTENT;
use super::session::Brokers;
use super::topology::PARKED;
use crate::job::JobFault;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Confirmation};

/// Parks a message that is not a valid job, with the reason in its headers.
///
/// Opens a separate connection: parking is rare, and a publisher on the consumer's connection would let a memory
/// alarm delay acknowledgements.
///
/// # Errors
///
/// The broker did not confirm. The message is still in its queue; try again later.
pub async fn park(brokers: &Brokers, from: &str, body: &[u8], fault: &JobFault) -> Result<(), QueueError> {
    let mut session = brokers.connect("beckon: parking a message").await?;
    let channel = session.channel().await?;
    confirm_select(&channel).await?;
    let mut headers = FieldTable::default();
    for (name, text) in [
        ("x-beckon-reason", fault.to_string()),
        ("x-beckon-queue", from.to_owned()),
    ] {
        headers.insert(name.into(), AMQPValue::LongString(text.into()));
    }
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers);
    let options = BasicPublishOptions {
        mandatory: true,
        ..Default::default()
    };
    let published = channel.basic_publish("".into(), PARKED.into(), options, body, properties);
    let confirm = within("park a message", published).await?;
    let answer = within("park a message", confirm).await?;
    session.close().await;
    match answer {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Nack(_) => Err(QueueError::Refused { queue: PARKED }),
        _ => Err(QueueError::Missing { queue: PARKED }),
    }
}
