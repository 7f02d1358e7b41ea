-- Damaged values are accepted by their kind, and hidden sheets are mentioned.
alter table imports
    -- The codes of the problems whose values are imported as they are; null if accepts_doubtful says it for all of them.
    add column accepted_problems text[],
    -- The hidden sheets of a spreadsheet that are not empty.
    add column hidden_sheets text[] not null default '{}';
