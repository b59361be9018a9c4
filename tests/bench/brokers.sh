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

# A certificate for localhost that stands for itself; its files are in $certificate and $certificate_key.
certificate() {
    certificate="$scratch/cert.pem" certificate_key="$scratch/key.pem"
    [ -e "$certificate" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -config /dev/stdin \
        -keyout "$certificate_key" -out "$certificate" 2>"$scratch/openssl.log" <<'CONF'
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = localhost
[extensions]
basicConstraints = critical, CA:FALSE
subjectAltName = DNS:localhost
CONF
}

# Node, name server and data of its own, with AMQP 1.0 and TLS too; its address is in $amqp, those without a user in $rabbit_plain
# and $rabbit_tls, its process in $rabbit_pid. Not the program in the path, which changes to the user rabbitmq and its folders.
rabbitmq() {
    [ -z "${amqp:-}" ] || return 0
    local amqp_port amqps_port epmd_port dist_port
    certificate
    amqp_port="$(free_port)" amqps_port="$(free_port)" epmd_port="$(free_port)" dist_port="$(free_port)"
    mkdir -p "$scratch/rabbit"
    : >"$scratch/rabbit/env"
    echo '[rabbitmq_amqp1_0].' >"$scratch/rabbit/enabled_plugins"
    cat >"$scratch/rabbit/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$amqp_port
listeners.ssl.1 = 127.0.0.1:$amqps_port
ssl_options.certfile = $certificate
ssl_options.keyfile = $certificate_key
tcp_listen_options.nodelay = true
disk_free_limit.absolute = 1MB
log.console.level = warning
CONF
    start epmd epmd -port "$epmd_port" -address 127.0.0.1
    until_it epmd listens "$epmd_port"
    start rabbitmq env HOME="$scratch/rabbit" ERL_EPMD_PORT="$epmd_port" RABBITMQ_DIST_PORT="$dist_port" \
        RABBITMQ_NODENAME="bench-$amqp_port@localhost" RABBITMQ_CONFIG_FILE="$scratch/rabbit/rabbitmq.conf" \
        RABBITMQ_CONF_ENV_FILE="$scratch/rabbit/env" RABBITMQ_ENABLED_PLUGINS_FILE="$scratch/rabbit/enabled_plugins" \
        RABBITMQ_MNESIA_BASE="$scratch/rabbit/mnesia" RABBITMQ_LOG_BASE="$scratch/rabbit/log" RABBITMQ_LOGS=- \
        ERL_CRASH_DUMP_BYTES=0 RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" /usr/lib/rabbitmq/bin/rabbitmq-server
    until_it rabbitmq listens "$amqp_port"
    until_it rabbitmq listens "$amqps_port"
    rabbit="$started" rabbit_pid="$(pgrep -g "$started" -x beam.smp)"
    rabbit_plain="127.0.0.1:$amqp_port" rabbit_tls="127.0.0.1:$amqps_port"
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
