#!/usr/bin/env python3
"""A random workload on the connection's database, which must be empty.

    workload.py SEED [-n STEPS] [-l LOG] [--midway COMMAND]

Three sessions take turns, step by step, so that their transactions interleave and the
same seed does the same again: inserts, updates, deletes, changes of keys, truncates,
savepoints, PL/pgSQL's exception blocks, transactions small and large, committed, rolled
back and prepared, and DDL between them and inside of them.  A step that meets another
session's lock gives up at once and is an error like any other.  Errors that a user's
statements may have are part of the game; one of another kind ends the program with 1.

LOG gets every statement: seconds, session, SQLSTATE, statement.  COMMAND runs after half
of the steps, when transactions are open.  At the end all of them are done.

What apply.py compares must be told by the stream alone, so a column's name begins with a
stem that no other column of the table ever has and that it keeps when it is renamed,
"c12", and "c12=7" is a column that came with the default 7.
"""
import argparse
import json
import random
import subprocess
import sys
import time

EXPECTED = {
    "00000",  # no error
    "0A000",  # a table that a foreign key refers to cannot be truncated alone
    "22003",  # numeric value out of range, when a type is changed
    "22P02",  # invalid text representation, likewise
    "23502",  # not null
    "23503",  # foreign key
    "23505",  # unique
    "23514",  # no partition for the row
    "25P02",  # the transaction has failed already
    "2BP01",  # others depend on it
    "40001",  # could not serialize
    "42704",  # a prepared transaction that is not there
    "42P10",  # an identity with a generated column, which 18 does not let be changed
    "42P01",  # a table that was dropped since
    "42703",  # a column, likewise
    "42710",  # there is already
    "42P07",  # a table, likewise
    "54001",  # too deep
    "55006",  # in use
    "55P03",  # locked
    "XX000",  # tuple concurrently updated
}

TEXTS = [
    "", " ", "a", "Ä", "b|c", "it's", 'say "x"', "back\\slash", "{}", "{a,b}", "NULL", "null",
    "two\nlines", "tab\there", "\r", "€uro", "\U0001f418", "e\u0301", "\\N", "\\x00", "(1,2)", "%",
    "0", "-1", "true", "\x7f", "\x01", "x" * 31, "x" * 32, "y" * 255, "y" * 256, "zz" * 700,
]
JSONS = [
    "null", "1", "-0.10", "1e400", '"x"', '"\\u00e9"', "[]", "{}", '{"a":1,"a":2}',
    '{"b" : [1, 2.50, null, {"c": "d"}]}', "[[[[]]]]", '" "', "12345678901234567890", "true",
    '{"": ""}', '["\\n", "\\\\"]',
]
TIMES = ["00:00", "24:00", "23:59:59.999999", "01:02:03.5", "12:00:00"]
DATES = [
    "2026-11-23", "0044-03-15 BC", "infinity", "-infinity", "1970-01-01", "5874897-12-31",
    "0001-01-01", "2000-02-29",
]
STAMPS = [
    "2026-11-23 01:02:03.4", "infinity", "-infinity", "0044-03-15 00:00:00 BC",
    "294276-12-31 23:59:59.999999", "1999-12-31 23:59:60", "1970-01-01 00:00:00.000001",
]

