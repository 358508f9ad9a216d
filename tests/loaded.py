#!/usr/bin/env python3
"""The documents that a stream with snapshots makes, to be compared with what SQL says.

    loaded.py FILE TABLE...    TABLE is schema.table, unquoted

Does what mapper and writer do with rows: a document for each primary key, or, without one, for
each row's content, with versions as esbulk-write makes them, of which a lower one never
overwrites a higher.  Prints each table's rows as `psql -At -P null=NULL` would, sorted, each
once, behind the table's name.
"""
import sys

import msgpack

ABSENT = msgpack.ExtType(0, b"")


def text(value):
    if value is None:
        return "NULL"
    if value == ABSENT:
        return "ABSENT"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, msgpack.ExtType):
        return value.data.decode()
    if isinstance(value, list):
        return "{" + ",".join(text(v) for v in value) + "}"
    return str(value)


class Index:
    def __init__(self):
        self.documents = {}  # (table's name, key): [version, row or None]

    def put(self, key, version, row):
        stored = self.documents.setdefault(key, [0, None])
        if version < stored[0]:
            return
        stored[0] = version
        stored[1] = row

    def row(self, key):
        return self.documents.get(key, [0, None])[1]


def merged(row, stored):
    return [s if v == ABSENT else v for v, s in zip(row, stored)] if stored else row


def name_of(relation):
    return relation[2] + "." + relation[3]


def key_of(relation, row):
    columns = relation[6] if relation[6] else range(len(row))
    key = [row[i] for i in columns]
    if ABSENT in key:
        raise SystemExit("loaded.py: a key that was not sent, of " + relation[3])
    return (name_of(relation), msgpack.packb(key))


def apply(index, relations, frame, place):
    kind = frame[0]
    if kind == "T":
        for relid in frame[1]:
            for key in list(index.documents):
                if key[0] == name_of(relations[relid]):
                    index.put(key, place(None), None)
        return
    relation = relations[frame[1]]
    if len(frame[2]) != len(relation[5]):
        raise SystemExit("loaded.py: a row of %d values" % len(frame[2]))
    key = key_of(relation, frame[2])
    if kind in "IS":
        index.put(key, place(key), merged(frame[2], index.row(key)))
    elif kind == "D":
        index.put(key, place(key), None)
    elif kind == "U":
        old = key_of(relation, frame[3]) if frame[3] else key
        row = merged(frame[2], index.row(old))
        if old != key:
            index.put(old, place(old), None)
        index.put(key, place(key), row)


def main():
    index, relations = Index(), {}
    base, counts, snapshot = 0, {}, False

    def place(key):
        if snapshot:
            return base * 16 + 639
        if key is None:
            return base * 16 + max(counts.values(), default=0)
        counts[key] = counts.get(key, -1) + 1
        return base * 16 + min(counts[key], 639)

    last = {}
    with open(sys.argv[1], "rb") as file:
        for frame in msgpack.Unpacker(file, max_buffer_size=1 << 30, strict_map_key=False):
            kind = frame[0]
            if kind == "H":
                relations, last = {}, {}
            elif kind == "R":
                if last.get(frame[1]) == frame:
                    raise SystemExit("loaded.py: a definition twice")
                last[frame[1]] = relations[frame[1]] = frame
            elif kind == "B":
                base, counts, snapshot = frame[1], {}, frame[3] is None
            elif kind in "IUDST":
                if (kind == "S") != snapshot:
                    raise SystemExit("loaded.py: %s in a wrong unit" % kind)
                apply(index, relations, frame, place)
    lines = set()
    for (name, _), (_, row) in index.documents.items():
        if row is not None and name in sys.argv[2:]:
            lines.add(name + ": " + "|".join(text(v) for v in row) + "\n")
    sys.stdout.buffer.write("".join(sorted(lines)).encode())


main()
