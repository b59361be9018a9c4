# Mosquitto's users and access rules: thingcall's, and one for each line NAME:PASSWORD of standard input, if `devices` is the first
# argument. Runs in Mosquitto's image, in the container of compose.yaml.
set -eu
umask 077
folder=/mosquitto/data/auth
mkdir -p "$folder"
if [ "${1:-}" != devices ]; then
    [ ! -s "$folder/passwd" ] || exit 0
fi
# The part of ../../mosquitto/acl that is thingcall's; the rest of it is an example.
sed '/^# Each device/,$d' /acl >"$folder/acl.new"
printf 'thingcall:%s\n' "$(cat /run/secrets/mqtt-password)" >"$folder/passwd.new"
if [ "${1:-}" = devices ]; then
    while IFS=: read -r user password; do
        device="${user%&*}" product="${user##*&}"
        printf '%s:%s\n' "$user" "$password" >>"$folder/passwd.new"
        printf '\nuser %s\n' "$user" >>"$folder/acl.new"
        for topic in "/sys/$product/$device/#" "/ext/rrpc/+/sys/$product/$device/#" "/ext/rrpc/+/$product/$device/user/#" \
            "/ext/ntp/$product/$device/#" "/$product/$device/user/#"; do
            printf 'topic readwrite %s\n' "$topic" >>"$folder/acl.new"
        done
        printf 'topic read /broadcast/%s/#\n' "$product" >>"$folder/acl.new"
    done
fi
mosquitto_passwd -U "$folder/passwd.new"
mv "$folder/passwd.new" "$folder/passwd"
mv "$folder/acl.new" "$folder/acl"
