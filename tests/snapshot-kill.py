#!/usr/bin/env python3
"""One seed of snapshots under fire: tables are loaded by the whole pipeline while sessions
change them in all ways, and its stages are killed again and again; in the end each row is a
document, and each document a row.

    snapshot-kill.py tables --rows N            make the tables, in the connection's database
    snapshot-kill.py run SEED --rows N --name NAME --dir DIR --standin URL --log FILE
        [--rate ROWS] [--kills N] [--pause SECONDS] [--age SECONDS] [--memory KB]

NAME is slot, publication, and what the indexes' names begin with, in a database made by
"tables".  FILE is the stand-in's log, which remembers deletes for longer than this takes.
A line that begins with "wrong: " tells of something wrong, and makes the exit status 1; others
tell what was done.  What is random follows SEED, but for when sessions meet each other, and
the kills them; DIR keeps the stages' logs, and the statements of each session.
"""
import argparse
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
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

STAGES = ("read", "map", "write")


def counts(rows):
    names = {'"Mixed Case"': "mixed"}
    return {names.get(t, t): rows * part // 100 for t, (part, _, _) in TABLES.items()}


def psql(statements):
    """What they print, without the last newline."""
    return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", "-"], check=True,
        input=statements, stdout=subprocess.PIPE, encoding="utf-8").stdout.rstrip("\n")


class Session:
    """A psql that is told statements one by one."""

    def __init__(self, log, name="load"):
        self.log = log
        self.start = time.monotonic()
        self.psql = subprocess.Popen(
            ["psql", "-XAtq", "-v", "VERBOSITY=sqlstate"], bufsize=1, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8",
            env=dict(os.environ, PGAPPNAME=name))
        self.ask("SET lock_timeout = '500ms'; SET client_min_messages = error")

    def ask(self, statement):
        """Its SQLSTATE, and the lines that came."""
        self.tell(statement)
        return self.hear()

    def tell(self, statement):
        """Without waiting; it takes hear() later."""
        self.psql.stdin.write(statement + ";\n\\echo @done :SQLSTATE\n")
        self.psql.stdin.flush()

    def hear(self):
        lines = []
        for line in self.psql.stdout:
            if line.startswith("@done "):
                return line.split()[1], lines
            lines.append(line.rstrip("\n"))
        raise RuntimeError("psql ended")

    def run(self, statement):
        """Did it do what it should?"""
        state, _ = self.ask(statement)
        self.log.write("%.3f %s %s\n" % (time.monotonic() - self.start, state, statement))
        if state not in EXPECTED:
            raise RuntimeError("SQLSTATE %s: %s" % (state, statement))
        return state == "00000"

    def close(self):
        self.psql.stdin.close()
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


class Watch(threading.Thread):
    """How old do the pipeline's transactions become on the server, and is the slot far behind?"""

    def __init__(self, test):
        super().__init__(daemon=True)
        self.test = test
        self.oldest = {}
        self.samples = 0

    def run(self):
        s = Session(open(os.devnull, "w"), "watch")
        while not self.test.over.is_set():
            _, lines = s.ask("SELECT backend_type || E'\\t' || application_name || E'\\t' ||"
                " coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)"
                " FROM pg_stat_activity WHERE application_name LIKE 'pgcdc%'")
            self.samples += 1
            for line in lines:
                kind, name, age = line.split("\t")
                key = "walsender" if kind == "walsender" else name
                self.oldest[key] = max(self.oldest.get(key, 0), float(age))
            _, lines = s.ask("SELECT pg_current_wal_lsn() - confirmed_flush_lsn > 128 << 20"
                " FROM pg_replication_slots WHERE slot_name = '%s'" % self.test.name)
            self.test.behind = lines == ["t"]
            time.sleep(0.1)
        s.close()


