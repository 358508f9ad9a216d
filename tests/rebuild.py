#!/usr/bin/env python3
"""The tables that a stream of frames tells of, to be compared with what SQL says.

    rebuild.py FILE TABLE...    TABLE is schema.table, unquoted

Prints each table's rows as `psql -At -P null=NULL` would, sorted, behind the table's name.
A table of which nothing came prints nothing.

It is strict, so that no change too few or too many goes unseen: an update or a delete must
find its row, by the columns of the replica identity, and take one; a row has as many values
as its table has columns; what is no unit in the end changes nothing.
"""
import sys

import msgpack


class Absent:
    """The value of a column that was not sent."""


ABSENT = Absent()


def ext(code, data):
    return ABSENT if code == 0 else data.decode()


class Wrong(Exception):
    pass


class Table:
    def __init__(self):
        self.name = None
        self.columns = []
        self.rows = {}  # identity -> the rows that have it, oldest first

    def identity(self, row):
        return tuple(text(row[i]) for i, c in enumerate(self.columns) if c[4])

    def define(self, schema, table, columns, key):
        """Rows that are there keep what columns of the same place or name held."""
        old = self.all_rows()
        names = [c[0] for c in self.columns]
        same = len(columns) == len(names)
        self.name = schema + "." + table
        self.columns = columns
        if key is not None and not all(0 <= i < len(columns) for i in key):
            raise Wrong("%s: its key is not of its columns" % self.name)
        self.rows = {}
        for row in old:
            if not same:
                by_name = dict(zip(names, row))
                row = [by_name.get(c[0]) for c in columns]
            self.add(row)

    def all_rows(self):
        return [row for rows in self.rows.values() for row in rows]

    def check(self, row):
        if len(row) != len(self.columns):
            raise Wrong("%s: a row of %d values, for %d columns"
                        % (self.name, len(row), len(self.columns)))

    def add(self, row):
        self.check(row)
        self.rows.setdefault(self.identity(row), []).append(row)

    def take(self, old):
        """The row that has this identity, and is no longer there."""
        self.check(old)
        identity = self.identity(old)
        rows = self.rows.get(identity)
        if not rows:
            raise Wrong("%s: no row has the identity %s" % (self.name, identity))
        row = rows.pop(0)
        if not rows:
            del self.rows[identity]
        return row

    def update(self, new, old):
        self.check(new)
        before = self.take(new if old is None else old)
        self.add([b if n is ABSENT else n for n, b in zip(new, before)])


def apply(tables, frame):
    kind = frame[0]
    if kind == "I":
        tables[frame[1]].add(frame[2])
    elif kind == "U":
        tables[frame[1]].update(frame[2], frame[3])
    elif kind == "D":
        tables[frame[1]].take(frame[2])
    elif kind == "T":
        for relid in frame[1]:
            tables[relid].rows.clear()
    elif kind == "R":
        tables.setdefault(frame[1], Table()).define(frame[2], frame[3], frame[5], frame[6])


def read(file):
    """Tables by relid; a dict keeps the order in which they came."""
    tables = {}
    unit, known = None, set()
    for frame in msgpack.Unpacker(file, ext_hook=ext, max_buffer_size=1 << 30):
        kind = frame[0]
        if kind == "H":
            unit, known = None, set()
        elif kind == "B":
            unit = []
        elif kind == "C":
            for f in unit:
                apply(tables, f)
            unit = None
        elif kind == "R":
            known.add(frame[1])
            # Inside a unit it holds even when that is abandoned: the next one repeats it.
            unit.append(frame)
        elif kind != "E":
            if unit is None:
                raise Wrong("%s outside a unit" % kind)
            if kind == "T" and not known.issuperset(frame[1]):
                raise Wrong("a truncate before its R")
            if kind in "IUD" and frame[1] not in known:
                raise Wrong("a row before its R")
            unit.append(frame)
    return tables


def text(value):
    if value is None:
        return "NULL"
    if value is ABSENT:
        return "ABSENT"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, list):
        return "{" + ",".join(text(v) for v in value) + "}"
    return str(value)


def main():
    with open(sys.argv[1], "rb") as file:
        tables = read(file)
    lines = []
    for name in sys.argv[2:]:
        # Of tables that had the name one after the other, the last one counts.
        found = [t for t in tables.values() if t.name == name]
        for row in found[-1].all_rows() if found else []:
            lines.append(name + ": " + "|".join(text(v) for v in row) + "\n")
    sys.stdout.buffer.write("".join(sorted(lines)).encode())


try:
    main()
except Wrong as wrong:
    sys.exit("rebuild.py: %s" % wrong)
