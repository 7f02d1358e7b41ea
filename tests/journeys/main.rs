//! One scenario a file, named by what happens.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a scenario that does not go as told ends there"
)]

mod a_batch_brakes_itself;
mod a_batch_is_watched;
mod a_batch_starts_at_its_time;
mod a_batch_waits_a_day;
mod a_beat_goes_the_whole_way;
mod a_client_hangs_up;
mod a_confirm_is_lost;
mod a_file_is_looked_at_before_it_is_stored;
mod a_hold_can_be_undone;
mod a_large_body_breaks_off;
mod a_letter_is_tried_out;
mod a_list_is_read_in_pages;
mod a_log_names_nobody;
mod a_mail_given_back_at_once_is_not_lost;
mod a_mail_is_given_up;
mod a_mail_is_late;
mod a_mail_waits_too_long;
mod a_mailed_password_signs_in;
mod a_password_ends;
mod a_password_is_only_in_its_mail;
mod a_person_changes;
mod a_person_is_sent_many_passwords;
mod a_poison_message_is_parked;
mod a_process_has_few_files;
mod a_program_dies_after_any_step;
mod a_queue_does_not_answer;
mod a_queue_is_deleted;
mod a_queue_is_full;
mod a_stop_finishes_started_mail;
mod a_system_email_is_changed;
mod a_worker_cannot_record;
mod a_worker_crashes_in_a_circle;
mod a_worker_is_frozen;
mod a_worker_is_killed;
mod all_workers_die_and_the_broker_restarts;
mod an_address_is_blocked;
mod an_answer_of_postgres_is_lost;
mod an_import_is_undone;
mod an_import_keeps_nobody_waiting;
mod an_invite_arrives;
mod an_older_database_is_restored;
mod an_upgrade_under_load;
mod batches_take_turns;
mod by_hand;
mod clocks_jump;
mod details_are_dropped;
mod everybody_signs_in_at_once;
mod everything_is_restarted_in_turn;
mod faulty_rows_are_named;
mod history_slows_nothing;
mod mail_is_stalled;
mod names_come_from_everywhere;
mod nobody_waits_behind_a_batch;
mod one_mail_cannot_be_made;
mod one_mail_is_one_trace;
mod one_mail_leaves_at_once;
mod one_person_is_owed_twice;
mod one_worker_cannot_reach_the_relay;
mod pause_resume_and_stop_tell_the_truth;
mod people_are_found;
mod postgres_is_slow;
mod postgres_takes_no_writes;
mod requests_use_up_their_connections;
mod some_answers_drip;
mod somebody_does_not_let_us_in;
mod somebody_is_woken;
mod staging;
mod the_broker_is_lost;
mod the_broker_takes_a_job_back;
mod the_broker_takes_no_messages;
mod the_database_is_lost;
mod the_line_to_the_broker_goes_dead;
mod the_line_to_the_relay_is_not_private;
mod the_rate_holds;
mod the_relay_hangs_up;
mod the_relay_is_down;
mod the_relay_is_slow;
mod the_relay_refuses;
mod the_relay_says_later;
mod the_relay_talks_nonsense;
mod the_reply_to_a_commit_is_lost;
mod the_same_job_twice;
mod the_same_request_twice;
mod the_schema_is_of_another_release;
mod two_apis_share_a_database;
mod two_writes_wait_for_each_other;
mod what_is_done_is_on_record;
mod what_runbooks_ask_is_answered;
mod who_is_left_out_is_counted;

/// The tests' way to write JSON.
pub(crate) use serde_json::json;
