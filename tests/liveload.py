"""Sessions that change tables in all ways, and the tables, for the tests that load and stream
them: snapshot-kill.py and torture/.

A load's attribute "test" has seed, dir and name, rows (how many all tables had), rest (seconds
between two transactions, at most), and enough, an event that ends it; behind says that the slot
is far behind, and loads wait.
"""
import json
import os
import random
import re
import subprocess
import threading
import time
import urllib.request

# Errors that the load's statements may have; a transaction that has one is rolled back.
EXPECTED = {
    "00000",
    "23505",  # a key that is there already
    "25P02",  # the transaction has failed already
    "3B001",  # a savepoint of a transaction that had failed already
    "40001",  # a row that another session moved to another partition
    "40P01",  # deadlock
    "55P03",  # lock timeout
}

# Name, part of all rows, id as the mapper makes it, how it is mapped beside.
TABLES = {
    "items": (40, "id::text", ""),
    '"Mixed Case"': (15, "\"Zone\" || '|' || \"The Id\"", ""),
    "loose": (10, "a || '/' || b || '/' || c", "id: '{a}/{b}/{c}'"),
    "whole": (10, "id::text", ""),
    "parts": (15, "id || '|' || p", "on: { truncate: delete }"),
    "events": (8, "id::text", "on: { truncate: delete }"),
    "accounts": (2, "id::text", ""),
}

SETUP = """
CREATE TABLE items (id bigserial PRIMARY KEY, n int NOT NULL, name text, big text);
ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
CREATE TABLE "Mixed Case" ("The Id" int, n int, "Big" text, "Zone" text,
    PRIMARY KEY ("Zone", "The Id"));
ALTER TABLE "Mixed Case" ALTER "Big" SET STORAGE EXTERNAL;
CREATE TABLE loose (a int NOT NULL, b text NOT NULL, c text NOT NULL);
CREATE UNIQUE INDEX ON loose (a);
ALTER TABLE loose REPLICA IDENTITY FULL;
CREATE TABLE whole (id int PRIMARY KEY, n int, big text);
ALTER TABLE whole ALTER big SET STORAGE EXTERNAL;
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE parts (id int, p int, n int, big text, PRIMARY KEY (id, p)) PARTITION BY LIST (p);
CREATE TABLE parts0 PARTITION OF parts FOR VALUES IN (0);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts2 (big text, n int, p int NOT NULL, id int NOT NULL);
ALTER TABLE parts2 ADD gone int; ALTER TABLE parts2 DROP gone;
ALTER TABLE parts ATTACH PARTITION parts2 FOR VALUES IN (2, 3);
ALTER TABLE parts0 ALTER big SET STORAGE EXTERNAL;
ALTER TABLE parts1 ALTER big SET STORAGE EXTERNAL;
ALTER TABLE parts2 ALTER big SET STORAGE EXTERNAL;
CREATE TABLE events (id serial PRIMARY KEY, n int, text text);
CREATE TABLE accounts (id int PRIMARY KEY, n int NOT NULL);
-- 3 to 20 kB, incompressible or not; STORAGE EXTERNAL does not care.
CREATE FUNCTION big(i bigint) RETURNS text LANGUAGE sql VOLATILE AS
    $$SELECT repeat(md5(i || ':' || random()), (100 + abs(i) % 530)::int)$$;
"""

FILL = """
SELECT setseed(0.5);
INSERT INTO items (n, name, big) SELECT 0, 'name "' || i || '" \\ ä', CASE WHEN i %% 67 = 0 THEN
    big(i) END FROM generate_series(1, %(items)d) i;
INSERT INTO "Mixed Case" SELECT i, 0, CASE WHEN i %% 71 = 0 THEN big(i) END, 'z' || i %% 5
    FROM generate_series(1, %(mixed)d) i;
INSERT INTO loose SELECT i, 'b' || i %% 9, md5(i::text) FROM generate_series(1, %(loose)d) i;
INSERT INTO whole SELECT i, 0, CASE WHEN i %% 61 = 0 THEN big(i) END
    FROM generate_series(1, %(whole)d) i;
INSERT INTO parts SELECT i, i %% 4, 0, CASE WHEN i %% 79 = 0 THEN big(i) END
    FROM generate_series(1, %(parts)d) i;
INSERT INTO events (n, text) SELECT i, 'event ' || i FROM generate_series(1, %(events)d) i;
INSERT INTO accounts SELECT i, 0 FROM generate_series(1, %(accounts)d) i;
"""


