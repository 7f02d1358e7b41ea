-- A mailed password is stored with its final expiry, so its row needs no room for a second version.
-- since 0.1.0: changes no value and takes nothing away
alter table credentials reset (fillfactor);
