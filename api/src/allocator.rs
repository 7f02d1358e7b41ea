//! The memory allocator: mimalloc, which returns freed memory to the operating system.
//!
//! Uploads and password checks run on their own threads, and glibc's allocator keeps the peak usage of each thread:
//! several times the memory in use after ten minutes of large uploads.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
