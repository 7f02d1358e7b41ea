#!/bin/sh
# Starts Dovecot in the foreground.
set -eu
mkdir -p /var/lib/dovecot /var/mail /run/dovecot
chown dovecot /var/mail
exec dovecot -F -c /run/server/dovecot.conf
