//! Uses an allocator that costs less than glibc's where some threads allocate and others free, as happens
//! here for each mail, and that returns memory to the system.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
