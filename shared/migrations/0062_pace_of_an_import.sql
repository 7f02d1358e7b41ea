-- The page of an import that is being checked or stored shows its rate and the time left.
alter table imports add column rows_per_second integer;
