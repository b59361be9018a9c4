# Part of tests/bench/run: what else one could use, each a front that listens for HTTP and, where it has words of its own,
# a process that plays the devices.

peer_options=()

answers() {
    curl -sf -m 9 -H 'content-type: application/json' -d '{"device":"sim-0007","param1":7}' "http://127.0.0.1:$1/" |
        grep -q '"param1": *7'
}

# peer NAME FOLDER COMMAND...: starts a front in its folder and waits until a device answers through it. It takes its turns
# together with $broker and its devices.
peer() {
    local name="$1" folder="$2" port
    shift 2
    port="$(free_port)"
    start "$name" env -C "$peers/$folder" PORT="$port" "$@"
    until_it "$name" answers "$port"
    peer_options+=(--peer "$name=http://127.0.0.1:$port,$started")
    takes_part "$name" "$started" "$broker" "$devices"
}

# devices_of NAME FOLDER COMMAND...: starts what plays its devices.
devices_of() {
    local name="$1" folder="$2"
    shift 2
    start "$name-devices" env -C "$peers/$folder" "$@"
    devices="$started"
}

start_peers() {
    [ ${#peer_options[@]} = 0 ] || return 0
    export NODE_ENV=production
    local port

    nats
    devices_of nats nats NATS_URL="$nats_url" "$node" devices.js
    nats_alone=("$broker" "$devices")
    peer nats-http nats NATS_URL="$nats_url" "$node" front.js

    mosquitto_for moleculer
    devices_of moleculer-mqtt moleculer MQTT_URL="mqtt://127.0.0.1:$port" "$node" devices.js
    peer moleculer-mqtt moleculer MQTT_URL="mqtt://127.0.0.1:$port" "$node" front.js

    rabbitmq
    broker="$rabbit"
    devices_of moleculer-amqp moleculer TRANSPORTER=amqp AMQP_URL="$amqp" "$node" devices.js
    peer moleculer-amqp moleculer TRANSPORTER=amqp AMQP_URL="$amqp" "$node" front.js

    mosquitto_for nestjs
    devices_of nestjs nestjs MQTT_URL="mqtt://127.0.0.1:$port" "$node" built/devices.js
    peer nestjs nestjs MQTT_URL="mqtt://127.0.0.1:$port" "$node" built/front.js

    mosquitto_for fastapi
    devices_of fastapi . "$bench" devices --broker "mqtt://127.0.0.1:$port"
    peer fastapi fastapi MQTT_PORT="$port" sh -c 'exec venv/bin/uvicorn app:app --host 127.0.0.1 --port "$PORT" \
        --loop uvloop --http httptools --no-access-log --log-level warning --timeout-keep-alive 65 --backlog 4096'

    mosquitto_for node-red
    devices_of node-red . "$bench" devices --broker "mqtt://127.0.0.1:$port"
    peer node-red node-red MQTT_PORT="$port" "$node" node_modules/node-red/red.js \
        -s settings.cjs -u "$scratch/node-red" flows.json
}
