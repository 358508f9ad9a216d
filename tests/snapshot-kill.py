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

sys.dont_write_bytecode = True  # nothing is left beside the tests
from liveload import FILL, SETUP, TABLES, Load, Mover, Session, brief, counts, documents, psql

STAGES = ("read", "map", "write")


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

    def compare(self, table):
        select = "SELECT %s || E'\\t' || row_to_json(t) FROM %s t" % (
            TABLES[table][1].replace('"Zone" ||', "replace(\"Zone\", '|', '\\|') ||"), table)
        docs = {key: doc for key, _, doc in documents(self.standin, self.index(table))}
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
