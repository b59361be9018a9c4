# Part of tests/bench/run: what is measured. Each row's contenders are taken in turns.

# Connections of 2,048 callers and 1,000 devices.
ulimit -n "$(ulimit -H -n)"

failed=()

# figures ROW COMMAND...: runs it and keeps its lines under the row's name. Beside this script, so that a signal is heard
# while it runs.
figures() {
    local row="$1"
    shift
    "$@" >"$scratch/figures" &
    # The rest is measured all the same.
    wait $! || failed+=("$row")
    sed "s/^{/{\"row\":\"$row\",/" "$scratch/figures" | tee -a "$results" | python3 "$here/line.py"
}

# in_turns ROW ARGUMENTS...: all rounds of one comparison.
in_turns() { once "$@" --rounds "$rounds"; }

# aside ROW ARGUMENTS...: the same of one that no goal is taken from: where all is measured for the record, once.
aside() { once "$@" --rounds "$aside_rounds"; }

# once ROW ARGUMENTS...: one round, where the turns are taken here.
once() {
    local row="$1"
    shift
    figures "$row" "$bench" "$@" --program "$program" "${with[@]}" --seconds "$seconds" --json
}

mosquitto_for thingcall
mosquitto="mqtt://127.0.0.1:$port"

if wanted acs3; then in_turns acs3 calls reference echo --broker "$mosquitto"; fi
if wanted v1; then in_turns v1 calls reference echo --broker "$mosquitto" --signature v1; fi
# It makes more than the usual 40,000 calls a second in its better hours.
if wanted embedded; then in_turns embedded calls reference --reference-broker "$mosquitto" --signed-per-second 80000; fi
if wanted sdk-qos; then
    for _ in $(seq "$rounds"); do
        # 50 ms between two calls of a device: after a longer rest its TCP would begin anew, without the delay.
        once sdk-qos-0 calls --like-sdk --devices 4 --rate 80
        once sdk-qos-1 calls --like-sdk --devices 4 --rate 80 --qos 1
        once sdk-qos-1-mosquitto calls --like-sdk --devices 4 --rate 80 --qos 1 --broker "$mosquitto"
    done
fi
if wanted async; then in_turns async calls reference --async --qos 1 --broker "$mosquitto"; fi
for rate in 500 2000; do
    if wanted "rate-$rate"; then in_turns "rate-$rate" calls reference --rate "$rate" --broker "$mosquitto"; fi
done
if wanted many; then
    for _ in $(seq "$rounds"); do
        once many-usual calls --broker "$mosquitto"
        once many-in-flight calls --broker "$mosquitto" --in-flight 2048
        once many-devices calls --broker "$mosquitto" --devices 1000
    done
fi
if wanted plugin; then in_turns plugin calls --plugin "$plugin" --inline --broker "$mosquitto"; fi
if wanted shared; then
    aside shared calls --shared --broker "$mosquitto"
    aside shared-async calls --shared --async --qos 1 --broker "$mosquitto"
fi
if wanted records; then aside records calls --records --broker "$mosquitto"; fi
if wanted records-5000; then
    aside records-5000 calls --records --rate 5000 --broker "$mosquitto"
fi
if wanted scaling; then in_turns scaling calls --scaling --broker "$mosquitto"; fi
if wanted growth; then in_turns growth growth --in-flight 64 --broker "$mosquitto"; fi
if wanted overload; then in_turns overload overload --in-flight 512 --broker "$mosquitto"; fi
if wanted system-calls; then
    for path in acs3 embedded; do figures system-calls "$here/syscalls" --json --program "$program" --bench "$bench" "$path"; done
fi
# 50 devices report beside 100 that are called; then reports alone, more and more of them.
if wanted posts; then
    aside posts calls --posts 5000
    aside posts-500 calls --posts 5000 --rate 500
    aside posts-mosquitto calls --posts 5000 --broker "$mosquitto"
    for rate in 5000 10000 20000 40000; do aside "posts-alone-$rate" posts --posts "$rate"; done
fi

# read_row ROW WHAT OPTIONS...: consumers of thingcall and of RabbitMQ, plain and with TLS.
read_row() {
    local row="$1" what="$2"
    shift 2
    rabbitmq
    aside "$row" "$what" --tls-cert "$certificate" --tls-key "$certificate_key" \
        --rabbit "$rabbit_plain" --rabbit-tls "$rabbit_tls" --rabbit-pid "$rabbit_pid" "$@"
}
for consumers in 1 10; do
    if wanted "messages-$consumers"; then read_row "messages-$consumers" messages --messages "$messages" --consumers "$consumers"; fi
done
# The kernel's huge pages would hold more than the connections do.
if wanted idle; then MIMALLOC_ALLOW_THP=0 read_row idle idle --consumers 2000; fi
if wanted amqp; then
    rabbitmq
    in_turns amqp calls reference --broker "$amqp"
fi

# peers_row ROW IN_FLIGHT RATE OPTIONS...
peers_row() {
    local row="$1" in_flight="$2" rate="$3"
    shift 3
    start_peers
    for _ in $(seq "$rounds"); do
        once "$row" calls reference peers --broker "$mosquitto" "${peer_options[@]}" "$@"
        if [ "$row" = peers ]; then once peers-embedded calls --signed-per-second 80000 "$@"; fi
        alone "${nats_alone[@]}"
        figures "$row" env -C "$peers/nats" NATS_URL="$nats_url" IN_FLIGHT="$in_flight" RATE="$rate" \
            SECONDS="$seconds" "$node" bare.js
        go_on
    done
}
if wanted peers; then peers_row peers 256 0; fi
for rate in 500 2000; do
    if wanted "peers-$rate"; then peers_row "peers-$rate" 256 "$rate" --rate "$rate"; fi
done
