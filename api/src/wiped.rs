//! Collecting a body that may hold a password without leaving copies of it in freed memory.

use axum::body::Bytes;
use zeroize::{Zeroize as _, Zeroizing};

/// Appends a piece. A buffer that becomes too small is wiped, which growing a vector in place would not do.
pub(crate) fn append(bytes: &mut Zeroizing<Vec<u8>>, piece: &[u8]) {
    let length = bytes.len() + piece.len();
    if length > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(piece);
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
}