def counts(rows):
    names = {'"Mixed Case"': "mixed"}
    return {names.get(t, t): rows * part // 100 for t, (part, _, _) in TABLES.items()}


def psql(statements):
    """What they print, without the last newline."""
    return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-"], check=True,
        input=statements, stdout=subprocess.PIPE, encoding="utf-8").stdout.rstrip("\n")


class Gone(RuntimeError):
    """The server, or the connection to it."""


class Session:
    """A psql that is told statements one by one."""

    def __init__(self, log, name="load", expected=EXPECTED):
        self.log = log
        self.expected = expected
        self.start = time.monotonic()
        self.psql = subprocess.Popen(
            ["psql", "-XAtq", "-v", "VERBOSITY=sqlstate"], bufsize=1, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
            env=dict(os.environ, PGAPPNAME=name))
        try:
            self.ask("SET lock_timeout = '500ms'; SET client_min_messages = error")
        except Gone:
            self.close()
            raise

    def ask(self, statement):
        """Its SQLSTATE, and the lines that came."""
        self.tell(statement)
        return self.hear()

    def tell(self, statement):
        """Without waiting; it takes hear() later."""
        try:
            self.psql.stdin.write(statement + ";\n\\echo @done :SQLSTATE\n")
            self.psql.stdin.flush()
        except BrokenPipeError as error:
            raise Gone("psql ended") from error

    def hear(self):
        lines = []
        for line in self.psql.stdout:
            if line.startswith("@done "):
                return line.split()[1], lines
            lines.append(line.rstrip("\n"))
        raise Gone("psql ended")

    def run(self, statement):
        """Did it do what it should?"""
        state, _ = self.ask(statement)
        self.log.write("%.3f %s %s\n" % (time.monotonic() - self.start, state, statement))
        if state not in self.expected:
            raise RuntimeError("SQLSTATE %s: %s" % (state, statement))
        return state == "00000"

    def close(self):
        try:
            self.psql.stdin.close()
        except BrokenPipeError:
            pass
        self.psql.stdout.close()
        self.psql.wait()