# Types and values of them: a list, or a function of the random generator.
TYPES = {
    "boolean": ["t", "f"],
    "smallint": ["0", "-32768", "32767", "-1", "127", "128"],
    "integer": ["0", "-2147483648", "2147483647", "-33", "65536"],
    "bigint": ["0", "-9223372036854775808", "9223372036854775807", "9007199254740993"],
    "oid": ["0", "4294967295", "2147483648"],
    "real": ["0.1", "-0", "NaN", "Infinity", "1e-45", "3.4028235e38", "16777217", "1"],
    "double precision": ["0.1", "-0", "NaN", "-Infinity", "5e-324", "1e22", "0.30000000000000004"],
    "numeric": ["0", "1.10", "-0.00", "NaN", "1e-20", "123456789012345678901234567890.1234567890",
        "Infinity", "1e30"],
    "numeric(10,2)": ["1", "-0.005", "12345678.9", "NaN"],
    "text": TEXTS,
    "varchar(300)": [t for t in TEXTS if len(t) <= 300],
    "char(5)": ["", "a", "abcde", "Ä"],
    "name": ["", "n", "Ä b"],
    '"char"': ["", "c", "\x01"],
    "bytea": ["", "\\x00", "\\xdeadbeef", "\\x" + "00ff5c27" * 80],
    "date": DATES,
    "time": TIMES,
    "timetz": [t + z for t in TIMES for z in ("+00", "-07:30", "+05:53:28")],
    "timestamp": STAMPS,
    "timestamp(3)": STAMPS,
    "timestamptz": STAMPS + ["2026-11-23 01:02:03.000001+09", "1900-06-15 12:00:00+05:53:28"],
    "interval": ["0", "1 day 2 s", "-1 mon", "1 year -2 days 03:04:05.000006", "-0.1 s"],
    "uuid": lambda r: "%08x-0000-4000-8000-%012x" % (r.getrandbits(32), r.getrandbits(48)),
    "json": JSONS,
    "jsonb": [j for j in JSONS if j != "1e400"],
    "inet": ["10.0.0.1", "10.0.0.0/8", "::1", "fe80::1/64"],
    "cidr": ["10.0.0.0/8", "::/0"],
    "macaddr": ["08:00:2b:01:02:03"],
    "macaddr8": ["08:00:2b:01:02:03:04:05"],
    "bit(5)": ["00000", "10101"],
    "varbit": ["", "1", "0101010101"],
    "point": ["(1,2)", "(0.1,-0)", "(NaN,Infinity)"],
    "line": ["{1,2,3}"],
    "lseg": ["[(0,0),(1,1)]"],
    "box": ["(1,1),(0,0)"],
    "path": ["((0,0),(1,1))", "[(0,0)]"],
    "polygon": ["((0,0),(1,1),(1,0))"],
    "circle": ["<(0,0),1>"],
    "tsvector": ["", "a:1 'b c':2A,3"],
    "tsquery": ["", "a & !'b c':*"],
    "money": ["0", "-12.34", "92233720368547758.07"],
    "pg_lsn": ["0/0", "FFFFFFFF/FFFFFFFF"],
    "jsonpath": ["$", '$.a[*] ? (@ > 1)'],
    "pg_snapshot": ["10:20:10,14"],
    "xid8": ["0", "18446744073709551615"],
    "tid": ["(0,1)"],
    "regtype": ["integer", "text[]"],
    "int4range": ["empty", "[1,5)", "(,)", "[7,7]"],
    "int8range": ["[1,)", "(,9223372036854775806]"],
    "numrange": ["[1.10,2.0)", "empty"],
    "tsrange": ['["2026-11-23 00:00","2026-11-24 00:00")', "(,infinity)"],
    "tstzrange": ['["2026-11-23 00:00+09",)'],
    "daterange": ["[2026-11-23,2026-11-24]"],
    "int4multirange": ["{}", "{[1,5),[7,9)}"],
    "integer[]": ["{}", "{1,NULL,-3}", "{{1,2},{3,4}}", "[2:3]={5,6}", "{{{1}}}"],
    "text[]": ["{}", '{a,"b c",NULL,"NULL","","q\\"q","b\\\\s","{}",","}', '{{Ä,"\n"}}'],
    "boolean[]": ["{t,f,NULL}"],
    "numeric[]": ["{1.10,NaN,-0}"],
    "double precision[]": ["{0.1,NaN,-Infinity,1}"],
    "timestamptz[]": ['{"2026-11-23 01:02:03+09",infinity}'],
    "bytea[]": ['{"\\\\x00ff",""}'],
    "jsonb[]": ['{"{\\"a\\": 1}",null,"null"}'],
    "date[]": ["{2026-11-23,infinity}"],
    "int4range[]": ['{"[1,5)",empty}'],
    "mood": ["so so", "ok", 'a"b,c'],
    "mood[]": ['{"so so",NULL,ok}'],
    "positive": ["1", "2147483647"],
    "positive[]": ["{1,2}"],
    "pair": ["(1,x)", "(,)", '(-1,"a ""b"" \\\\, c")'],
    "pair[]": ['{"(1,x)",NULL}'],
    "deep": ['("(1,x)","{1,2}")'],
    "moods": ["[so so,ok]"],
}

