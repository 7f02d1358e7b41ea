//! Inspecting the world's queues as a client of RabbitMQ.

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Queue};

use super::World;
use crate::error::{HarnessError, Result};

/// Persistent (AMQP 0-9-1, basic content properties).
const PERSISTENT: u8 = 2;

/// A message in a queue.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its body.
    pub body: String,
    /// Whether it survives a restart of the broker.
    pub is_persistent: bool,
    /// Its text headers, by name.
    pub headers: Vec<(String, String)>,
}

impl Message {
    /// The text of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, text)| text.as_str())
    }
}

impl World {
    /// The URL of the world's virtual host.
    pub fn amqp_url(&self) -> &str {
        self.setting("AMQP_URL")
    }

    /// Publishes a message with any body to a queue.
    ///
    /// # Panics
    ///
    /// When the broker does not accept it.
    pub async fn put_message(&self, queue: &str, body: &str) {
        let put = async {
            let (_connection, channel) = open(self.amqp_url()).await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            let options = BasicPublishOptions {
                mandatory: true,
                ..Default::default()
            };
            let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
            let sent = channel.basic_publish("".into(), queue.into(), options, body.as_bytes(), properties);
            sent.await?.await
        };
        match put.await {
            Ok(Confirmation::Ack(None)) => {}
            other => panic!("{queue} did not take the message: {other:?}"),
        }
    }

    /// Number of ready messages in a queue.
    ///
    /// # Panics
    ///
    /// When there is no such queue.
    pub async fn message_count(&self, queue: &str) -> u32 {
        let count = async {
            let (_connection, channel) = open(self.amqp_url()).await?;
            Ok::<_, lapin::Error>(look_at(&channel, queue).await?.message_count())
        };
        match count.await {
            Ok(count) => count,
            Err(fault) => panic!("could not look at {queue}: {fault}"),
        }
    }

    /// How many consumers a queue has.
    ///
    /// # Panics
    ///
    /// When there is no such queue.
    pub async fn consumers_of(&self, queue: &str) -> u32 {
        let count = async {
            let (_connection, channel) = open(self.amqp_url()).await?;
            Ok::<_, lapin::Error>(look_at(&channel, queue).await?.consumer_count())
        };
        match count.await {
            Ok(count) => count,
            Err(fault) => panic!("could not look at {queue}: {fault}"),
        }
    }

    /// The messages in a queue. They stay there, but the broker counts each call as a delivery, so wait with
    /// [`World::message_count`] and call this once.
    ///
    /// # Panics
    ///
    /// When there is no such queue.
    pub async fn messages(&self, queue: &str) -> Vec<Message> {
        let read = async {
            // Unacknowledged messages are returned when the connection ends.
            let (_connection, channel) = open(self.amqp_url()).await?;
            let mut messages = Vec::new();
            while let Some(got) = channel.basic_get(queue.into(), BasicGetOptions::default()).await? {
                messages.push(message(&got.delivery.data, &got.delivery.properties));
            }
            Ok::<_, lapin::Error>(messages)
        };
        match read.await {
            Ok(messages) => messages,
            Err(fault) => panic!("could not read {queue}: {fault}"),
        }
    }

    /// Deletes a queue with everything in it.
    ///
    /// # Panics
    ///
    /// When the broker refuses.
    pub async fn delete_queue(&self, queue: &str) {
        let delete = async {
            let (_connection, channel) = open(self.amqp_url()).await?;
            channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await
        };
        if let Err(fault) = delete.await {
            panic!("could not delete {queue}: {fault}");
        }
    }
}

async fn open(url: &str) -> lapin::Result<(Connection, Channel)> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    Ok((connection, channel))
}

async fn look_at(channel: &Channel, queue: &str) -> lapin::Result<Queue> {
    let options = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    channel
        .queue_declare(queue.into(), options, FieldTable::default())
        .await
}

fn message(body: &[u8], properties: &BasicProperties) -> Message {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    let text = |value: &AMQPValue| match value {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    };
    Message {
        body: String::from_utf8_lossy(body).into_owned(),
        is_persistent: *properties.delivery_mode() == Some(PERSISTENT),
        headers: headers
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.to_string(), text(value)?)))
            .collect(),
    }
}

/// Removes what an earlier world left in a shared virtual host.
///
/// # Errors
///
/// When the broker does not answer.
pub(super) async fn clear(url: &str) -> Result<()> {
    let cleared = async {
        let (_connection, channel) = open(url).await?;
        for queue in ["beckon.interactive", "beckon.bulk", "beckon.parked"] {
            channel
                .queue_delete(queue.into(), QueueDeleteOptions::default())
                .await?;
        }
        Ok::<_, lapin::Error>(())
    };
    cleared
        .await
        .map_err(|fault| HarnessError::because("could not clear the queues of an earlier world", fault))
}
