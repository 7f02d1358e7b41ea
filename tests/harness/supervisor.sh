# Supervises one stack: starts its servers on request and leaves nothing behind.
#
# Its standard input is the reading end of a pipe from the harness. When that pipe closes,
# for whatever reason (drop, Ctrl-C, kill -9), the servers are killed and the folder is removed.
# The harness starts it in a process group of its own, so a Ctrl-C at the terminal reaches
# neither it nor the servers. Every request is answered at once with one line; the harness,
# which can check readiness and knows the deadlines, does the waiting.
#
#   SUPERVISOR_PLACE     where the folder goes
#   SUPERVISOR_POSTGRES_BIN, SUPERVISOR_RABBITMQ_BIN, SUPERVISOR_EPMD
#   SUPERVISOR_POSTGRES_PORT, SUPERVISOR_AMQP_PORT, SUPERVISOR_DIST_PORT, SUPERVISOR_EPMD_PORT
#   SUPERVISOR_POSTGRES_OPTIONS    further options for postgres
#
# The harness writes `rabbitmq.conf`'s contents by the request `configure`, one line each.
set -u
# A write to a harness that is gone must not end the supervisor before it has cleaned up.
trap '' INT TERM HUP PIPE QUIT

postgres="" broker="" epmd="" ctl="" folder="" as=""

answer() { printf '%s\n' "$*" 2>/dev/null; }

# PostgreSQL refuses to run as root, so root's servers run as nobody.
choose_user() {
    [ "$(id -u)" = 0 ] || return 0
    command -v setpriv >/dev/null || {
        answer "failed: as root, setpriv (util-linux) is needed to run PostgreSQL as nobody"
        return 1
    }
    as="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"
}

# The server user may have no access to $SUPERVISOR_PLACE; /tmp is open to all.
make_folder() {
    for place in "$SUPERVISOR_PLACE" /tmp; do
        folder=$(mktemp -d "$place/beckon.XXXXXX" 2>/dev/null) || continue
        [ -z "$as" ] || chown "nobody:$(id -g nobody)" "$folder"
        # shellcheck disable=SC2086 # $as is several words
        if $as /usr/bin/env test -w "$folder/."; then
            $as mkdir "$folder/broker" "$folder/broker/home" "$folder/log"
            printf '[rabbitmq_management,rabbitmq_prometheus].\n' >"$folder/broker/enabled_plugins"
            : >"$folder/broker/env.conf"
            return 0
        fi
        rmdir "$folder"
    done
    folder=""
    answer "failed: could not make a folder in $SUPERVISOR_PLACE or /tmp"
    return 1
}

# Runs in the subshell that becomes a server. None of the supervisor's ends of pipes may
# reach it: a server that held one would keep the other side waiting.
become() {
    trap - INT TERM HUP PIPE QUIT
    cd "$folder" || exit 1
    exec </dev/null >>"log/$1" 2>&1
}

make_cluster() {
    # shellcheck disable=SC2086 # several words each
    $as $plain "$SUPERVISOR_POSTGRES_BIN/initdb" -D "$folder/postgres" -U postgres -A trust -E UTF8 \
        --no-sync --no-instructions --locale="$1"
}

start_postgres() {
    (
        become postgres
        plain="env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/nonexistent LANG=C"
        # C.UTF-8 knows letters beyond ASCII; where the system lacks it, C serves.
        if ! [ -e cluster-made ]; then
            make_cluster C.UTF-8 || { rm -rf "$folder/postgres" && make_cluster C; } || exit 1
            : >cluster-made
        fi
        ! [ -e leaving ] || exit 0
        # No socket in the file system: its path would have to be shorter than 107 bytes.
        # shellcheck disable=SC2086 # several words each
        exec $as $plain "$SUPERVISOR_POSTGRES_BIN/postgres" -D "$folder/postgres" -p "$SUPERVISOR_POSTGRES_PORT" \
            -h 127.0.0.1 -c unix_socket_directories= $SUPERVISOR_POSTGRES_OPTIONS
    ) &
    postgres=$!
}

# Becomes the broker's program "$@", in a clean environment, so that none of the caller's
# RABBITMQ_... or ERL_... settings reach a private broker, nor its files a system one.
become_broker_program() {
    # RUNNING_UNDER_SYSTEMD makes the start script become the Erlang machine, so that the
    # process id is the broker's and a kill reaches it.
    # shellcheck disable=SC2086 # $as is several words
    exec $as env -i "PATH=$(dirname "$SUPERVISOR_EPMD"):/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin" \
        LANG=C.UTF-8 "HOME=$folder/broker/home" RUNNING_UNDER_SYSTEMD=true \
        ERL_EPMD_ADDRESS=127.0.0.1 "ERL_EPMD_PORT=$SUPERVISOR_EPMD_PORT" \
        "RABBITMQ_NODENAME=beckon$SUPERVISOR_AMQP_PORT@localhost" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
        "RABBITMQ_NODE_PORT=$SUPERVISOR_AMQP_PORT" "RABBITMQ_DIST_PORT=$SUPERVISOR_DIST_PORT" \
        "RABBITMQ_MNESIA_BASE=$folder/broker/mnesia" "RABBITMQ_LOG_BASE=$folder/log" \
        "RABBITMQ_PID_FILE=$folder/broker/pid" "RABBITMQ_CONFIG_FILE=$folder/broker/rabbitmq" \
        "RABBITMQ_ENABLED_PLUGINS_FILE=$folder/broker/enabled_plugins" \
        "RABBITMQ_ADVANCED_CONFIG_FILE=$folder/broker/advanced.config" \
        "RABBITMQ_CONF_ENV_FILE=$folder/broker/env.conf" "$@"
}

