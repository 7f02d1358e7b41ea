//! Messages in our queues, from any publisher.

use shared::job::Job;

use crate::engine::Target;

const TARGET: Target = Target {
    name: "job_decoding",
    words: &[
        b"{",
        b"}",
        b"\"v\":1",
        b"\"v\":2",
        b"\"delivery\":",
        b"\"attempt\":",
        b"0",
        b"-1",
        b"2147483648",
        b"1e3",
        b"null",
        b"[",
        b"]",
        b",",
        b":",
        b"\"",
        b"\\u0000",
        b"\xff",
        b" ",
        b"\"attempt\":1,",
    ],
};

#[test]
fn any_message_is_a_job_or_is_rejected_with_a_reason() {
    TARGET.run(|bytes| match Job::decode(bytes) {
        Ok(job) => {
            assert!(job.attempt >= 1);
            assert_eq!(Job::decode(&job.encode()), Ok(job));
        }
        Err(fault) => {
            assert!(!fault.code().is_empty());
            let text = fault.to_string();
            assert!(text.len() < 200 && !text.contains(char::is_control), "{text:?}");
        }
    });
}
