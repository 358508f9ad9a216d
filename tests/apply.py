#!/usr/bin/env python3
"""Applies files of frames to empty tables, and compares what that makes.

    apply.py FILE...

The files are of the same changes: the units in them must be the same, in the same order,
with the same definitions of their tables.  Definitions that no row uses may be there or
not, and what the primary key is may differ between runs, for it is asked of the catalog
when the changes are read; of files that are one run each it must not.  The tables that
come of each must be the same, and must hold what the connection's database (libpq's
environment) holds now.  Columns are named as workload.py does it.

Prints what was compared; exits with 1, and the differences, when there are some.
"""
import collections
import re
import subprocess
import sys

import msgpack

ABSENT = msgpack.ExtType(0, b"")
BOOL, BYTEA, JSON, JSONB, TIMESTAMP, TIMESTAMPTZ = 16, 17, 114, 3802, 1114, 1184
INTEGERS, FLOATS, TEXTS, NUMERIC = (20, 21, 23, 26), (700, 701), (25, 1043), 1700
# One of a multirange's: brackets in bounds are quoted.
RANGE = re.compile(r'[\[(](?:"(?:\\.|""|[^"\\])*"|\\.|[^])"\\])*[])]', re.S)
SETTINGS = """SET datestyle = 'ISO, YMD'; SET intervalstyle = 'iso_8601'; SET timezone = 'UTC';
SET extra_float_digits = 3; SET bytea_output = 'hex'; SET client_encoding = 'UTF8';
SET search_path = '';
"""


class Wrong(Exception):
    """The stream, or what came of it, is not what it should be."""


def stem(name):
    return re.match(r"[a-z]+\d*(=\d+)?", name).group()


def default(name):
    """What a new column has in the rows that are there already."""
    value = stem(name).partition("=")[2]
    return int(value) if value else None


def shown(row):
    """A row for people: long values are cut."""
    return [v[:40] + type(v)("..." if isinstance(v, str) else b"...")
        if isinstance(v, (str, bytes)) and len(v) > 50 else v for v in row]


def retyped(value, old, new):
    """The value after ALTER TYPE, of those that workload.py does."""
    if old == new or value is None:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and new in TEXTS + (NUMERIC,):
        return str(value)
    if isinstance(value, int) and new in FLOATS:
        return float(value)
    return value


class Table:
    """Rows by their replica identity: without one, all below one key."""

    def __init__(self):
        self.columns = []  # (name, OID of its type)
        self.identity = []  # positions
        self.rows = collections.defaultdict(list)

    def define(self, columns, identity):
        if columns == self.columns and identity == self.identity:
            return
        at = {stem(name): (i, oid) for i, (name, oid) in enumerate(self.columns)}
        rows = []
        for row in self.all():
            new = []
            for name, oid in columns:
                if stem(name) in at:
                    i, old = at[stem(name)]
                    new.append(retyped(row[i], old, oid))
                else:
                    new.append(default(name))
            rows.append(new)
        self.columns, self.identity = columns, identity
        self.rows.clear()
        for row in rows:
            self.insert(row)

    def all(self):
        return [row for rows in self.rows.values() for row in rows]

    def key(self, row):
        key = [row[i] for i in self.identity]
        if ABSENT in key:
            raise Wrong("an identity with an absent column")
        return msgpack.packb(key)

    def insert(self, row):
        if len(row) != len(self.columns) or ABSENT in row:
            raise Wrong("a row that is not whole: %s" % shown(row))
        self.rows[self.key(row)].append(row)

    def delete(self, old):
        if not self.identity:
            raise Wrong("a change without a replica identity")
        key = self.key(old)
        rows = self.rows.get(key)
        if not rows:
            raise Wrong("no such row: %s" % shown(old))
        row = rows.pop()
        if not rows:
            del self.rows[key]
        return row

    def update(self, new, old):
        row = self.delete(new if old is None else old)
        self.insert([was if value == ABSENT else value for value, was in zip(new, row)])


