//! Memory goes back to the system once it is free.
//!
//! Uploads are read and passwords checked on threads of their own, and glibc's allocator keeps what each of them has ever
//! needed at once: after ten minutes of large uploads, several times what is in use.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
