#!/bin/sh
# Runs one mail server in its own mount and process namespaces, which end with it and leave nothing behind.
#
# $1 is the directory of unpacked packages, $2 the server's own directory, the rest a command. The packages are
# laid over /usr, and the server's directory is /run/server, with its own /var below it.
set -eu
packages=$1 own=$2
shift 2
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p "$own/var"
mount -t overlay overlay -o "lowerdir=$packages/usr:/usr" /usr
mount -t tmpfs tmpfs /run
mkdir /run/server
mount --bind "$own" /run/server
mount --bind /run/server/var /var
ln -sfn /run /var/run

# The users that the packages would have added.
number=800
for file in passwd group; do cp "/etc/$file" "/run/$file"; done
for name in postfix postdrop opensmtpd opensmtpq Debian-exim dovecot dovenull postgrey; do
    number=$((number + 1))
    printf '%s:x:%s:%s::/var/empty:/bin/false\n' "$name" "$number" "$number" >>/run/passwd
    printf '%s:x:%s:\n' "$name" "$number" >>/run/group
done
for file in passwd group; do mount --bind "/run/$file" "/etc/$file"; done

# A shell stays as the first process. The namespace ends with it, and it ends with the harness; a server that
# changes its user would no longer be told of the end of its parent.
"$@" &
server=$!
trap 'kill -TERM "$server"' TERM
code=0
wait "$server" || code=$?
# The wait also ends when the signal arrives.
while kill -0 "$server" 2>/dev/null; do
    code=0
    wait "$server" || code=$?
done
exit "$code"
