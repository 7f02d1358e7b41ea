//! The memory allocator: jemalloc, which returns freed memory to the operating system at once.
//!
//! Under the attack of `make attack`, in which large uploads, password checks and a thousand connections come and go,
//! the process needs about 100 MiB. glibc and mimalloc keep the peak of each size and thread on top of that, and grow
//! for as long as it lasts.
//!
//! Its settings are compiled in (`JEMALLOC_SYS_WITH_MALLOC_CONF` in `.cargo/config.toml`): two arenas instead of four
//! for each core, no freed pages kept, and no caches per thread for allocations above 4 KiB.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(test)]
mod tests {
    /// A build that does not read `.cargo/config.toml` has jemalloc's defaults, which keep memory.
    #[test]
    fn the_settings_are_compiled_in() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        // Joined here, because the program would contain the whole text if this test did.
        let settings = ["narenas:2", "dirty_decay_ms:0", "muzzy_decay_ms:0"].join(",");

        let found = program
            .windows(settings.len())
            .any(|bytes| bytes == settings.as_bytes());

        assert!(found, "jemalloc has its default settings");
    }
}
