"""The sessions: those of liveload.py and more, which bear that the server goes away."""
import random
import time

import library
import liveload
import workload
from liveload import EXPECTED, Gone, Session
from sources import UNSWAPPED

MORE = EXPECTED | {
    "0A000",  # a prepared transaction that used temporary objects
    "22003",  # out of range, where a type is changed
    "22P02",  # no such value, likewise
    "23503",  # foreign key
    "42704",  # a prepared transaction that was ended, but nobody heard of it
    "42701",  # a column that is there
    "42703",  # a column that is gone
    "42710",  # prepared already
    "XX000",  # tuple concurrently updated
}

# Of workload.py's types those whose values are in no document as a search server refuses them.
DEFINED = ("boolean smallint integer bigint real numeric text date timestamp timestamptz interval uuid"
    " inet int4range bytea time jsonb").split() + ["double precision", "integer[]", "text[]", "date[]",
    "numeric(10,2)", "varchar(300)", "char(5)", "timestamp(3)"]
JSONS = [j for j in workload.JSONS if '""' not in j]


class Life:
    """A thread's life, over several connections."""

    def run(self):
        session = None
        while not self.test.enough.is_set():
            try:
                if session is None:
                    session = Session(self.log, expected=MORE)
                    self.begin(session)
                self.rest()
                self.transaction(session)
                time.sleep(self.random.random() * self.test.rest)
            except Gone:
                self.lost += 1
                if session is not None:
                    session.close()
                session = None
                time.sleep(0.1)
            except Exception as error:  # said by the test
                self.error = repr(error)
                self.test.enough.set()
        if session is not None:
            session.close()

    lost = 0

    def begin(self, session):
        """Prepared transactions whose session is gone."""
        mine = "%s-%d-" % (self.test.name, self.number)
        for name in session.ask("SELECT gid FROM pg_prepared_xacts WHERE starts_with(gid, '%s')" % mine)[1]:
            if name not in [n for n, _ in self.prepared]:
                self.prepared.append((name, time.monotonic()))


class Rows(Life, liveload.Load):
    """Changes rows of all tables."""

    def typed(self):
        r = self.random
        table = r.choice(self.test.tables.typed[:-1] * 6 + self.test.tables.typed[-1:])
        to, other = r.randint(1, 30), r.randint(1, 21)
        column = r.choice(self.test.tables.columns[table])
        return r.choice([
            "UPDATE types.{0} SET {1} = (SELECT {1} FROM own.{0} WHERE id = {2}) WHERE id = {3}",
            "UPDATE types.{0} SET {1} = (SELECT {1} FROM own.{0} WHERE id = {2}) WHERE id %% 5 = {3} %% 5",
            "UPDATE types.{0} t SET ({4}) = (SELECT {4} FROM own.{0} WHERE id = {2}) WHERE id = {3}"
            " AND EXISTS (SELECT FROM own.{0} WHERE id = {2})",
            "UPDATE types.{0} SET id = id + 30 WHERE id = {3} AND NOT EXISTS"
            " (SELECT FROM types.{0} WHERE id = {3} + 30)",
            "UPDATE types.{0} SET id = id - 30 WHERE id = {3} + 30 AND NOT EXISTS"
            " (SELECT FROM types.{0} WHERE id = {3})",
            "DELETE FROM types.{0} WHERE id = {3}",
            "INSERT INTO types.{0} SELECT * FROM own.{0} WHERE id IN ({2}, {3}) ON CONFLICT DO NOTHING",
        ]).replace("%%", "%").format(table, column, other, to,
            ", ".join(self.test.tables.columns[table]))

    def keys(self):
        r = self.random
        table = r.choice(self.test.tables.keys)
        return r.choice([
            "DELETE FROM types.{0} WHERE v % 7 = {1}",
            "INSERT INTO types.{0} SELECT * FROM own.{0} ON CONFLICT DO NOTHING",
            "UPDATE types.{0} SET v = v + 100000 WHERE v % 7 = {1}",
            # One has another's key.
            "DELETE FROM types.{0} WHERE v % 7 = {1}; INSERT INTO types.{0} SELECT k, v + 200000"
            " FROM own.{0} WHERE v % 7 = {1} ON CONFLICT DO NOTHING",
        ]).format(table, r.randint(0, 6))

    def swaps(self):
        r = self.random
        a, b = r.randint(1, 20), r.randint(1, 20)
        c = UNSWAPPED + r.randint(1, 20)
        return r.choice([
            "UPDATE swaps SET id = CASE id WHEN %d THEN %d ELSE %d END, n = n + 1"
            " WHERE id IN (%d, %d)" % (a, b, a, a, b),
            "UPDATE swaps SET n = n + 1 WHERE id = %d" % c,
            "DELETE FROM swaps WHERE id = %d; INSERT INTO swaps VALUES (%d, 0)" % (c, c),
        ])

    def others(self):
        r, k = self.random, self.random.randint(1, 60)
        return r.choice([
            "INSERT INTO generated (n, v) VALUES (%d, NULL)" % k,
            "UPDATE generated SET n = n + 1 WHERE id %% 20 = %d" % (k % 20),
            "UPDATE generated SET v = repeat(v || 'x', 2) WHERE id = %d AND length(v) < 2000" % k,
            "DELETE FROM generated WHERE id = %d" % k,
            "UPDATE indexed SET v = v || '.' WHERE id = %d" % k,
            "UPDATE indexed SET k = -k WHERE id = %d" % k,
            "UPDATE indexed SET k = k + 1000 * sign(k)::int WHERE id = %d AND abs(k) < 100000" % k,
            "DELETE FROM indexed WHERE id = %d" % k,
            "INSERT INTO indexed VALUES (%d, 'new', %d) ON CONFLICT DO NOTHING" % (k, -k),
        ])

    def statement(self):
        kind = self.random.choices(["", "typed", "keys", "swaps", "others"], [60, 12, 5, 5, 10])[0]
        return getattr(self, kind)() if kind else super().statement()


