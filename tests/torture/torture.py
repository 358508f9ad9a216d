#!/usr/bin/env python3
"""One seed of torture: `pgcdc run` under load, with all that can happen to it.

    torture.py tables --rows N              make the tables, in the connection's database
    torture.py run SEED --name NAME --dir DIR --standin URL --log FILE --seconds N
    torture.py run SEED --name NAME --dir DIR --node URL --node-dir DIR --seconds N
        [--spool DIR] [--memory KB] [--bound SECONDS]

NAME is slot and publication, and what the indexes' names begin with, in a database made by
"tables", on a server of the test's own, which pg-server keeps in PG_DIR.  FILE is the stand-in's
log; the other form takes a real node that search-node keeps, with nothing but what fails by itself,
and looks at its documents now and then.  DIR keeps what is needed to look at it: the statements of each session, the log of the
pipeline, what happened when.  What is random follows SEED, but for when sessions and troubles
meet.  --spool is a small file system of its own for the reader's spool; --bound is how long the
pipeline may take to store all once the troubles are over.

Printed are lines that begin with "wrong: ", and lines "count NAME N".  Exit status 1: something
is wrong.
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True  # nothing is left beside the tests
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import liveload
import sources
from ledger import Ledger, Stored, early, early_seen, versions
from nodes import RealNode, StandinNode
from sessions import Books, Definer, Rows
from troubles import Proxy, Supervisor, Troubles


class Watch(threading.Thread):
    """What is confirmed, and how long the stand-in's log is then; how far the slot is behind; how
    much memory the stages have."""

    def __init__(self, test):
        super().__init__(daemon=True)
        self.test = test
        self.samples = []
        self.confirmed = self.most = self.looks = 0
        self.parts = {}
        self.error = None

    def run(self):
        session, log = None, open(os.devnull, "w", encoding="ascii")
        while not self.test.over.is_set():
            try:
                session = session or liveload.Session(log, "watch")
                self.look(session)
            except liveload.Gone:
                session = None
            except Exception as error:  # said by the test
                self.error = repr(error)
                return
            time.sleep(0.02)

    def look(self, session):
        state, lines = session.ask("SELECT confirmed_flush_lsn - '0/0', pg_current_wal_lsn() -"
            " confirmed_flush_lsn > 64 << 20 FROM pg_replication_slots WHERE slot_name = '%s'"
            % self.test.name)
        if state == "00000":
            confirmed, behind = lines[0].split("|")
            self.test.behind = behind == "t"
            self.looks += 1
            if int(confirmed) > self.confirmed:
                self.confirmed = int(confirmed)
                self.samples.append((self.confirmed,
                    0 if self.test.real else os.stat(self.test.log).st_size))
        memory = self.test.supervisor.memory()
        if sum(memory.values()) > self.most:
            self.most, self.parts = sum(memory.values()), memory


class Test:
    def __init__(self, o):
        self.seed, self.name, self.dir, self.log = o.seed, o.name, o.dir, o.log
        self.spool, self.seconds, self.bound, self.limit = o.spool, o.seconds, o.bound, o.memory
        self.random = r = random.Random(o.seed)
        self.rows = int(liveload.psql("SELECT n FROM own.rows"))
        self.rest = r.choice([0.005, 0.02, 0.05])
        self.behind = self.failed = False
        self.begun, self.enough, self.over = (threading.Event() for _ in range(3))
        self.real = o.node is not None
        self.node = RealNode(o.node, o.node_dir, self.name) if self.real else StandinNode(o.standin)
        self.looks = []
        self.tables = sources.Tables(self.name, r)
        self.events = open(self.dir + "/events.log", "w", encoding="utf-8", buffering=1)
        self.start = time.monotonic()
        self.proxies = {"server": Proxy(self.dir, "server", os.environ["PGPORT"]),
            "node": Proxy(self.dir, "node", self.node.url.rpartition(":")[2])}
        self.supervisor = Supervisor(self.dir)
        # One for all starts: what was left out because it was fetched must go on so.
        self.toast = r.choice(["mark", "mark", "fetch"])
        self.snapshot = r.choice(["initial", "initial", "never"])
        self.troubles = Troubles(self)
        self.largest = 0
        self.reloaded = False
        self.refused_until = 0
        self.waits = 0  # since when the supervisor is to end

    def wrong(self, text):
        self.failed = True
        self.note("wrong: " + text)
        print("wrong: seed %d: %s" % (self.seed, text), flush=True)

    def note(self, text):
        self.events.write("%.3f %s %s\n" % (time.monotonic() - self.start,
            time.strftime("%H:%M:%S", time.gmtime()), text))

    def count(self, name, n):
        print("count %s %d" % (name, n), flush=True)

    def map(self, more="", refused=False):
        if refused or self.refused_until > time.monotonic():
            self.refused_until = time.monotonic() + (60 if refused else 10)
        with open(self.dir + "/mapping.new", "w", encoding="utf-8") as mapping:
            mapping.write(self.tables.mapping() + more)
        os.rename(self.dir + "/mapping.new", self.dir + "/mapping.yml")

    def refused(self):
        """Was the mapping wrong a short while ago?"""
        return time.monotonic() < self.refused_until

    def configure(self):
        r = self.random
        self.map()
        read = ["--toast", self.toast, "--spool-mem", r.choice(["0", "65536", "8388608"]),
            "--spool-dir", self.spool or self.dir, "--proto", r.choice("1233")]
        if self.snapshot == "initial":
            read += ["--snapshot-workers", r.choice("123"), "--snapshot-chunk-bytes",
                r.choice(["8192", "30000", "100000", "1000000"]), "--snapshot-max-rate",
                str(int(self.rows / self.seconds) * r.choice([1, 3, 10]))]
        write = ["--lanes", r.choice("1248"), "--batch-docs", r.choice(["7", "200", "1000", "10000"]),
            "--linger", r.choice(["0", "0", "5"]), "--timeout", "5", "--idle-timeout", "3",
            "--connect-timeout", "2"]
        if r.random() < 0.3:
            write.append("--gzip")
        with open(self.dir + "/pgcdc.conf", "w", encoding="utf-8") as conf:
            conf.write("".join("%s=%s\n" % x for x in {
                "PGCDC_CONNINFO": '"host=127.0.0.1 port=%d user=%s dbname=%s connect_timeout=3"' % (
                    self.proxies["server"].port, os.environ["PGUSER"], os.environ["PGDATABASE"]),
                "PGCDC_SLOT": self.name, "PGCDC_PUBLICATION": self.name,
                "PGCDC_MAPPING": self.dir + "/mapping.yml",
                "PGCDC_ES_URL": "http://127.0.0.1:%d" % self.proxies["node"].port,
                "PGCDC_RUNDIR": self.dir + "/run", "PGCDC_SNAPSHOT": self.snapshot,
                "PGCDC_READ_OPTIONS": " ".join(read), "PGCDC_WRITE_OPTIONS": " ".join(write),
                "PGCDC_DRAIN": "5", "PGCDC_KILL_DELAY": "2", "PGCDC_RESTART_MIN": "0.1",
                "PGCDC_RESTART_MAX": "1"}.items()))
        self.note("%s %s %s" % (self.snapshot, " ".join(read), " ".join(write)))

    def prepare(self):
        """Rows come before slot and publication, and are loaded, or behind them, and are streamed."""
        setup = ("CREATE PUBLICATION {0} FOR TABLE {1} WITH (publish_via_partition_root);"
            "SELECT pg_create_logical_replication_slot('{0}', 'pgoutput');"
            "SELECT pg_create_logical_replication_slot('{0}_ledger', 'test_decoding')").format(
                self.name, self.tables.publication())
        if self.snapshot == "initial":
            self.tables.fill(self.rows)
            liveload.psql(setup)
        else:
            liveload.psql(setup)
            self.tables.fill(self.rows)
        self.configure()

    def warned(self):
        """Several rows pass through one document where keys are swapped: that is said before."""
        check = subprocess.run(["pgcdc-map", "--check", "-m", self.dir + "/mapping.yml", "-d", "", "-p",
            self.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False)
        if check.returncode != 0 or not [line for line in check.stdout.split("\n")
                if "public.swaps" in line and "deferrable" in line]:
            self.wrong("nobody warns of deferrable keys: %d, %s" % (check.returncode, check.stdout))

    def again(self):
        """Starts the supervisor, when it has ended; False: later."""
        process = self.supervisor.process
        if process.poll() is None:
            self.waits = self.waits or time.monotonic()
            if time.monotonic() - self.waits < 60:
                return False
            self.wrong("the supervisor does not end")
            process.kill()
            process.wait()
        if process.returncode not in (0, 111, -signal.SIGKILL) and not (
                process.returncode == 100 and self.refused()):
            self.wrong("the supervisor ended with %d" % process.returncode)
        self.map()  # the one that is refused while it runs would end it at the start
        self.waits = 0
        self.supervisor.start()
        return True

    def alive(self):
        process = self.supervisor.process
        if process.poll() == 100 and self.refused() and not self.supervisor.ending:
            # A stage that died while the file was wrong is not started again with it.
            self.note("the supervisor ended with the wrong mapping")
            self.again()
            return
        if process.poll() is not None and not self.supervisor.ending:
            # No restart limit is set, so only what is permanent ends it.
            self.wrong("the supervisor ended by itself, with %d" % process.returncode)
            self.enough.set()

    def run(self):
        self.prepare()
        self.warned()
        self.supervisor.start()
        self.loads = [Rows(self, i) for i in range(3)] + [Books(self, 3), Definer(self, 4)]
        self.watch = Watch(self)
        for thread in self.loads + [self.watch]:
            thread.start()
        self.begun.set()
        self.torture()
        self.enough.set()
        self.note("the troubles cease")
        self.troubles.cease()
        for load in self.loads:
            load.join(60)
            if load.error or load.is_alive():
                self.wrong("session %d: %s" % (load.number, load.error or "does not end"))
        self.alive()
        if self.real and self.node.wrong:
            self.wrong(self.node.wrong)
        if not self.failed and self.drain():
            self.look()
        self.over.set()
        self.finish()
        self.report()
        return 1 if self.failed else 0

    def torture(self):
        r, begin = self.random, time.monotonic()
        end = begin + self.seconds
        due = time.monotonic() + r.uniform(0, 2)
        while time.monotonic() < end and not self.enough.is_set() and not self.failed:
            now = time.monotonic()
            self.troubles.due(now)
            self.alive()
            if self.real and len(self.looks) + 1 < (now - begin) / 5:
                self.peek()
            if now >= due:
                self.troubles.next()
                due = time.monotonic() + r.choice([0.05, 0.2, 0.5, 1])
            time.sleep(0.02)

    def peek(self):
        """What is confirmed, and then what is there."""
        self.node.up()
        confirmed = self.watch.confirmed
        try:
            self.looks.append((confirmed, self.node.look()))
            self.note("looked at the documents")
        except OSError as error:  # a node that goes away now
            self.note("could not look: %r" % error)

    def wait(self, condition):
        until = time.monotonic() + self.bound
        tables = self.tables_state()
        while not condition():
            self.alive()
            # A load may be slow, by its --snapshot-max-rate, if it goes on.
            if self.tables_state() != tables:
                tables = self.tables_state()
                until = max(until, time.monotonic() + self.bound / 2)
            if self.failed or time.monotonic() > until:
                return False
            time.sleep(0.1)
        return True

    def tables_state(self):
        """What the state file says of tables; of none if there is no file."""
        try:
            with open("%s/run/%s.state" % (self.dir, self.name), encoding="ascii") as state:
                return [line for line in state if line.startswith("table ")]
        except FileNotFoundError:
            return []

    def loaded(self):
        lines = self.tables_state()
        return (lines != [] or self.snapshot == "never") and all(line.rstrip().endswith(" loaded") for line in lines)

    def drain(self):
        for gid in liveload.psql("SELECT gid FROM pg_prepared_xacts"
                " WHERE database = current_database()").split():
            liveload.psql("%s PREPARED '%s'" % (self.random.choice(["COMMIT", "ROLLBACK"]), gid))
        self.upto = liveload.psql("SELECT pg_current_wal_lsn()")
        high, low = self.upto.split("/")
        upto = (int(high, 16) << 32) + int(low, 16)
        begin = time.monotonic()
        if not self.wait(lambda: (self.watch.confirmed >= upto and self.loaded()) or self.watch.error):
            self.wrong("not all is stored in time: %X of %X is confirmed%s" % (self.watch.confirmed,
                upto, "" if self.loaded() else ", and not all is loaded"))
            return False
        self.note("all is stored")
        if self.real:
            self.peek()
        self.drained = time.monotonic() - begin
        if self.watch.error:
            self.wrong("the watch: " + self.watch.error)
        self.supervisor.ending = True
        self.supervisor.signal(signal.SIGTERM)
        try:
            status = self.supervisor.process.wait(30)
        except subprocess.TimeoutExpired:
            status = "it does not end"
        if status != 0:
            self.wrong("the end is not in order: %s" % status)
        self.note("the pipeline has ended")
        return True

    def look(self):
        bad, rows, self.largest = sources.compare(self.tables, self.node)
        self.say("documents are not the rows", bad)
        self.note("the documents were compared")
        self.count("documents", rows)
        ledger = Ledger(self.tables.rules())
        ledger.read(self.name + "_ledger", self.upto)
        self.note("the ledger was read")
        self.count("transactions", len(ledger.commits))
        self.count("rows", ledger.rows)
        fetches = self.toast == "fetch" or self.snapshot == "initial" or self.reloaded
        if self.real:
            bad, looked = early_seen(ledger, self.looks, fetches)
            self.count("acks", len(self.looks))
        else:
            looked = self.look_at_log(ledger, fetches)
            bad = []
        self.say("were confirmed too early", bad)
        self.count("acknowledged", looked)
        if looked == 0 or len(self.watch.samples) < 2:
            self.wrong("nothing was looked at: %d changes, %d acks" % (looked, len(self.watch.samples)))

    def look_at_log(self, ledger, fetches):
        stored = Stored(self.log, {self.tables.index("library")})
        bad, looked = early(ledger, self.watch.samples, stored, fetches)
        self.say("were confirmed too early", bad)
        stored.upto(os.stat(self.log).st_size)
        self.say("items went wrong", stored.wrong)
        self.say("versions are others", list(versions(ledger, stored,
            self.snapshot == "never" and not self.reloaded)))
        self.count("acks", len(self.watch.samples))
        self.count("items", stored.items)
        return looked

    def say(self, what, bad):
        if bad:
            self.wrong("%d %s:\n  %s" % (len(bad), what, "\n  ".join(map(str, bad[:6]))))
            with open(self.dir + "/bad", "a", encoding="utf-8", errors="replace") as f:
                f.writelines("%s: %s\n" % (what, b) for b in bad)

    def finish(self):
        self.watch.join(10)
        self.supervisor.ending = True
        if self.supervisor.process.poll() is None:
            self.supervisor.signal(signal.SIGTERM)
            try:
                self.supervisor.process.wait(20)
            except subprocess.TimeoutExpired:
                self.supervisor.process.kill()
        for proxy in self.proxies.values():
            proxy.process.kill()
            proxy.process.wait()
        # A program holds a row up to three times, and of documents to be merged sixteen at first.
        limit = self.limit + 25 * self.largest // 1024
        if self.watch.most > limit and "PGCDC_TEST_SANITIZED" not in os.environ:
            self.wrong("memory: %d kB, more than %d: %s" % (self.watch.most, limit, self.watch.parts))

    def report(self):
        done = self.troubles.done
        some = lambda *words: sum(n for name, n in done.items() if name.split()[0] in words)
        self.count("kills", some("kill", "end", "terminate"))
        self.count("stops", some("stop"))
        self.count("cuts", some("cut", "freeze", "stall", "refuse", "slow"))
        self.count("restarts", some("server") + done.get("node", 0))
        self.count("refusals", some("busy", "unavailable", "items", "disk"))
        self.count("memory", self.watch.most)
        self.count("lost", sum(load.lost for load in self.loads))
        self.count("seconds", int(time.monotonic() - self.start))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["tables", "run"])
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--name")
    parser.add_argument("--dir")
    parser.add_argument("--standin")
    parser.add_argument("--node")
    parser.add_argument("--node-dir")
    parser.add_argument("--log")
    parser.add_argument("--spool", default="")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--bound", type=float, default=120)
    parser.add_argument("--memory", type=int, default=49152, help="of the three, in kB, at most, but for what the largest row takes")
    o = parser.parse_args()
    if o.what == "tables":
        sources.template(o.rows)
        return 0
    return Test(o).run()


if __name__ == "__main__":
    sys.exit(main())