start_broker() {
    # RabbitMQ would start a port mapper that outlives it, and that all stacks would share.
    if [ -z "$epmd" ]; then
        (
            become epmd
            # shellcheck disable=SC2086
            exec $as "$SUPERVISOR_EPMD" -port "$SUPERVISOR_EPMD_PORT" -address 127.0.0.1
        ) &
        epmd=$!
    fi
    (
        become broker
        # The waiting of idle Erlang schedulers costs a small machine dearly.
        become_broker_program \
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none" \
            "$SUPERVISOR_RABBITMQ_BIN/rabbitmq-server"
    ) &
    broker=$!
}

start_ctl() {
    rm -f "$folder/ctl-exit"
    (
        become ctl
        # shellcheck disable=SC2086 # the request's words
        (become_broker_program "$SUPERVISOR_RABBITMQ_BIN/rabbitmqctl" --timeout 20 $1)
        echo "exit $?" >ctl-exit
    ) &
    ctl=$!
}

# Whether process $1 lives. Children that ended look alive until the shell clears them away, which
# it does when it is asked for its jobs; that starts no further process, and this is asked often.
lives() {
    [ -n "$1" ] || return 1
    jobs >/dev/null
    kill -0 "$1" 2>/dev/null
}

process_of() {
    case "$1" in
        postgres) answer_pid=$postgres ;;
        broker) answer_pid=$broker ;;
        ctl) answer_pid=$ctl ;;
        *) answer_pid="" ;;
    esac
}

# Waits until process $1 is gone, at most $2 tenths of a second.
gone_within() {
    left=$2
    while lives "$1"; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1))
        sleep 0.1
    done
}

# Postgres must end in order, or a segment of shared memory stays with the system. Its
# immediate stop (QUIT) is in order; initdb has none, so that is waited for.
end_postgres() {
    left=150
    until [ -e "$folder/cluster-made" ] || ! lives "$postgres" || [ "$left" = 0 ]; do
        left=$((left - 1))
        sleep 0.1
    done
    kill -s QUIT "$postgres" 2>/dev/null
    gone_within "$postgres" 70 || kill -s KILL "$postgres" 2>/dev/null
}

# Everything here is deleted, so the broker gets no time to shut down in order.
leave_nothing() {
    [ -z "$folder" ] || : >"$folder/leaving"
    for process in $broker $ctl $epmd; do kill -s KILL "$process" 2>/dev/null; done
    [ -z "$postgres" ] || end_postgres
    # The whole group: what a start that was under way has spawned.
    kill -s TERM -- "-$$" 2>/dev/null
    for process in $broker $ctl $epmd; do gone_within "$process" 50; done
    [ -n "$folder" ] || return
    left=50
    until rm -rf "$folder" 2>/dev/null || [ "$left" = 0 ]; do
        left=$((left - 1))
        sleep 0.1
    done
}

obey() {
    case "$1" in
        configure) printf '%s\n' "$2" >>"$folder/broker/rabbitmq.conf" && answer ok ;;
        start)
            case "$2" in
                postgres) start_postgres ;;
                broker) start_broker ;;
            esac
            answer ok
            ;;
        ctl) start_ctl "$2" && answer ok ;;
        signal)
            process_of "${2#* }"
            if lives "$answer_pid"; then kill -s "${2%% *}" "$answer_pid"; fi
            answer ok
            ;;
        lives)
            process_of "$2"
            if lives "$answer_pid"; then
                answer yes
            else
                # The system may reuse its process id, and we must not kill another process.
                case "$2" in
                    postgres) postgres="" ;;
                    broker) broker="" ;;
                    ctl) ctl="" ;;
                esac
                answer no
            fi
            ;;
        ctl-exit) answer "$(cat "$folder/ctl-exit" 2>/dev/null || echo unfinished)" ;;
        wipe) rm -rf "$folder/broker/mnesia" && answer ok ;;
        *) answer "failed: unknown request $1" ;;
    esac
}

if choose_user && make_folder; then
    answer "$folder"
    while read -r request words; do
        obey "$request" "$words" || answer "failed: could not $request $words"
    done
fi
leave_nothing