# Changes of type after which a value's form follows from its form before: see apply.py.
RETYPES = {
    "smallint": ["integer", "bigint", "numeric", "text"],
    "integer": ["bigint", "numeric", "text", "double precision"],
    "bigint": ["numeric", "text"],
    "numeric": ["text"],
    "numeric(10,2)": ["numeric", "text"],
    "character varying(300)": ["text"],
    "boolean": ["text"],
    "uuid": ["text"],
    "text": ["character varying"],
    "mood": ["text"],
    "positive": ["integer"],
}

SETUP = """
CREATE TYPE mood AS ENUM ('so so', 'ok', 'a"b,c');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, "B c" text);
CREATE TYPE deep AS (p pair, list int[]);
CREATE TYPE moods AS RANGE (SUBTYPE = mood);
"""

# What the session's transaction sees: tables, and of each its columns.
CATALOG = """SELECT json_build_object('table', c.relname, 'kind', left(c.relname, 1),
    'columns', (SELECT json_agg(json_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod))
    ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
    AND NOT a.attisdropped AND a.attgenerated = ''))
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    AND NOT c.relispartition ORDER BY c.relname;"""

# By the first letter of a table's name: how it is made, and the columns of its key.  %s is
# its name, %t more columns; the key's columns are never dropped.
KINDS = {
    "k": ("CREATE TABLE %s (id int PRIMARY KEY, v text%t)", "id"),
    "c": ("CREATE TABLE %s (a int, v text, b text, PRIMARY KEY (b, a)%t)", "a b"),
    "f": ("CREATE TABLE %s (id int, v text%t); ALTER TABLE %s REPLICA IDENTITY FULL", ""),
    "g": ("CREATE TABLE %s (id int PRIMARY KEY, v text%t); ALTER TABLE %s REPLICA IDENTITY FULL;"
        " ALTER TABLE %s ALTER v SET STORAGE EXTERNAL", "id"),
    "i": ("CREATE TABLE %s (id int PRIMARY KEY, v text, k int NOT NULL%t, CONSTRAINT %s_k"
        " UNIQUE (k)); ALTER TABLE %s REPLICA IDENTITY USING INDEX %s_k", "id k"),
    "l": ("CREATE TABLE %s (id int, v text%t)", ""),
    "o": ("CREATE TABLE %s (id bigint PRIMARY KEY, v text, w text%t);"
        " ALTER TABLE %s ALTER v SET STORAGE EXTERNAL;"
        " ALTER TABLE %s ALTER w SET STORAGE EXTERNAL", "id"),
    "p": ("CREATE TABLE %s (id int, p int, v text%t, PRIMARY KEY (id, p)) PARTITION BY LIST (p);"
        " CREATE TABLE %s_1 PARTITION OF %s FOR VALUES IN (0, 1);"
        " CREATE TABLE %s_2 (v text, p int NOT NULL, id int NOT NULL);"
        " ALTER TABLE %s_2 ADD gone int; ALTER TABLE %s_2 DROP gone%u;"
        " ALTER TABLE %s ATTACH PARTITION %s_2 FOR VALUES IN (2, 3)", "id p"),
    "r": ("CREATE TABLE %s (id int PRIMARY KEY, v text, parent int REFERENCES k0 ON DELETE CASCADE"
        " ON UPDATE CASCADE%t)", "id"),
}


