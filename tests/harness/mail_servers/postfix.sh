#!/bin/sh
# Starts Postfix with the configuration in /run/server. Its queue is in /var and survives a restart.
set -eu
mkdir -p /var/lib/postfix /var/spool/postfix
cd /var/spool/postfix
mkdir -p active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved trace
chown postfix active bounce corrupt defer deferred flush hold incoming private saved trace /var/lib/postfix
chmod 700 active bounce corrupt defer deferred flush hold incoming private saved trace
chown postfix:postdrop maildrop public
chmod 1730 maildrop
chmod 2710 public
if [ ! -e /run/server/users ]; then
    printf geheim | saslpasswd2 -c -p -f /run/server/users -u relay.lerna.example beckon
    chown postfix /run/server/users
fi
rm -f pid/master.pid
exec /usr/lib/postfix/sbin/master -c /run/server -s