class Pipeline:
    """The three stages, joined by pipes."""

    def __init__(self, test):
        self.test = test
        self.serial = 0
        self.process = {}
        self.most = 0

    def start(self):
        t, r = self.test, self.test.random
        self.serial += 1
        self.read_log = "%s/read.%d.log" % (t.dir, self.serial)
        version = int(psql("SHOW server_version_num")) // 10000
        protos = [1, 2, 3] + ([4] if version >= 16 else [])
        if version < 15:
            protos = [1, 2]
        sock = t.dir + "/ack.sock"
        chunk = r.choice([1, 8192, 30000, 100000]) if t.rows <= 100000 \
            else r.choice([30000, 200000, 1000000])
        read = ["pgcdc-read", "-v", "-d", "options='-c logical_decoding_work_mem=64kB'",
            "-s", t.name, "-p", t.name, "-a", sock, "--state", t.state_path,
            "--control", t.dir + "/control",
            "--snapshot", "initial", "--snapshot-workers", str(r.randint(1, 3)),
            "--snapshot-chunk-bytes", str(chunk), "--proto", str(r.choice(protos)),
            "--toast", t.toast,
            "--spool-mem", str(r.choice([0, 65536, 8388608])), "--spool-dir", t.dir]
        if t.rate:
            read += ["--snapshot-max-rate", str(t.rate)]
        write = ["esbulk-write", "-u", t.standin, "-a", sock, "--lanes", str(r.randint(1, 4)),
            "--batch-docs", str(r.choice([7, 200, 1000, 5000]))]
        self.command = " ".join(read[-14:])
        # Each with a log of its own; a pipe's ends stay with their processes alone.
        self.process["read"] = self.spawn("read", read, subprocess.DEVNULL)
        self.process["map"] = self.spawn("map", ["pgcdc-map", "-m", t.dir + "/mapping.yml"],
            self.process["read"].stdout)
        self.process["write"] = self.spawn("write", write, self.process["map"].stdout, False)
        self.process["read"].stdout.close()
        self.process["map"].stdout.close()

    def spawn(self, stage, command, stdin, piped=True):
        with open("%s/%s.%d.log" % (self.test.dir, stage, self.serial), "wb") as log:
            return subprocess.Popen(command, stdin=stdin, stderr=log,
                stdout=subprocess.PIPE if piped else log)

    def request(self, line):
        """What the reader answers, or nothing."""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(20)
                s.connect(self.test.dir + "/control")
                s.sendall(line.encode() + b"\n")
                s.shutdown(socket.SHUT_WR)
                return s.makefile(encoding="utf-8").read().strip()
        except OSError:
            return ""

    def logged(self, pattern):
        with open(self.read_log, encoding="utf-8", errors="replace") as log:
            return re.search(pattern, log.read()) is not None

    def dead(self):
        return [s for s in STAGES if self.process[s].poll() is not None]

    def statuses(self):
        return {s: self.process[s].poll() for s in STAGES}

    def memory(self):
        """The most that a reader ever had, in kB."""
        try:
            with open("/proc/%d/status" % self.process["read"].pid, encoding="ascii") as status:
                found = re.search(r"VmHWM:\s*(\d+) kB", status.read())
        except OSError:
            return
        if found:
            self.most = max(self.most, int(found.group(1)))

    def kill(self, victims, how):
        self.memory()
        for stage in victims:
            if self.process[stage].poll() is None:
                self.process[stage].send_signal(how)
        self.down(victims, 5 if how == signal.SIGKILL else 40)

    def down(self, victims, patience):
        """The others notice, as they must; what does not is made to."""
        until = time.monotonic() + patience
        while len(self.dead()) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        late = [s for s in STAGES if self.process[s].poll() is None]
        for stage in late:
            self.process[stage].kill()
        for stage in STAGES:
            status = self.process[stage].wait()
            if stage in late and "read" not in late:
                self.test.wrong("%s did not end when %s was dead" % (stage, victims))
            elif stage not in victims and stage not in late and status not in (0, 111):
                self.test.wrong("%s ended with %d when %s was killed (start %d)" % (
                    stage, status, victims, self.serial))


