#!/bin/sh
# Starts postgrey, which accepts a mail from one second after its first attempt.
set -eu
mkdir -p /var/lib/postgrey
chown postgrey /var/lib/postgrey
exec postgrey --inet="127.0.0.1:$(cat /run/server/port)" --delay=1 --dbdir=/var/lib/postgrey \
    --whitelist-clients=/dev/null --whitelist-recipients=/dev/null --user=postgrey --group=postgrey
