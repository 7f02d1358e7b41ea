//! Collects a body that may hold a password without leaving copies in freed memory.

use axum::body::Bytes;
use zeroize::{Zeroize as _, Zeroizing};

/// Appends a piece. If the buffer must grow, the old one is wiped, which a growing vector does not do.
pub(crate) fn append(bytes: &mut Zeroizing<Vec<u8>>, piece: &[u8]) {
    let length = bytes.len() + piece.len();
    if length > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(piece);
}

/// Converts a body to text without a second copy; empty if it is not UTF-8.
pub(crate) fn into_text(mut bytes: Zeroizing<Vec<u8>>) -> Zeroizing<String> {
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Zeroizing::new(text),
        Err(fault) => {
            fault.into_bytes().zeroize();
            Zeroizing::default()
        }
    }
}

/// Wipes a piece of a body, unless the connection still reads into the same buffer.
pub(crate) fn wipe(piece: Bytes) {
    if let Ok(mut piece) = piece.try_into_mut() {
        piece.as_mut().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_and_a_full_buffer_is_replaced() {
        let mut bytes = Zeroizing::new(Vec::with_capacity(8));
        bytes.extend_from_slice(b"pass");
        let first = bytes.as_ptr();

        append(&mut bytes, b"word");
        assert_eq!(bytes.as_ptr(), first, "there was room");
        append(&mut bytes, b" and more");

        assert_eq!(bytes.as_slice(), b"password and more");
        assert_eq!(bytes.capacity(), 32);
    }

    #[test]
    fn a_text_is_the_same_memory_and_not_a_copy() {
        let bytes = Zeroizing::new(b"password".to_vec());
        let place = bytes.as_ptr();

        let text = into_text(bytes);

        assert_eq!((text.as_str(), text.as_ptr()), ("password", place));
        assert_eq!(into_text(Zeroizing::new(vec![0xff])).as_str(), "");
    }
}
