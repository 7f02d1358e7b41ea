-- Damaged values are accepted by their kind.
alter table imports
    -- The codes of the problems whose values are imported as they are; null if accepts_doubtful says it for all of them.
    add column accepted_problems text[];
