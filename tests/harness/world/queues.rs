//! Looking into the world's queues, through RabbitMQ's own management API.

use serde_json::{Value, json};

use super::World;

impl World {
    /// Where the world's virtual host is.
    pub fn amqp_url(&self) -> &str {
        self.settings
            .iter()
            .find(|(name, _)| name == "AMQP_URL")
            .map_or("", |(_, url)| url)
    }

    /// Puts a message into a queue, whatever it says.
    ///
    /// # Panics
    ///
    /// When the broker does not take it.
    pub async fn put_message(&self, queue: &str, body: &str) {
        let message = json!({
            "properties": { "delivery_mode": 2 },
            "routing_key": queue,
            "payload": body,
            "payload_encoding": "string",
        });
        let answer = self
            .manage(&format!("exchanges/{}/amq.default/publish", self.name), message)
            .await;
        assert_eq!(answer["routed"], true, "{answer}");
    }

    /// The messages in a queue; they stay there.
    pub async fn messages(&self, queue: &str) -> Vec<Value> {
        let look = json!({ "count": 1000, "ackmode": "ack_requeue_true", "encoding": "auto" });
        let answer = self.manage(&format!("queues/{}/{queue}/get", self.name), look).await;
        answer.as_array().cloned().unwrap_or_default()
    }

    async fn manage(&self, path: &str, body: Value) -> Value {
        let Some(base) = self.stack().management_url() else {
            panic!("this needs a stack of its own")
        };
        let request = self
            .http
            .post(format!("{base}/{path}"))
            .basic_auth("guest", Some("guest"))
            .json(&body);
        match request.send().await {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(fault) => panic!("the broker's management did not answer: {fault}"),
        }
    }
}
