//! Journeys through the pages, in a real browser against the real system. One a file, named by
//! what happens.

mod the_api_is_read_about;

/// The windows in which every page must look well: a desk's and a telephone's.
pub(crate) const WIDTHS: [u32; 2] = [1280, 375];
