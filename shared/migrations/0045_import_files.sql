-- Imports come from spreadsheets, too, and values that look damaged can be accepted.

alter table imports
    -- The kind of the file.
    add column format text not null default 'csv' check (format in ('csv', 'json', 'xlsx', 'xls', 'ods')),
    -- The sheet of a spreadsheet: the one that was asked for, then the one that was read.
    add column sheet text,
    -- Where the names of the columns are; what stands above is passed over.
    add column header_row integer not null default 1,
    -- Rows that the spreadsheet does not show. They are read like the others.
    add column hidden_row_count integer not null default 0,
    -- The rejected rows whose every problem may be accepted,
    add column doubtful_count integer not null default 0,
    -- and whether they were.
    add column accepts_doubtful boolean not null default false;
