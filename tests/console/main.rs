//! Journeys through the pages, in a real browser against the real system. One per file, named by what happens;
//! `every_page` visits all pages.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a journey that fails ends there"
)]

mod a_batch_has_its_own_wording;
mod a_batch_is_followed;
mod a_batch_is_paused;
mod a_batch_is_scheduled;
mod a_batch_is_stopped;
mod a_batch_is_undone;
mod a_file_cannot_be_read;
mod a_file_is_imported;
mod a_key_is_seen_once;
mod a_large_file_is_uploaded;
mod a_password_of_ones_own;
mod a_session_ends_meanwhile;
mod a_spreadsheet_is_imported;
mod a_stall_is_shown_on_every_page;
mod a_system_email_is_edited;
mod a_test_is_sent_to_oneself;
mod a_user_is_locked;
mod a_user_is_looked_after;
mod a_wrong_password_is_reported;
mod administrators_let_each_other_in;
mod an_address_is_unblocked;
mod an_administrator_signs_in;
mod an_email_has_languages;
mod an_import_is_taken_back;
mod an_import_takes_its_time;
mod an_old_letter_comes_back;
mod an_upload_goes_wrong;
mod another_site_sends_a_form;
mod choices_wait_for_a_button;
mod columns_are_mapped;
mod every_page;
mod files;
mod from_an_alert_to_the_relays_words;
mod mailed_passwords_are_revoked;
mod missing_values_are_reported;
mod one_mail_has_a_story;
mod only_totals_are_left;
mod passwords_are_tried_slowly;
mod people_are_chosen_and_sent_to;
mod people_are_left_out;
mod the_api_is_read_about;
mod the_audit_log_is_read;
mod the_whole_way;
mod two_people_edit_one_letter;
mod users_are_filtered;
mod what_failed_is_sent_again;
mod what_was_sent_is_found;

use harness::browser::{self, Browser};
use harness::{Setup, World};

/// A desktop window.
pub(crate) fn desk() -> browser::Setup {
    browser::Setup::default()
}

/// A phone window.
pub(crate) fn telephone() -> browser::Setup {
    browser::Setup::default().width(375)
}

/// The windows in which every journey must work: the two that differ most. `the_whole_way` runs in all four, and
/// `every_page` checks each page in them.
pub(crate) fn windows() -> [browser::Setup; 2] {
    [desk(), telephone().without_scripting()]
}

/// A world without workers, for journeys that send no mail.
pub(crate) async fn a_quiet_world() -> World {
    World::with(Setup::default().workers(0)).await
}

/// Opens a page of the console.
pub(crate) async fn go(browser: &Browser, world: &World, path: &str) {
    browser.open(&format!("{}{path}", world.base())).await;
}
