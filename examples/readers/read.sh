#!/bin/sh
# Prints what is pending in a mailbox, one message a line, and moves the cursor: read.sh FOLDER MAILBOX [CONSUMER]
#
# Written from docs/protocol.md alone, for sh, jq, flock and the GNU tools; any other reader may share its cursor. It leaves
# out what read.py leaves out.
set -eu
export LC_ALL=C
place=$1/$2 cursors=$1/cursor consumer=${3:-$2}
BYTES_MAX=1048576 UNCHANGED_SECONDS=5
NAME='^[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(-[0-9]{2}){2}([.][0-9]{1,9})?Z[.]json$'
IS_MESSAGE='([.id, .type, .timestamp] | all(type == "string")) and (.payload | type) == "object"
    and (if has("version") then .version else 1 end) == 1'

# A line break in a name, as any other character that could drive a terminal, becomes a question mark.
names() { find "$place" -maxdepth 1 -name '*.json' ! -name '.*' -printf '%f\0' | tr -c '[:print:]\0' '?' | tr '\0' '\n' | sort; }

malformed() { echo "malformed: $name: $1" >&2; }

# Prints a message, or says why it is none; fails while its file may still be written. Neither follows a link nor blocks.
deliver() {
    if [ -L "$file" ] || [ ! -f "$file" ]; then malformed 'no file'; return; fi
    # One byte more than a message may have.
    dd if="$file" of="$copy" iflag=nofollow,nonblock,fullblock bs=$((BYTES_MAX + 1)) count=1 status=none
    if [ "$(wc -c <"$copy")" -gt "$BYTES_MAX" ]; then malformed 'too large'; return; fi
    if jq -e -s 'length == 1' "$copy" >/dev/null 2>&1; then
        jq -c -e "select($IS_MESSAGE)" "$copy" 2>/dev/null || malformed 'no message of version 1'
    else
        [ $(($(date +%s) - $(stat -c %Z "$file"))) -gt "$UNCHANGED_SECONDS" ] && malformed 'not JSON'
    fi
}

mkdir -p "$cursors"
exec 9>>"$cursors/.$consumer.lock"
flock 9
copy=$(mktemp)
trap 'rm -f "$copy"' EXIT
last=$(cat "$cursors/$consumer.cursor" 2>/dev/null || :)
last=$(echo "$last" | sed 's/:/-/g; s/Z$/Z.json/') # It may be a bare time stamp.
highest=$(names | grep -E "$NAME" | tail -n 1)
# That listing can miss a name below its highest one. The next cannot, since it begins afterwards.
names | grep -Ev "$NAME" | sed 's/^/not a message: /' >&2
for name in $(names | grep -E "$NAME" | awk -v last="$last" -v highest="$highest" '$0 "" > last && $0 "" <= highest'); do
    file=$place/$name
    deliver || break
    echo "$name" >"$cursors/.$consumer.new"
    sync "$cursors/.$consumer.new"
    mv "$cursors/.$consumer.new" "$cursors/$consumer.cursor"
done
