-- A mailed password's expiry is set anew when the relay has accepted the mail. With room on the page, that update
-- touches no index. Pages that are already full stay as they are.
-- since 0.1.0: changes no value and takes nothing away
alter table credentials set (fillfactor = 45);
