-- The history of a system email tells how many batches were sent with each version.

create index batches_version on batches (kind, version) where not is_test;