class Test:
    def __init__(self, o):
        self.seed, self.rows, self.name, self.dir = o.seed, o.rows, o.name, o.dir
        self.standin, self.rate, self.pause, self.kills = o.standin, o.rate, o.pause, o.kills
        self.age, self.memory, self.standin_log = o.age, o.memory, o.log
        self.state_path = self.dir + "/state"
        self.random = random.Random(o.seed)
        self.rest = self.random.choice([0.002, 0.01, 0.03])
        # One for all starts: what was left out because it was fetched must go on so.
        self.toast = self.random.choice(["mark", "mark", "fetch"])
        self.behind = False
        self.begun, self.enough, self.over = (threading.Event() for _ in range(3))
        self.failed = False

    def wrong(self, text):
        self.failed = True
        print("wrong: seed %d: %s" % (self.seed, text), flush=True)

    def say(self, text):
        print("seed %d: %s" % (self.seed, text), flush=True)

    def index(self, table):
        return self.name + "-" + table.strip('"').lower().replace(" ", "-")

    def loaded(self):
        """Is all of every heap stored, by the state file?"""
        try:
            with open(self.state_path, encoding="ascii") as state:
                lines = [line for line in state if line.startswith("table ")]
        except FileNotFoundError:
            return False
        return len(lines) == self.heaps and all(l.rstrip().endswith(" loaded") for l in lines)

    def catalog(self):
        """What the source's catalog has, but for the test's own slot and publication."""
        return psql("SELECT 'class', count(*) FROM pg_class WHERE relpersistence <> 't'"
            " UNION ALL SELECT 'proc', count(*) FROM pg_proc"
            " UNION ALL SELECT 'trigger', count(*) FROM pg_trigger"
            " UNION ALL SELECT 'publication', count(*) FROM pg_publication"
            " UNION ALL SELECT 'statistics', count(*) FROM pg_statistic_ext"
            " UNION ALL SELECT 'namespace', count(*) FROM pg_namespace WHERE nspname NOT LIKE"
            " 'pg_%temp%' UNION ALL SELECT 'locks', count(*) FROM pg_locks"
            " WHERE locktype = 'advisory' ORDER BY 1")

    def prepare(self):
        with open(self.dir + "/mapping.yml", "w", encoding="utf-8") as mapping:
            mapping.write("tables:\n")
            for table, (_, _, more) in TABLES.items():
                mapping.write("  - { table: 'public.%s', index: %s%s }\n" % (
                    table.strip('"'), self.index(table), ", " + more if more else ""))
        psql("CREATE PUBLICATION %s FOR TABLE %s WITH (publish_via_partition_root);"
            "SELECT pg_create_logical_replication_slot('%s', 'pgoutput')" % (
                self.name, ", ".join(TABLES), self.name))
        self.heaps = int(psql("SELECT count(*) FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace"))

    def run(self):
        self.prepare()
        before = self.catalog()
        loads = [Load(self, i) for i in range(3)] + [Mover(self, 3)]
        watch = Watch(self)
        for thread in loads + [watch]:
            thread.start()
        self.torture()
        self.enough.set()
        for load in loads:
            load.join(60)
            if load.error or load.is_alive():
                self.wrong("session %d: %s" % (load.number, load.error or "does not end"))
        psql("ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()")
        if self.failed:
            self.pipeline.kill(STAGES, signal.SIGKILL)
            return 1
        self.drain()
        self.over.set()
        watch.join(10)
        self.say("%d transactions, %d rows in the end" % (
            sum(l.committed for l in loads),
            sum(int(psql("SELECT count(*) FROM " + t)) for t in TABLES)))
        self.ages(watch)
        self.say("memory of the reader: %d kB" % self.pipeline.most)
        if self.pipeline.most > self.memory and "PGCDC_TEST_SANITIZED" not in os.environ:
            self.wrong("that is more than %d kB" % self.memory)
        if self.catalog() != before:
            self.wrong("the catalog is not what it was: %r, %r" % (before, self.catalog()))
        for table in TABLES:
            self.compare(table)
        self.versions()
        self.again()
        return 1 if self.failed else 0

    def torture(self):
        """Start, kill, start, until all is loaded and stages were killed often enough."""
        r = self.random
        order = [[s] for s in r.sample(STAGES, 3)]
        midway = []
        kills = 0
        last = self.kills  # so many at most
        again = r.choice(list(TABLES))  # loaded again, on demand, when all is loaded
        self.pipeline = p = Pipeline(self)
        while True:
            p.start()
            self.begun.set()
            # Sometimes one is killed that is not at work yet.
            due = again is not None and (kills >= last or kills >= 3 and self.loaded())
            if kills >= last or order or r.random() < 0.85 or due:
                if not self.wait(60, lambda: p.logged('msg="?streaming') or p.dead()):
                    self.wrong("the reader does not stream")
                    return
            if kills >= last and again is None:
                break
            if due:
                if not self.reload(again):
                    return
                again = None
                last = kills + 2
            until = time.monotonic() + r.random() * self.pause
            while time.monotonic() < until and not p.dead():
                time.sleep(0.01)
            if p.dead():
                self.wrong("a stage ended by itself: %s (start %d: %s)" % (
                    p.statuses(), p.serial, p.command))
                p.down(STAGES, 5)
                return
            if self.enough.is_set():
                return
            victims = order.pop() if order else r.choice(
                [["read"], ["read"], ["map"], ["write"], ["write"], ["read", "write"], list(STAGES)])
            soft = not order and r.random() < 0.1
            if not self.loaded():
                midway += victims
            p.kill(["read"] if soft else victims, signal.SIGTERM if soft else signal.SIGKILL)
            kills += 1
        if not self.all_loaded():
            return
        self.say("%d kills, of these while tables were loaded: %s" % (
            kills, ", ".join("%s %d" % (s, midway.count(s)) for s in STAGES)))
        if min(midway.count(s) for s in STAGES) == 0:
            self.wrong("not each stage was killed while tables were loaded")

    def all_loaded(self):
        p = self.pipeline
        if self.wait(60 + self.rows // 1000, lambda: self.loaded() or p.dead()) and not p.dead():
            return True
        self.wrong("the tables are not loaded in time: %s, %s" % (
            p.statuses(), p.request("status")))
        return False

    def reload(self, table):
        """On demand, once more."""
        if not self.all_loaded():
            return False
        answer = self.pipeline.request("snapshot " + table)
        if not answer.startswith("ok "):
            self.wrong("%s is not loaded again: %r" % (table, answer))
            return False
        if self.loaded():
            self.say("%s was loaded again at once" % table)
        return True

    def wait(self, seconds, condition):
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                return False
            time.sleep(0.03)
        return True

    def drain(self):
        p = self.pipeline
        lsn = psql("SELECT pg_current_wal_lsn()")
        if not self.wait(60 + self.rows // 5000, lambda: p.dead() or psql(
                "SELECT confirmed_flush_lsn >= '%s' FROM pg_replication_slots WHERE slot_name = '%s'"
                % (lsn, self.name)) == "t"):
            self.wrong("not all is stored in time")
        if p.dead():
            self.wrong("a stage ended by itself: %s (start %d: %s)" % (
                p.statuses(), p.serial, p.command))
        p.kill(["read"], signal.SIGTERM)
        if any(p.statuses()[s] != 0 for s in STAGES):
            self.wrong("the end is not in order: %s" % p.statuses())
        if not self.loaded():
            with open(self.state_path, encoding="ascii") as state:
                self.wrong("the state file does not say that all is loaded: %r" % state.read())

    def ages(self, watch):
        self.say("%d looks at the server; its oldest transactions: %s" % (watch.samples,
            ", ".join("%s %.1f s" % x for x in sorted(watch.oldest.items()))))
        if not any(name.endswith("snapshot") for name in watch.oldest):
            self.wrong("no worker was ever seen")
        for name, age in watch.oldest.items():
            # While the output is blocked, the server decodes inside of a transaction.
            if name != "walsender" and age > self.age:
                self.wrong("a transaction of %s was open for %.1f s" % (name, age))

    def documents(self, table):
        url = "%s/_standin/docs?index=%s" % (self.standin, self.index(table))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        head = re.compile(rb'\{"_index":"[^"]*","_id":"((?:[^"\\]|\\.)*)",(?:"routing":"[^"]*",)?'
            rb'"_version":(\d+),"_source":(.*)\}$', re.S)
        found = {}
        with opener.open(url, timeout=600) as answer:
            for line in answer:
                match = head.match(line.rstrip(b"\n"))
                if match is None:
                    raise RuntimeError("a document is not understood: %r" % line[:300])
                key = match.group(1)
                if b"\\" in key:
                    key = json.loads(b'"' + key + b'"').encode()
                found[key] = match.group(3)
        return found

    def compare(self, table):
        select = "SELECT %s || E'\\t' || row_to_json(t) FROM %s t" % (
            TABLES[table][1].replace('"Zone" ||', "replace(\"Zone\", '|', '\\|') ||"), table)
        docs = self.documents(table)
        bad, rows = [], 0
        with subprocess.Popen(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", select],
                stdout=subprocess.PIPE) as sql:
            for line in sql.stdout:
                rows += 1
                key, _, row = line.rstrip(b"\n").partition(b"\t")
                doc = docs.pop(key, None)
                if doc is None:
                    bad.append("lost: %s" % row[:120].decode())
                elif doc != row and json.loads(doc) != json.loads(row):
                    bad.append("other: row %s document %s" % (brief(row), brief(doc)))
        if sql.returncode != 0:
            self.wrong("cannot read " + table)
        bad += ["stale: no row for %s" % brief(doc) for doc in docs.values()]
        if bad:
            self.wrong("%s: %d of %d rows:\n  %s" % (table, len(bad), rows, "\n  ".join(bad[:6])))

    def versions(self):
        """No document's version ever goes back, and nothing fails but by versions."""
        newest, items, bad = {}, 0, []
        prefix = self.name + "-"
        with open(self.standin_log, encoding="utf-8") as log:
            for line in log:
                _, op, index, rest = line.rstrip("\n").split(" ", 3)
                if not index.startswith(prefix):
                    continue
                key, version, status = rest.rsplit(" ", 2)
                items += 1
                if status == "409":
                    continue
                if status not in ("200", "201", "404"):
                    bad.append(line)
                    continue
                key = (index, key)
                version = int(version)
                if version < newest.get(key, 0):
                    bad.append(line)
                newest[key] = version
        self.say("%d items written" % items)
        if bad:
            self.wrong("%d items went back, or failed: %s" % (len(bad), bad[:3]))

    def again(self):
        """Another start loads nothing."""
        path = self.dir + "/again.frames"
        done = subprocess.run(["pgcdc-read", "-s", self.name, "-p", self.name, "--state",
            self.state_path, "--snapshot", "initial", "--until-caught-up", "-o", path],
            stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            self.wrong("a start behind the end: status %d, %s" % (done.returncode, done.stderr))
            return
        lines = subprocess.run(["pgcdc-cat", path], stdout=subprocess.PIPE, check=True).stdout
        frames = [line for line in lines.splitlines() if line.startswith(b'["S"')]
        if frames or b'["E"' not in lines:
            self.wrong("a start behind the end loads %d rows again" % len(frames))


def brief(text):
    text = re.sub(r"([0-9a-f]{32})\1+", r"\1*", text.decode())
    return text[:200]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["tables", "run"])
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--name")
    parser.add_argument("--dir")
    parser.add_argument("--standin")
    parser.add_argument("--log")
    parser.add_argument("--rate", type=int, default=0, help="rows a second that are loaded")
    parser.add_argument("--kills", type=int, default=8, help="at most")
    parser.add_argument("--pause", type=float, default=0.8, help="between two, at most")
    parser.add_argument("--age", type=float, default=30, help="of a transaction, at most")
    parser.add_argument("--memory", type=int, default=24576, help="of the reader, in kB, at most")
    o = parser.parse_args()
    if o.what == "tables":
        psql(SETUP + FILL % counts(o.rows))
        sys.exit(0)
    sys.exit(Test(o).run())


main()
