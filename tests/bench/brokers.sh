# Part of tests/bench/run: the brokers. Each has set_tcp_nodelay or its like on, and no disk in its way. The process group
# of a Mosquitto or NATS that was started last is in $broker, RabbitMQ's in $rabbit.

# takes_part NAME GROUP...: in turns of others than this contender or broker these process groups are stopped.
with=()
takes_part() {
    local name="$1" IFS=,
    shift
    with+=(--with "$name=$*")
}

# mosquitto_for NAME: its port is in $port.
mosquitto_for() {
    port="$(free_port)"
    cat >"$scratch/mosquitto-$1.conf" <<CONF
listener $port 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
persistence false
max_queued_messages 100000
max_inflight_messages 0
CONF
    start "mosquitto-$1" mosquitto -c "$scratch/mosquitto-$1.conf"
    until_it "mosquitto-$1" listens "$port"
    broker="$started"
    takes_part "mqtt://127.0.0.1:$port" "$broker"
}

# Node, name server and data of its own; its address is in $amqp. Not the program in the path, which changes to the user
# rabbitmq and its folders.
rabbitmq() {
    [ -z "${amqp:-}" ] || return 0
    local amqp_port epmd_port dist_port
    amqp_port="$(free_port)" epmd_port="$(free_port)" dist_port="$(free_port)"
    mkdir -p "$scratch/rabbit"
    : >"$scratch/rabbit/env"
    echo '[].' >"$scratch/rabbit/enabled_plugins"
    printf 'listeners.tcp.1 = 127.0.0.1:%s\ntcp_listen_options.nodelay = true\ndisk_free_limit.absolute = 1MB\nlog.console.level = warning\n' \
        "$amqp_port" >"$scratch/rabbit/rabbitmq.conf"
    start epmd epmd -port "$epmd_port" -address 127.0.0.1
    until_it epmd listens "$epmd_port"
    start rabbitmq env HOME="$scratch/rabbit" ERL_EPMD_PORT="$epmd_port" RABBITMQ_DIST_PORT="$dist_port" \
        RABBITMQ_NODENAME="bench-$amqp_port@localhost" RABBITMQ_CONFIG_FILE="$scratch/rabbit/rabbitmq.conf" \
        RABBITMQ_CONF_ENV_FILE="$scratch/rabbit/env" RABBITMQ_ENABLED_PLUGINS_FILE="$scratch/rabbit/enabled_plugins" \
        RABBITMQ_MNESIA_BASE="$scratch/rabbit/mnesia" RABBITMQ_LOG_BASE="$scratch/rabbit/log" RABBITMQ_LOGS=- \
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" /usr/lib/rabbitmq/bin/rabbitmq-server
    until_it rabbitmq listens "$amqp_port"
    rabbit="$started"
    takes_part "amqp://127.0.0.1:$amqp_port" "$rabbit"
    amqp="amqp://guest:guest@127.0.0.1:$amqp_port"
}

nats() {
    [ -z "${nats_url:-}" ] || return 0
    port="$(free_port)"
    start nats nats-server -a 127.0.0.1 -p "$port"
    until_it nats listens "$port"
    nats_url="nats://127.0.0.1:$port"
    broker="$started"
}
