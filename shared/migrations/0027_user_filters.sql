-- A selection keeps its filter in the form that lists and batches share.

-- The conditions by name, or {"everyone": true}. The release before knows only `filter`, which has the words of the
-- console's address; each release takes a selection whose filter it does not know for one without a filter.
alter table selections add column user_filter jsonb;