class Stream:
    """A file of frames, applied."""

    def __init__(self, path):
        self.tables = collections.defaultdict(Table)
        self.relations = {}
        self.keys = []  # of the relations, as they are used
        self.runs = 0
        self.units = []
        self.counts = collections.Counter()
        self.last = self.end = 0
        unit, ended = None, True
        with open(path, "rb") as file:
            for frame in msgpack.Unpacker(file, max_buffer_size=0, strict_map_key=False):
                letter = frame[0]
                if letter == "H":
                    if not ended:
                        raise Wrong("H before E")
                    self.relations, seq, unit, ended = {}, 0, None, False
                    self.runs += 1
                elif letter == "R":
                    self.relations[frame[1]] = frame
                elif letter == "B":
                    unit = [frame]
                elif letter == "C":
                    seq += 1
                    if frame[2] != seq:
                        raise Wrong("seq %d is %d" % (seq, frame[2]))
                    self.commit(unit, frame)
                    unit = None
                elif letter == "E":
                    ended = True
                elif letter in "IUDTM":
                    if letter in "IUD":
                        frame.append(self.relations[frame[1]])
                    unit.append(frame)
                else:
                    raise Wrong("a frame %s" % letter)
        if not ended:
            raise Wrong("no E")

    def commit(self, unit, end):
        begin, rows = unit[0], unit[1:]
        # A message outside a transaction has no length, and the commit record may follow it.
        if begin[1] < self.last or end[1] < begin[1] or end[1] <= self.end:
            raise Wrong("the unit at %x is not after the one before it" % begin[1])
        self.last, self.end = begin[1], end[1]
        packed = []
        counts = collections.Counter()
        for frame in rows:
            relation = frame.pop() if frame[0] in "IUD" else None
            packed.append(msgpack.packb([frame, relation and relation[:6]]))
            if relation and relation not in self.keys[-1:]:
                self.keys.append(relation)
            counts[frame[0]] += 1
            try:
                self.apply(frame, relation)
            except Wrong as wrong:
                raise Wrong("unit %x, xid %s, %s %s: %s" % (
                    begin[1], begin[3], frame[0], relation and relation[3], wrong))
        self.counts += counts
        # Such a message has the time when it was read.
        time = begin[2] if begin[3] else None
        self.units.append((begin[1], time, begin[3], end[1], sorted(counts.items()),
            packed))

    def apply(self, frame, relation):
        if frame[0] == "T":
            for relid in frame[1]:
                self.tables[relid].rows.clear()
        if relation is None:
            return
        table = self.tables[frame[1]]
        # Only now: a definition that no row used need not have been in force at all.
        table.define([(c[0], c[2]) for c in relation[5]],
            [i for i, c in enumerate(relation[5]) if c[4]])
        if frame[0] == "I":
            table.insert(frame[2])
        elif frame[0] == "U":
            table.update(frame[2], frame[3])
        else:
            table.delete(frame[2])

    def state(self):
        """Of each table its columns and rows, in a form that can be compared."""
        return {relid: (table.columns, sorted(map(msgpack.packb, table.all())))
            for relid, table in self.tables.items() if table.rows}


def parts(text):
    """The fields of a composite value or the bounds of a range: null, or text."""
    out, field, quoted, null, i = [], "", False, True, 1
    while i < len(text) - 1:
        char = text[i]
        if char == '"' and quoted and text[i + 1] == '"':
            field += char
            i += 1
        elif char == '"':
            quoted, null = not quoted, False
        elif char == "\\":
            i += 1
            field, null = field + text[i], False
        elif char == "," and not quoted:
            out.append(None if null else field)
            field, null = "", True
        else:
            field, null = field + char, False
        i += 1
    return out + [None if null else field]


