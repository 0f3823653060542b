#!/usr/bin/env python3
"""Prints what is pending in a mailbox, one message a line, and moves the cursor: read.py FOLDER MAILBOX [CONSUMER]

Written from docs/protocol.md alone; any other reader may share its cursor. It leaves out what matters only beside writers
of other protocols: looking back for late files, giving up on a file that never stops changing, refusing a repeated member.
"""
import fcntl, json, os, re, stat, sys, time

folder, mailbox, consumer = (sys.argv[1:] + sys.argv[2:3])[:3]
place, cursor = f"{folder}/{mailbox}", f"{folder}/cursor/{consumer}.cursor"
NAME = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(-[0-9]{2}){2}([.][0-9]{1,9})?Z[.]json")
MEMBERS = {"id": str, "type": str, "timestamp": str, "payload": dict}
BYTES_MAX, UNCHANGED_SECONDS = 1024 * 1024, 5

def read(path):
    """Returns a message, or nothing while its file may still be written. Neither follows a link nor blocks."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        status, data = os.fstat(file.fileno()), file.read(BYTES_MAX + 1)
    if not stat.S_ISREG(status.st_mode) or len(data) > BYTES_MAX:
        raise ValueError("no file, or too large")
    try:
        message = json.loads(data.decode())
    except json.JSONDecodeError:
        if time.time() - status.st_ctime < UNCHANGED_SECONDS:
            return None
        raise
    if message.get("version", 1) != 1 or any(type(message.get(name)) is not kind for name, kind in MEMBERS.items()):
        raise ValueError("no message of version 1")
    return message

os.makedirs(f"{folder}/cursor", exist_ok=True)
fcntl.flock(lock := open(f"{folder}/cursor/.{consumer}.lock", "a"), fcntl.LOCK_EX)
last = open(cursor).read().strip() if os.path.exists(cursor) else ""
last = re.sub("Z$", "Z.json", last.replace(":", "-"))  # It may be a bare time stamp.
highest = max(filter(NAME.fullmatch, os.listdir(place)), default="")
# That listing can miss a name below its highest one. The next cannot, since it begins afterwards.
for name in sorted(os.listdir(place)):
    if name.endswith(".json") and not name.startswith(".") and not NAME.fullmatch(name):
        print(f"not a message: {name!a}", file=sys.stderr)
    if not NAME.fullmatch(name) or not last < name <= highest:
        continue
    try:
        if (message := read(f"{place}/{name}")) is None:
            break
        print(json.dumps(message), flush=True)
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        print(f"malformed: {name}: {error!a}", file=sys.stderr)
    with open(f"{folder}/cursor/.{consumer}.new", "w") as file:
        print(name, file=file, flush=True)
        os.fsync(file.fileno())
    os.replace(file.name, cursor)
