# Part of the scripts here: what they install, start and end.

# install_missing PROGRAM:PACKAGE...
install_missing() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
    done
    [ ${#missing[@]} = 0 ] || tests/install "${missing[@]}"
}

# Everything that is started is in a process group of its own, and ends with this script.
scratch="$(mktemp -d)"
groups=()
end_all() {
    trap - EXIT INT TERM
    kill $(jobs -p) 2>/dev/null || true
    for group in "${groups[@]}"; do kill -TERM -- "-$group" 2>/dev/null || true; done
    # One that is stopped hears it when it goes on.
    go_on
    for _ in $(seq 50); do
        alive=0
        for group in "${groups[@]}"; do kill -0 -- "-$group" 2>/dev/null && alive=1; done
        [ $alive = 0 ] && break
        sleep 0.1
    done
    for group in "${groups[@]}"; do kill -KILL -- "-$group" 2>/dev/null || true; done
    rm -rf "$scratch"
}
trap end_all EXIT
trap 'end_all; exit 130' INT TERM

# start NAME COMMAND...: its process id is in $started.
start() {
    local name="$1"
    shift
    setsid "$@" </dev/null >"$scratch/$name.log" 2>&1 &
    started=$!
    groups+=("$started")
}

# alone GROUP...: stops all others that were started here, until go_on.
alone() {
    for group in "${groups[@]}"; do
        [[ " $* " == *" $group "* ]] || kill -STOP -- "-$group" 2>/dev/null || true
    done
}
go_on() {
    for group in "${groups[@]}"; do kill -CONT -- "-$group" 2>/dev/null || true; done
}

# until_it NAME COMMAND...: waits until the command succeeds, for a minute, or until what was started last has ended.
until_it() {
    local name="$1"
    shift
    for _ in $(seq 600); do
        "$@" >/dev/null 2>&1 && return
        kill -0 -- "-$started" 2>/dev/null || break
        sleep 0.1
    done
    echo "tests/bench: $name does not come up; its last words:" >&2
    tail -5 "$scratch/$name.log" >&2 || true
    exit 1
}

# free_port: one that nobody has now, and that no connection is given as its own by and by.
free_port() { python3 -c '
import random, socket
while True:
    try:
        with socket.socket() as listener:
            port = random.randrange(10000, 32000)
            listener.bind(("127.0.0.1", port))
            print(port)
            break
    except OSError:
        pass'; }
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