class Database:
    """What SQL says."""

    def __init__(self):
        # By OID: kind; and the type that it is made of: an array's element, a domain's base,
        # a range's subtype, a multirange's range; for a composite type, its relation.
        self.types = {int(oid): (kind, int(of)) for oid, kind, of in self.ask("""
            SELECT t.oid, CASE WHEN typcategory = 'A' THEN 'a' ELSE typtype END,
            CASE WHEN typcategory = 'A' THEN typelem WHEN typtype = 'd' THEN typbasetype
            WHEN typtype = 'c' THEN typrelid ELSE coalesce(r.rngsubtype, m.rngtypid, 0) END
            FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
            LEFT JOIN pg_catalog.pg_range m ON m.rngmultitypid = t.oid""")}
        self.fields = collections.defaultdict(list)
        for relid, name, oid in self.ask("""SELECT attrelid, attname, atttypid
            FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON attrelid = c.oid
            WHERE relkind = 'c' AND NOT attisdropped ORDER BY attrelid, attnum"""):
            self.fields[int(relid)].append((name, int(oid)))
        self.tables = collections.OrderedDict()
        for relid, name, column, oid in self.ask("""SELECT c.oid,
            format('public.%I', c.relname), a.attname, a.atttypid
            FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON attrelid = c.oid
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND NOT relispartition AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
            ORDER BY c.oid, attnum"""):
            self.tables.setdefault((int(relid), name), []).append((column, int(oid)))

    def ask(self, query):
        """COPY, for it prints as the stream does, without casts."""
        out = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1"], check=True,
            input=(SETTINGS + "COPY (%s) TO STDOUT;" % query).encode(),
            stdout=subprocess.PIPE).stdout.decode()
        return [[self.field(f) for f in line.split("\t")] for line in out.split("\n")[:-1]]

    @staticmethod
    def field(text):
        if text == "\\N":
            return None
        plain = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
        return re.sub(r"\\(.)", lambda m: plain.get(m.group(1), m.group(1)), text, flags=re.S)

    def rows(self, name, columns):
        identifiers = ['"' + c.replace('"', '""') + '"' for c, _ in columns]
        return self.ask("SELECT %s FROM %s" % (", ".join(identifiers), name))

    def value(self, oid, text):
        """What a frame has for a value, as pgcdc-frame(5) says it, of its text."""
        kind, of = self.types[oid]
        if text is None:
            return None
        if kind == "d":
            return self.value(of, text)
        if kind == "a":
            return self.array(of, text)
        if kind == "c":
            fields = self.fields[of]
            return {name: self.value(part, field)
                for (name, part), field in zip(fields, parts(text))}
        if kind == "m":
            return [self.value(of, each) for each in RANGE.findall(text)]
        if kind == "r" and text == "empty":
            return {"empty": True}
        if kind == "r":
            lower, upper = (self.value(of, bound) for bound in parts(text))
            return {"lower": lower, "upper": upper, "bounds": text[0] + text[-1]}
        return self.simple(oid, text)

    @staticmethod
    def simple(oid, text):
        if oid == BOOL:
            return text == "t"
        if oid in INTEGERS:
            return int(text)
        if oid in FLOATS:
            return float(text)
        if oid == BYTEA:
            return bytes.fromhex(text[2:])
        if oid in (JSON, JSONB):
            return msgpack.ExtType(1, text.encode())
        if oid == TIMESTAMP and text[0].isdigit():
            return text.replace(" ", "T", 1)
        if oid == TIMESTAMPTZ and text[0].isdigit():
            return text.replace(" ", "T", 1).replace("+00", "Z")
        return text

    def array(self, element, text):
        stack = [[]]
        for part in re.finditer(r'[{}]|,|"((?:[^"\\]|\\.)*)"|[^{},"]+',
            re.sub(r"^\[[^=]*=", "", text), flags=re.S):
            token = part.group()
            if token == "{":
                stack.append([])
            elif token == "}":
                inner = stack.pop()
                stack[-1].append(inner)
            elif part.group(1) is not None:
                stack[-1].append(self.value(
                    element, re.sub(r"\\(.)", r"\1", part.group(1), flags=re.S)))
            elif token != ",":
                stack[-1].append(None if token == "NULL" else self.value(element, token))
        return stack[0][0]


def compare(database, stream):
    """The tables; returns how many values were compared."""
    compared = 0
    for (relid, name), columns in database.tables.items():
        table = stream.tables[relid]
        table.define(columns, [])
        mine = table.all()
        theirs = [[database.value(oid, text) for (_, oid), text in zip(columns, row)]
            for row in database.rows(name, columns)]
        if len(mine) != len(theirs):
            raise Wrong("%s: %d rows, and in the database %d" % (name, len(mine), len(theirs)))
        compared += len(mine) * len(columns)
        left = collections.Counter(map(msgpack.packb, theirs))
        left.subtract(map(msgpack.packb, mine))
        wrong = [(msgpack.unpackb(row), n) for row, n in left.items() if n]
        if wrong:
            wrong.sort(key=repr)
            raise Wrong("%s %s: in the database (1) or the stream (-1) only:\n%s" % (
                name, columns, "\n".join("%d: %s" % (n, shown(row)) for row, n in wrong[:6])))
    return compared


def difference(mine, theirs):
    """Of two units, in words."""
    text = "another unit: %s, not %s" % (theirs[:-1], mine[:-1])
    for i, (a, b) in enumerate(zip(mine[-1], theirs[-1])):
        if a != b:
            return "%s\nframe %d: %.1500s\nnot %.1500s" % (
                text, i, msgpack.unpackb(b), msgpack.unpackb(a))
    return text


def main():
    streams = []
    for path in sys.argv[1:]:
        try:
            streams.append(Stream(path))
        except Wrong as wrong:
            raise Wrong("%s: %s" % (path, wrong))
    first = streams[0]
    for path, other in zip(sys.argv[2:], streams[1:]):
        for mine, theirs in zip(first.units, other.units):
            if mine != theirs:
                raise Wrong("%s: %s" % (path, difference(mine, theirs)))
        if len(first.units) != len(other.units):
            raise Wrong("%s: %d units, not %d" % (path, len(other.units), len(first.units)))
        if first.runs == other.runs and first.keys != other.keys:
            raise Wrong("%s: other definitions" % path)
        if first.state() != other.state():
            raise Wrong("%s: other tables" % path)
    if not first.units or not first.counts["I"]:
        raise Wrong("nothing to compare")
    compared = compare(Database(), first)
    print("%d units, %s, %d values in the end" % (len(first.units),
        " ".join("%d %s" % (n, c) for c, n in sorted(first.counts.items())), compared))


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        sys.exit("apply.py: %s" % wrong)