class Books(Life, liveload.Load):
    """Parents and children, by library.py."""

    def begin(self, session):
        super().begin(session)
        session.run(library.START.rstrip(";"))

    def transaction(self, s):
        size = self.random.choice([1, 1, 2, 5])
        s.run("BEGIN")
        for _ in range(size):
            self.serial = (self.serial + 1) % 50000
            s.run(library.statement(self.random, 100000 + self.serial).rstrip(";"))
        s.run(self.random.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]))
        self.committed += 1
        time.sleep(self.random.random() * 0.1)


class Definer(Life, liveload.Load):
    """Changes definitions.  What ALTER TABLE does to rows is not streamed, so all of a table's are
    touched behind it."""

    def value(self, kind):
        r = self.random
        if r.random() < 0.1:
            return "NULL"
        values = JSONS if kind == "jsonb" else workload.TYPES[kind]
        if kind == "jsonb":
            values = [j for j in values if j != "1e400"]
        return workload.literal(values(r) if callable(values) else r.choice(values)) + "::" + kind

    def columns(self, s, table):
        lines = s.ask("SELECT attname || '|' || format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = '%s'::regclass AND attnum > 0 AND NOT attisdropped" % table)[1]
        return [line.split("|") for line in lines][1:]

    def define(self, s, table):
        r = self.random
        self.serial += 1
        columns = self.columns(s, table)
        what = r.choice(["add", "add", "default", "drop", "rename", "type", "identity"])
        name = '"c%d %s"' % (self.serial, r.choice(["", "Ü", "q"]))
        kind = r.choice(DEFINED)
        if what == "add" or len(columns) < 2:
            s.run("ALTER TABLE %s ADD %s %s" % (table, name, kind))
            s.run("UPDATE %s SET %s = %s WHERE id %% 3 = 1" % (table, name, self.value(kind)))
        elif what == "default":
            s.run("ALTER TABLE %s ADD %s %s DEFAULT %s" % (table, name, kind, self.value(kind)))
        elif what == "drop":
            s.run('ALTER TABLE %s DROP "%s"' % (table, r.choice(columns)[0]))
        elif what == "rename":
            s.run('ALTER TABLE %s RENAME "%s" TO %s' % (table, r.choice(columns)[0], name))
        elif what == "type":
            column, old = r.choice(columns)
            new = r.choice(workload.RETYPES.get(old, ["text"]))
            s.run('ALTER TABLE %s ALTER "%s" DROP DEFAULT' % (table, column))
            s.run('ALTER TABLE {0} ALTER "{1}" TYPE {2} USING "{1}"::{2}'.format(table, column, new))
        else:
            s.run("ALTER TABLE %s REPLICA IDENTITY %s" % (table, r.choice(["FULL", "DEFAULT"])))

    def rows(self, s, table):
        r, k = self.random, self.random.randint(1, 60)
        columns = self.columns(s, table)
        sets = [('"%s"' % c, self.value(t)) for c, t in columns if t in DEFINED and r.random() < 0.5]
        if r.random() < 0.3:
            s.run(r.choice(["DELETE FROM %s WHERE id = %d" % (table, k),
                "UPDATE %s SET id = id + 60 WHERE id = %d" % (table, k),
                "UPDATE %s SET id = id - 60 WHERE id = %d" % (table, k + 60)]))
        elif r.random() < 0.5:
            names, values = zip(("id", str(k)), *sets)
            s.run("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO NOTHING" % (
                table, ", ".join(names), ", ".join(values)))
        elif sets:
            s.run("UPDATE %s SET %s WHERE id BETWEEN %d AND %d" % (
                table, ", ".join("%s = %s" % x for x in sets), k, k + r.randint(0, 3)))

    def create(self, s):
        self.serial += 1
        table = "defined_%d" % (100 + self.serial)
        s.run("CREATE TABLE %s (id int PRIMARY KEY, v text, w numeric)" % table)
        s.run("ALTER PUBLICATION %s ADD TABLE %s" % (self.test.name, table))
        s.run("INSERT INTO %s SELECT i, 'v' || i, i FROM generate_series(1, %d) i" % (
            table, self.random.choice([1, 20, 400])))

    def transaction(self, s):
        r = self.random
        tables = s.ask("SELECT relname FROM pg_class WHERE relname LIKE 'defined\\_%' AND relkind = 'r'"
            " ORDER BY 1")[1]
        if not tables:
            return
        table = r.choice(tables)
        s.run("BEGIN")
        for _ in range(r.randint(0, 3)):
            self.rows(s, table)
        if len(tables) < 6 and r.random() < 0.1:
            self.create(s)
        if r.random() < 0.5:
            part = r.random() < 0.3
            if part:
                s.run("SAVEPOINT d")
            self.define(s, table)
            s.run("UPDATE %s SET id = id" % table)
            if part:
                s.run(r.choice(["ROLLBACK TO d", "RELEASE d"]))
        for _ in range(r.randint(0, 3)):
            self.rows(s, table)
        s.run(r.choice(["COMMIT"] * 5 + ["ROLLBACK"]))
        self.committed += 1
        time.sleep(r.random() * 0.3)
