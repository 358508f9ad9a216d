#!/usr/bin/env python3
# A mapper in Python, in the place of pgcdc-map:
#
#     pgcdc-read ... -a ack.sock | python3 mapper.py | esbulk-write ... -a ack.sock
#
# A row of public.users becomes the document of its id in the index users; an update puts
# the name that the old row had into old_name.  Needs msgpack (python3-msgpack); the frames
# are described in pgcdc-frame(5).
import json
import signal
import sys

import msgpack

ABSENT = msgpack.ExtType(0, b"")
columns = {}  # the names of the columns, by relid, of the tables that are mapped


def put(*frame):
    sys.stdout.buffer.write(msgpack.packb(frame))


def named(frame, row):  # a dictionary, or None where the frame has no such row
    return dict(zip(columns[frame[1]], row)) if row is not None else None


for number in signal.SIGINT, signal.SIGTERM:  # the reader ends the stream, with E
    signal.signal(number, signal.SIG_IGN)
for f in msgpack.Unpacker(open(0, "rb", buffering=0), max_buffer_size=2**31 - 1):
    if f[0] == "R" and f[2:4] == ["public", "users"]:
        columns[f[1]] = [column[0] for column in f[5]]
    if f[0] not in "IUDST":
        put(*f)
    elif f[0] != "T" and f[1] in columns:
        new = named(f, f[2] if f[0] != "D" else None)
        old = named(f, {"D": f[2], "U": f[-1]}.get(f[0]))
        if old and (not new or old["id"] != new["id"]):
            put("X", "delete", f[1], "users", str(old["id"]), None, None, None)
        if new and ABSENT in new.values():
            put("X", "reject", f[1], "users", str(new["id"]), None, None, "a value was not sent")
        elif new:
            if f[0] == "U":
                new["old_name"] = old["name"] if old and old["name"] != ABSENT else None
            put("X", "index", f[1], "users", str(new["id"]), None, None, json.dumps(new))
    if f[0] in "HCEs":
        sys.stdout.buffer.flush()
