#!/bin/sh
# Starts OpenSMTPD in the foreground.
set -eu
mkdir -p /var/empty /var/lib/opensmtpd/empty /var/spool/smtpd
chmod 711 /var/spool/smtpd
exec smtpd -d -f /run/server/smtpd.conf