class Load(threading.Thread):
    """A session's transactions, until it is told to stop."""

    def __init__(self, test, number):
        super().__init__(daemon=True)
        self.test = test
        self.number = number
        self.random = random.Random("%d %d" % (test.seed, number))
        self.size = counts(test.rows)
        self.log = open("%s/load%d.log" % (test.dir, number), "w", encoding="utf-8", buffering=1)
        self.committed = 0
        self.prepared = []
        self.serial = 0
        self.error = None

    def chance(self, part):
        return self.random.random() < part

    def key(self, table):
        """One that is or was there, of those that move it; in one of ten cases a hot one."""
        n = self.size[table]
        return self.random.randint(1, max(1, n // 50 if self.chance(0.1) else n))

    def items(self):
        r, k, w = self.random, self.key("items"), self.random.randint(0, 12)
        between = "id BETWEEN %d AND %d" % (k, k + w)
        return r.choice([
            # Large values are left alone, and often the row goes elsewhere.
            "UPDATE items SET n = n + 1 WHERE " + between,
            "UPDATE items SET n = n + 1 WHERE %s" % between,
            "UPDATE items SET n = n + 1 WHERE big IS NOT NULL AND id BETWEEN %d AND %d"
                % (k, k + 1000),
            "UPDATE items SET name = name || '.' WHERE big IS NOT NULL AND id BETWEEN %d AND %d"
                % (k, k + 300),
            "UPDATE items SET big = big(id) WHERE " + between,
            "UPDATE items SET big = NULL WHERE id = %d" % k,
            # Other keys, with large values that stay; back again, too.
            "UPDATE items SET id = -id, n = n + 1 WHERE id BETWEEN %d AND %d AND big IS NOT NULL"
                % (k, k + 150),
            "UPDATE items SET id = -id WHERE " + between,
            "UPDATE items SET id = -id, name = 'back' WHERE id BETWEEN %d AND %d"
                % (-k - 150, -k),
            "DELETE FROM items WHERE " + between,
            "DELETE FROM items WHERE id = %d; INSERT INTO items VALUES (%d, 7, 'again', %s)"
                % (k, k, r.choice(["NULL", "big(%d)" % k])),
            "INSERT INTO items (n, name, big) SELECT 1, 'new', CASE WHEN i %% 5 = 0 THEN big(i)"
            " END FROM generate_series(1, %d) i" % (w * 4),
            # Two change their places.
            "UPDATE items SET id = 1000000000 + %d WHERE id = %d; UPDATE items SET id = %d"
            " WHERE id = %d; UPDATE items SET id = %d WHERE id = 1000000000 + %d"
                % (self.number, k, k, k + w + 1, k + w + 1, self.number),
        ])

    def mixed(self):
        r, k, w = self.random, self.key("mixed"), self.random.randint(0, 12)
        zone = "\"Zone\" = 'z%d' AND \"The Id\" BETWEEN %d AND %d" % (k % 5, k, k + 5 * w)
        return r.choice([
            "UPDATE \"Mixed Case\" SET n = n + 1 WHERE " + zone,
            "UPDATE \"Mixed Case\" SET n = n + 1 WHERE \"Big\" IS NOT NULL AND %s"
                % zone.replace(str(k + 5 * w), str(k + 2000)),
            "UPDATE \"Mixed Case\" SET \"The Id\" = -\"The Id\", \"Zone\" = \"Zone\" || '|' WHERE "
                + zone,
            "UPDATE \"Mixed Case\" SET \"Big\" = big(n) WHERE " + zone,
            "DELETE FROM \"Mixed Case\" WHERE " + zone,
            "INSERT INTO \"Mixed Case\" VALUES (%d, 1, big(%d), 'z%d') ON CONFLICT (\"The Id\","
            " \"Zone\") DO UPDATE SET n = excluded.n + 1" % (k, k, k % 5),
        ])

    def loose(self):
        r, k, w = self.random, self.key("loose"), self.random.randint(0, 12)
        between = "a BETWEEN %d AND %d" % (k, k + w)
        return r.choice([
            "UPDATE loose SET c = md5(c) WHERE " + between,
            "UPDATE loose SET b = 'x' || b WHERE length(b) < 9 AND " + between,
            "UPDATE loose SET a = -a WHERE " + between,
            "UPDATE loose SET a = -a WHERE a BETWEEN %d AND %d" % (-k - w, -k),
            # There and back: the same content again.
            "UPDATE loose SET b = 'there' || b WHERE %s; UPDATE loose SET b = substr(b, 6)"
            " WHERE b LIKE 'there%%' AND %s" % (between, between),
            "DELETE FROM loose WHERE " + between,
            "INSERT INTO loose VALUES (%d, 'b%d', md5('%d')) ON CONFLICT DO NOTHING"
                % (k, k % 9, k),
        ])

    def whole(self):
        r, k, w = self.random, self.key("whole"), self.random.randint(0, 12)
        between = "id BETWEEN %d AND %d" % (k, k + w)
        return r.choice([
            "UPDATE whole SET n = n + 1 WHERE " + between,
            "UPDATE whole SET n = n + 1 WHERE big IS NOT NULL AND id BETWEEN %d AND %d"
                % (k, k + 500),
            "UPDATE whole SET id = -id WHERE " + between,
            "UPDATE whole SET big = big(id) WHERE " + between,
            "DELETE FROM whole WHERE " + between,
            "INSERT INTO whole SELECT i, 2, big(i) FROM generate_series(%d, %d) i"
            " ON CONFLICT (id) DO UPDATE SET n = whole.n - 1" % (k, k + w),
        ])

    def parts(self):
        r, k, w = self.random, self.key("parts"), self.random.randint(0, 12)
        between = "id BETWEEN %d AND %d" % (k, k + w)
        return r.choice([
            "UPDATE parts SET n = n + 1 WHERE " + between,
            "UPDATE parts SET n = n + 1 WHERE big IS NOT NULL AND id BETWEEN %d AND %d"
                % (k, k + 600),
            "UPDATE parts SET p = (p + 1) %% 4 WHERE " + between,
            "UPDATE parts SET p = (p + %d) %% 4, n = n + 1 WHERE big IS NOT NULL AND id BETWEEN"
            " %d AND %d" % (r.randint(1, 3), k, k + 300),
            "UPDATE parts SET id = -id WHERE " + between,
            "DELETE FROM parts WHERE " + between,
            "INSERT INTO parts VALUES (%d, %d, 3, big(%d)) ON CONFLICT DO NOTHING"
                % (k, r.randint(0, 3), k),
        ]).replace("%%", "%")

    def events(self):
        r, k, w = self.random, self.key("events"), self.random.randint(0, 12)
        if self.chance(0.03):
            return "TRUNCATE events" + r.choice(["", "; " + self.events_insert(50)])
        return r.choice([
            self.events_insert(w), self.events_insert(10 * w),
            "UPDATE events SET n = n + 1 WHERE id BETWEEN %d AND %d" % (k, k + w),
            "DELETE FROM events WHERE id BETWEEN %d AND %d" % (k, k + w),
        ])

    def events_insert(self, n):
        return "INSERT INTO events (n, text) SELECT i, 'new %d' FROM generate_series(1, %d) i" % (
            self.number, n)

    def accounts(self):
        a, b = self.key("accounts"), self.key("accounts")
        return "; ".join("UPDATE accounts SET n = n %s 1 WHERE id = %d" % x
            for x in sorted([("+", a), ("-", b)], key=lambda x: x[1]))

    def large(self):
        """So much that the server streams it before it is committed."""
        r, k = self.random, self.key("items")
        if self.chance(0.1):
            # Of a million rows more than the reader keeps the keys of.
            return "UPDATE items SET n = n + 1 WHERE id BETWEEN %d AND %d" % (
                k, k + self.size["items"] // 5)
        return r.choice([
            "UPDATE items SET n = n + 1 WHERE id BETWEEN %d AND %d" % (k, k + 3000),
            "UPDATE parts SET n = n + 1 WHERE id BETWEEN %d AND %d" % (k // 3, k // 3 + 2000),
            "INSERT INTO items (n, name) SELECT i, 'many' FROM generate_series(1, 2000) i",
            "DELETE FROM items WHERE id BETWEEN %d AND %d" % (k, k + 400),
            "UPDATE loose SET c = md5(c) WHERE a BETWEEN %d AND %d" % (k // 4, k // 4 + 1500),
        ])

    def statement(self):
        kind = self.random.choices(
            ["items", "mixed", "loose", "whole", "parts", "events", "accounts", "large"],
            [30, 12, 10, 8, 12, 8, 16, 1.5])[0]
        return getattr(self, kind)()

    def transaction(self, s):
        r = self.random
        if not s.run("BEGIN"):
            return
        for _ in range(r.choice([1, 1, 2, 3, 5, 9])):
            if self.chance(0.1):
                s.run("SAVEPOINT s")
                s.run(self.statement())
                s.run("ROLLBACK TO s" if self.chance(0.5) else "RELEASE s")
            # psql sends several by one as several: a failed transaction runs into nothing.
            s.run(self.statement())
            if self.chance(0.03):
                time.sleep(r.random() * 0.3)  # others go on
        if self.chance(0.02):
            time.sleep(r.random() * 1.5)
        if self.chance(0.05):
            s.run("ROLLBACK")
        elif self.chance(0.04) and len(self.prepared) < 2:
            self.serial += 1
            name = "%s-%d-%d" % (self.test.name, self.number, self.serial)
            # Of a failed transaction it is a rollback, without an error.
            s.run("PREPARE TRANSACTION '%s'" % name)
            if s.ask("SELECT 1 FROM pg_prepared_xacts WHERE gid = '%s'" % name)[1]:
                self.prepared.append((name, time.monotonic() + r.random()))
        else:
            s.run("COMMIT")
            self.committed += 1
        self.finish(s, time.monotonic())

    def finish(self, s, before):
        """Ends prepared transactions whose time has come."""
        for name, at in list(self.prepared):
            if at <= before:
                s.run("%s PREPARED '%s'" % (self.random.choice(["COMMIT"] * 3 + ["ROLLBACK"]), name))
                self.prepared.remove((name, at))

    def rest(self):
        """Loading rests while the slot is far behind, so on a slow machine it would never end."""
        while self.test.behind and not self.test.enough.is_set():
            time.sleep(0.05)

    def run(self):
        try:
            s = Session(self.log)
            while not self.test.enough.is_set():
                self.rest()
                self.transaction(s)
                time.sleep(self.random.random() * self.test.rest)
            self.finish(s, float("inf"))
            s.close()
        except Exception as error:  # said by the test
            self.error = repr(error)
            self.test.enough.set()


class Mover(Load):
    """What makes rows move into blocks that were read, and tables into other files."""

    def run(self):
        r = self.random
        full = r.choice(["items", "items", '"Mixed Case"', "loose", "whole", "parts1"])
        fulls, roots = r.randint(1, 3), r.randint(0, 1)
        try:
            s, other = Session(self.log), Session(self.log)
            s.run("SET lock_timeout = '2s'")
            self.test.begun.wait()
            while not self.test.enough.is_set():
                self.rest()
                time.sleep(r.random() * 0.4)
                if roots and self.chance(0.1):
                    roots -= 1
                    s.run("TRUNCATE parts")
                    s.run("INSERT INTO parts SELECT i, i % 4, 9, CASE WHEN i % 50 = 0 THEN big(i) END"
                        " FROM generate_series(1, {}) i".format(self.size["parts"] // 4))
                if fulls and self.chance(0.3) and s.run("VACUUM FULL " + full):
                    fulls -= 1
                if self.test.seed % 2 == 1 and self.chance(0.5):
                    self.stall(s, other)
                self.make_room(s)
            s.close()
            other.close()
        except Exception as error:
            self.error = repr(error)
            self.test.enough.set()

    def stall(self, s, other):
        """Commits wait for a standby that is not there: they are streamed, and not seen."""
        table, key, name = self.random.choice([
            ("items", "id", "items"), ('"Mixed Case"', '"The Id"', "mixed"),
            ("parts", "id", "parts")])
        n = self.size[name]
        at = self.random.randint(1, n)
        s.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        s.run("SELECT pg_reload_conf()")
        time.sleep(0.02)
        other.tell("UPDATE {} SET n = n + 1 WHERE {} BETWEEN {} AND {}".format(
            table, key, at, at + n // 10))
        time.sleep(self.random.random() * 0.8)
        s.run("ALTER SYSTEM RESET synchronous_standby_names")
        s.run("SELECT pg_reload_conf()")
        other.hear()

    def make_room(self, s):
        """In blocks at the front, where then rows go that an update takes from the back."""
        r = self.random
        table, key, big, name = r.choice([
            ("items", "id", "big", "items"), ("items", "id", "big", "items"),
            ('"Mixed Case"', '"The Id"', '"Big"', "mixed"), ("whole", "id", "big", "whole"),
            ("parts1", "id", "big", "parts")])
        blocks = s.ask("SELECT pg_relation_size('%s') / 8192" % table)[1]
        block = r.randint(0, int(int(blocks[0]) * 0.5)) if blocks else 0
        s.run("DELETE FROM {0} WHERE ctid >= '({1},0)' AND ctid < '({2},0)' AND random() < 0.5"
            .format(table, block, block + 4))
        s.run(r.choice(["VACUUM %s", "VACUUM (FREEZE) %s", "VACUUM ANALYZE %s"]) % table)
        n = self.size[name]
        at = r.randint(n // 3, n)
        s.run("UPDATE {0} SET n = n + 1 WHERE {1} IS NOT NULL AND {2} BETWEEN {3} AND {4}"
            .format(table, big, key, at, at + n // 10))
        s.run(r.choice(["SELECT 1", "CHECKPOINT", "VACUUM events", "ANALYZE"]))


def documents(standin, index):
    """Of the stand-in at that URL: id, version, source of each, as bytes."""
    url = "%s/_standin/docs?index=%s" % (standin, index)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    head = re.compile(rb'\{"_index":"[^"]*","_id":"((?:[^"\\]|\\.)*)",(?:"routing":"[^"]*",)?'
        rb'"_version":(\d+),"_source":(.*)\}$', re.S)
    with opener.open(url, timeout=600) as answer:
        for line in answer:
            match = head.match(line.rstrip(b"\n"))
            if match is None:
                raise RuntimeError("a document is not understood: %r" % line[:300])
            key = match.group(1)
            if b"\\" in key:
                key = json.loads(b'"' + key + b'"').encode()
            yield key, int(match.group(2)), match.group(3)


def brief(text):
    text = re.sub(r"([0-9a-f]{32})\1+", r"\1*", text.decode())
    return text[:200]