def name(identifier):
    return '"' + identifier.replace('"', '""') + '"'


def literal(text):
    return "'" + text.replace("'", "''") + "'"


class Session:
    """A psql that is told statements one by one."""

    def __init__(self, number, log):
        self.number = number
        self.log = log
        self.open = False  # a transaction is open
        self.failed = False  # and has failed
        self.savepoints = []
        self.defined = False  # it has changed definitions
        self.plan = 0  # the steps that the transaction is to have
        self.start = time.monotonic()
        self.psql = subprocess.Popen(
            ["psql", "-XAtq", "-v", "VERBOSITY=sqlstate"], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            encoding="utf-8")
        self.run("SET lock_timeout = '20ms'; SET client_min_messages = error;"
            " SET client_encoding = 'UTF8'")

    def ask(self, statements):
        """Returns the SQLSTATE of the last statement, and the lines that came."""
        self.psql.stdin.write(statements + "\n\\echo @done :SQLSTATE\n")
        self.psql.stdin.flush()
        lines = []
        for line in self.psql.stdout:
            if line.startswith("@done "):
                return line.split()[1], lines
            lines.append(line.rstrip("\n"))
        sys.exit("workload.py: psql ended")

    def run(self, statement):
        """Runs it, and minds whether the transaction failed.  0: it did what it should."""
        state, _ = self.ask(statement + ";")
        self.log.write("%.3f %d %s %s\n" % (
            time.monotonic() - self.start, self.number, state, statement))
        if state not in EXPECTED:
            sys.exit("workload.py: SQLSTATE %s: %s" % (state, statement))
        if state != "00000":
            self.failed = self.open
        return state != "00000"

    def tables(self):
        state, lines = self.ask(CATALOG)
        if state != "00000":
            sys.exit("workload.py: the catalog: SQLSTATE " + state)
        # One that another session dropped meanwhile is listed without its columns.
        return [t for t in map(json.loads, lines) if t["columns"]]


