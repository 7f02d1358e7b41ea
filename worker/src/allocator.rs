//! An allocator that costs less than glibc's where many threads allocate and others free, as here with each mail, and
//! that gives memory back.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