class Workload:
    def __init__(self, seed, log):
        self.random = random.Random(seed)
        self.prefix = "w%d" % seed
        self.serial = 0  # of columns, tables and savepoints
        self.prepared = []
        self.parent = True  # k0 is there, which the foreign key refers to
        self.sessions = [Session(i, log) for i in range(3)]
        setup = self.sessions[0]
        for statement in SETUP.strip().rstrip(";").split(";\n"):
            setup.run(statement)
        for kind in "kcfgilopr":
            self.create(setup, kind, kind + "0")

    def chance(self, part):
        return self.random.random() < part

    def next(self):
        self.serial += 1
        return self.serial

    # Values ---------------------------------------------------------------------------

    def value(self, kind):
        """A literal for a column of a type, as format_type() names it."""
        r = self.random
        if self.chance(0.12):
            return "NULL"
        aliases = {"character varying(300)": "varchar(300)", "character varying": "text",
            "character(5)": "char(5)", "time without time zone": "time",
            "time with time zone": "timetz", "timestamp without time zone": "timestamp",
            "timestamp(3) without time zone": "timestamp(3)",
            "timestamp with time zone": "timestamptz", "bit varying": "varbit",
            "timestamp with time zone[]": "timestamptz[]"}
        values = TYPES[aliases.get(kind, kind)]
        return literal(values(r) if callable(values) else r.choice(values))

    def text(self):
        """For the columns v and w: short, or long enough for TOAST."""
        r = self.random
        if self.chance(0.3):
            return "repeat(md5('%d'), %d)" % (r.randrange(1000), r.choice([70, 100, 300, 2500]))
        return "NULL" if self.chance(0.1) else literal(r.choice(TEXTS))

    def key(self, column):
        """Of small integers, so that sessions and rows meet."""
        if column.startswith("b"):
            return literal(self.random.choice(TEXTS[:20]))
        return str(self.random.randrange(4 if column.startswith("p") else 60))

    def values(self, table):
        keys = KINDS[table["kind"]][1].split()
        out = {}
        for column in table["columns"]:
            stem = column["name"].split(" ")[0]
            if stem in keys or stem == "id":
                out[column["name"]] = self.key(stem)
            elif stem in ("v", "w"):
                out[column["name"]] = self.text()
            elif stem == "parent":
                out[column["name"]] = "(SELECT min(x) FROM k0 AS k (x) WHERE x >= %s)" % (
                    self.key("id")) if self.parent else "NULL"
            else:
                out[column["name"]] = self.value(column["type"])
        return out

    def where(self, table):
        """A condition for few rows or many, whatever the table holds."""
        r = self.random
        first = name(table["columns"][0]["name"])
        return r.choice([
            "%s = %d" % (first, r.randrange(60)),
            "%s %% %d = 0" % (first, r.randrange(2, 30)),
            "%s BETWEEN %d AND %d" % (first, r.randrange(40), r.randrange(30, 60)),
            "%s IN (SELECT %s FROM %s ORDER BY md5(%s::text || '%d') LIMIT %d)" % (
                first, first, name(table["table"]), first, r.randrange(99), r.choice([1, 5])),
        ])

    # Rows -----------------------------------------------------------------------------

    def insert(self, table):
        names = [c["name"] for c in table["columns"]]
        rows = [self.values(table) for _ in range(self.random.choice([1, 1, 1, 3, 8]))]
        if self.chance(0.2):
            keep = [n for n in names if n.split(" ")[0] in KINDS[table["kind"]][1].split()]
            names = [n for n in names if n in keep or self.chance(0.5)] or names
        conflict = ""
        if table["kind"] not in "fli" and self.chance(0.7):
            conflict = " ON CONFLICT DO NOTHING"
        elif table["kind"] in "kgo" and self.chance(0.5):
            rows = rows[:1]
            conflict = " ON CONFLICT (%s) DO UPDATE SET %s = excluded.%s" % (
                (name(names[0]),) + (name(names[-1]),) * 2)
            if names[0].split(" ")[0] != "id":
                conflict = ""
        return "INSERT INTO %s (%s) VALUES %s%s" % (
            name(table["table"]), ", ".join(map(name, names)),
            ", ".join("(" + ", ".join(row[n] for n in names) + ")" for row in rows), conflict)

    def copy(self, table):
        """COPY writes several rows in one record of the log."""
        keys = KINDS[table["kind"]][1].split() or ["id"]
        names = [c["name"] for c in table["columns"] if c["name"].split(" ")[0] in keys + ["v"]]
        start, rows = self.random.randrange(5000, 10**6), []
        for i in range(self.random.choice([3, 40])):
            rows.append("\t".join(
                str(i % 4) if n.startswith("p") else "v%d" % i if n.startswith("v") else
                str(start + i) for n in names))
        # When it fails at once the lines are a statement, which \\r forgets.  SQLSTATE does
        # not tell what fails at the end of the lines.
        return "COPY %s (%s) FROM stdin;\n%s\n\\.\n\\r\nSELECT" % (
            name(table["table"]), ", ".join(map(name, names)), "\n".join(rows))

    def bulk(self, table):
        """Beyond logical_decoding_work_mem."""
        r = self.random
        values = self.values(table)
        start, rows = r.randrange(10000, 10**6), r.choice([150, 300, 600])
        if r.random() < 0.3 and table["kind"] != "l":
            return self.update(table, "true")
        for column in values:
            stem = column.split(" ")[0]
            if stem in ("id", "a", "k"):
                values[column] = "%d + i" % start
            elif stem == "p":
                values[column] = "i % 4"
            elif stem == "b":
                values[column] = "'b' || i"
            elif stem == "v":
                values[column] = "repeat(md5(i::text), %d)" % r.choice([3, 10, 20])
            elif stem == "parent":
                values[column] = "NULL"
        return "INSERT INTO %s (%s) SELECT %s FROM generate_series(1, %d) AS i" % (
            name(table["table"]), ", ".join(map(name, values)), ", ".join(
                v + "::text" if c[0] in "vw" else v for c, v in values.items()), rows)

    def update(self, table, where=None):
        values = self.values(table)
        keys = KINDS[table["kind"]][1].split()
        changed = [c for c in values if c.split(" ")[0] not in keys and self.chance(0.4)]
        if not changed or self.chance(0.1):
            changed = [list(values)[0]]
        sets = []
        for c in changed:
            stem = c.split(" ")[0]
            if stem in keys or stem == "id":
                sets.append("%s = %s" % (name(c), values[c] if self.chance(0.3) else
                    "%s + %d" % (name(c), self.random.randrange(1, 100)) if stem != "b" else
                    name(c) + " || 'x'"))
            elif self.chance(0.1):
                sets.append("%s = %s" % (name(c), name(c)))
            else:
                sets.append("%s = %s" % (name(c), values[c]))
        return "UPDATE %s SET %s WHERE %s" % (
            name(table["table"]), ", ".join(sets), where or self.where(table))

    def rekey(self, table):
        """Another key; in a partitioned table often another partition."""
        columns = [c["name"] for c in table["columns"]
            if c["name"].split(" ")[0] in KINDS[table["kind"]][1].split()]
        if not columns:
            return self.update(table)
        column = self.random.choice(columns)
        stem = column.split(" ")[0]
        new = {"b": name(column) + " || 'y'", "p": "(%s + 1) %% 4" % name(column)}.get(
            stem, "%s + %d" % (name(column), self.random.choice([1, 60, 1000])))
        return "UPDATE %s SET %s = %s WHERE %s" % (
            name(table["table"]), name(column), new, self.where(table))

    def delete(self, table):
        return "DELETE FROM %s WHERE %s" % (
            name(table["table"]), "true" if self.chance(0.05) else self.where(table))

    def truncate(self, table, tables):
        names = {table["table"]}
        if self.chance(0.3):
            names.add(self.random.choice(tables)["table"])
        return "TRUNCATE %s%s%s" % (", ".join(map(name, sorted(names))),
            " RESTART IDENTITY" if self.chance(0.3) else "", " CASCADE" if self.chance(0.5) else "")

    def block(self, table):
        """PL/pgSQL: subtransactions, some of them rolled back, nested, or many."""
        r = self.random
        count = r.choice([2, 5, 90])
        if table["kind"] in "kgo" and count == 90:
            columns = {c["name"].split(" ")[0]: name(c["name"]) for c in table["columns"]}
            body = "INSERT INTO %s (%s, %s) VALUES (%d + i, repeat(md5(i::text), %d));" % (
                name(table["table"]), columns["id"], columns["v"],
                r.randrange(10**6, 10**8), r.choice([1, 30]))
        else:
            count = min(count, 5)
            body = self.row(table) + ";"
        inner = "IF i %% %d = 0 THEN RAISE division_by_zero; END IF;" % r.choice([2, 3, 50])
        for _ in range(r.choice([0, 0, 1, 4])):
            inner = "BEGIN %s; %s EXCEPTION WHEN division_by_zero THEN %s END;" % (
                self.row(table), inner, r.choice(["NULL;", "RAISE;", self.row(table) + ";"]))
        return ("DO $do$ BEGIN FOR i IN 1..%d LOOP BEGIN %s %s EXCEPTION WHEN division_by_zero OR"
            " unique_violation THEN NULL; END; END LOOP; END $do$" % (count, body, inner))

    def message(self):
        return "SELECT pg_logical_emit_message(%s, %s, repeat('m', %d))" % (
            self.random.choice(["true", "false"]), literal(self.random.choice(TEXTS)), self.random.choice([0, 5, 3000]))

    def row(self, table):
        """A statement on rows that stands alone."""
        if table["kind"] == "l":
            return self.insert(table)
        return self.random.choice([self.insert, self.insert, self.update, self.update,
            self.rekey, self.delete])(table)

    # Definitions ----------------------------------------------------------------------

    def column(self):
        """A name and a type for a new column."""
        kind = self.random.choice(list(TYPES))
        return name("c%d%s" % (self.next(), self.random.choice(["", " Ü", ' "q"']))), kind

    def create(self, session, kind, table):
        columns = [self.column() for _ in range(self.random.randrange(1, 7))]
        more = "".join(", %s %s" % c for c in columns)
        if self.chance(0.3) and kind not in "fg":
            more += ", gen text GENERATED ALWAYS AS ('g') STORED"
        adds = "".join("; ALTER TABLE %s_2 ADD %s" % (table, c) for c in more.split(", ")[1:])
        if "p" == kind and "(" in more:  # types with commas, or a generated column
            more = adds = ""
        statement = KINDS[kind][0].replace("%s", table).replace("%t", more).replace("%u", adds)
        failed = False
        for part in statement.split("; "):
            failed = failed or session.run(part)

    def define(self, session, table):
        """One change of a definition."""
        r = self.random
        keys = KINDS[table["kind"]][1].split() + ["id"]
        free = [c for c in table["columns"] if c["name"].split(" ")[0] not in keys]
        alter = "ALTER TABLE %s " % name(table["table"])
        what = r.choice(["add", "add", "default", "drop", "rename", "rename", "retype", "retype",
            "create", "remove", "rename table", "identity", "storage", "other"])
        if what == "default":
            return session.run(alter + 'ADD "c%d=7" int DEFAULT 7' % self.next())
        if what == "drop" and [c for c in free if c["name"][0] == "c"]:
            column = r.choice([c for c in free if c["name"][0] == "c"])
            return session.run(alter + "DROP " + name(column["name"]))
        if what == "rename":
            column = r.choice(table["columns"])
            return session.run(alter + "RENAME %s TO %s" % (name(column["name"]),
                name(column["name"].split(" ")[0] + " r%d" % self.next())))
        if what == "retype":
            candidates = [c for c in free if c["type"] in RETYPES and c["name"][0] != "p"]
            if candidates:
                column = r.choice(candidates)
                to = r.choice(RETYPES[column["type"]])
                return session.run(alter + "ALTER %s TYPE %s USING %s::%s" % (
                    name(column["name"]), to, name(column["name"]), to))
        if what == "create":
            kind = r.choice("kcfgilop")
            return self.create(session, kind, "%s%d" % (kind, self.next()))
        if what == "remove":
            return session.run("DROP TABLE %s%s" % (
                name(table["table"]), " CASCADE" if table["table"] == "k0" else ""))
        # Of a partitioned table the server goes on to tell the old name for a while: renaming
        # it does not make pgoutput forget what it sent for the partitions.
        if what == "rename table" and table["table"] not in ("k0", "r0") and table["kind"] != "p":
            return session.run(alter + "RENAME TO " + name(
                "%s%d%s" % (table["kind"], self.next(), r.choice(["", " T", "Ä"]))))
        if what == "identity" and table["kind"] in "kgo":
            return session.run(alter + "REPLICA IDENTITY " + r.choice(["FULL", "DEFAULT"]))
        if what == "storage" and free:
            return session.run(alter + "ALTER v SET STORAGE EXTERNAL")
        if what == "other":
            return session.run(r.choice([alter + "ALTER v SET NOT NULL",
                "ANALYZE " + name(table["table"]), alter + "ADD CHECK (true)"]))
        return session.run(alter + "ADD %s %s" % self.column())

    # Transactions ---------------------------------------------------------------------

    def begin(self, session):
        session.plan = self.random.choice([1, 2, 4, 8, 20])
        session.open, session.failed, session.savepoints = True, False, []
        session.defined = False
        session.run("BEGIN" + self.random.choice(["", "", "", " ISOLATION LEVEL REPEATABLE READ"]))

    def end(self, session):
        choice = self.random.random()
        if choice < 0.15:
            session.run("ROLLBACK")
        elif choice < 0.25 and not (session.failed or session.defined):
            gid = "%s_%d" % (self.prefix, self.next())
            if not session.run("PREPARE TRANSACTION " + literal(gid)):
                self.prepared.append(gid)
        else:
            session.run("COMMIT")
        session.open = session.failed = session.defined = False

    def resolve(self, session):
        gid = self.prepared.pop(self.random.randrange(len(self.prepared)))
        how = self.random.choice(["COMMIT", "COMMIT", "ROLLBACK"])
        if session.run("%s PREPARED %s" % (how, literal(gid))):
            sys.exit("workload.py: a prepared transaction is stuck")

    def savepoint(self, session):
        choice = self.random.random()
        if not session.savepoints or choice < 0.45:
            session.savepoints.append("s%d" % self.next())
            session.run("SAVEPOINT " + session.savepoints[-1])
            return
        at = self.random.randrange(len(session.savepoints))
        if choice < 0.65:
            session.run("RELEASE " + session.savepoints[at])
            del session.savepoints[at:]
        else:
            self.back(session, at)

    def back(self, session, at):
        session.run("ROLLBACK TO " + session.savepoints[at])
        del session.savepoints[at + 1:]
        session.failed = False

    def step(self):
        session = self.random.choice(self.sessions)
        if session.failed:
            if session.savepoints and self.chance(0.8):
                self.back(session, self.random.randrange(len(session.savepoints)))
            else:
                self.end(session)
            return
        if not session.open:
            if self.prepared and self.chance(0.3):
                self.resolve(session)
                return
            if self.chance(0.8):
                self.begin(session)
        elif session.plan <= 0:
            self.end(session)
            return
        session.plan -= 1
        tables = session.tables()
        self.parent = any(t["table"] == "k0" for t in tables)
        if not tables:
            session.defined = session.open
            self.create(session, "k", "k%d" % self.next())
            return
        table = self.random.choice(tables)
        choice = self.random.random()
        if session.open and choice < 0.2:
            self.savepoint(session)
        elif 0.2 <= choice < 0.28:
            session.defined = session.open
            self.define(session, table)
        elif 0.28 <= choice < 0.30:
            session.defined = session.open
            session.run(self.truncate(table, tables))
        elif 0.30 <= choice < 0.33:
            session.run(self.message())
        elif 0.33 <= choice < 0.41:
            session.run(self.block(table))
        elif 0.41 <= choice < 0.50 or (session.plan > 10 and 0.41 <= choice < 0.6):
            session.run(self.bulk(table))
        elif 0.41 <= choice < 0.63:
            session.run(self.copy(table))
        else:
            session.run(self.row(table))

    def finish(self):
        for session in self.sessions:
            if session.open:
                self.end(session)
        while self.prepared:
            self.resolve(self.sessions[0])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("seed", type=int)
    parser.add_argument("-n", type=int, default=300, help="steps")
    parser.add_argument("-l", default="/dev/null", help="log of statements")
    parser.add_argument("--midway", help="a command")
    options = parser.parse_args()
    with open(options.l, "w", encoding="utf-8", buffering=1) as log:
        workload = Workload(options.seed, log)
        for i in range(options.n):
            if i == options.n // 2 and options.midway:
                # A commit flushes the log up to its end.  Left alone, the server may flush it
                # up to the middle of a record, which cannot be decoded until there is more.
                subprocess.run(["psql", "-Xqo", "/dev/null", "-c",
                    "SELECT pg_logical_emit_message(true, 'midway', '')"], check=True)
                subprocess.run(options.midway, shell=True, check=True)
            workload.step()
        workload.finish()


if __name__ == "__main__":
    main()
