#!/usr/bin/env python3
"""Each call of a program fails once, one at a time, and what it does then is looked at.

    faults.py [OPTION...] --dir DIR map PRELOAD FRAMES MAPPING
    faults.py ... write PRELOAD ACTIONS URL
    faults.py ... read PRELOAD [READER'S OPTION...]

PRELOAD is tests/faults/preload.c as a library.  A program may go on and do all it has to (0), or
end with 100 or 111; not crash, not hang, and not say that something is stored that is not.

    map    its output is what it is without a fault, or a beginning of it
    write  the units that were acknowledged are in the stand-in at URL; with 0 all are
    read   what is confirmed is in its output; with 0, or once it was started again, all rows are

--every N looks at every Nth call of each kind, beginning at --first; --calls at these kinds.  A line
of TAP is printed for each kind of call.
"""
import argparse
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import urllib.request

CALLS = ("malloc read recv write send pwrite fsync open connect poll socket rename "
         "ftruncate close").split()
MOVES = {"read", "recv", "write", "send", "pwrite"}


class Driver:
    def __init__(self, options):
        self.o = options
        self.number = 0
        self.failed = 0

    def environment(self, **more):
        return dict(os.environ, LD_PRELOAD=self.o.preload, **more)

    def run(self, command, env, **more):
        """Its exit status: negative for a signal, None where it hangs."""
        process = subprocess.Popen(command, env=env, **more)
        try:
            return process.wait(self.o.timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def counts(self):
        """How many calls of each kind does a run without a fault make?"""
        path = os.path.join(self.o.dir, "count")
        with open(path, "wb") as f:
            f.write(bytes(8 * len(CALLS)))
        status, wrong = self.once(self.environment(FAULT_COUNT=path))
        if status != 0 or wrong:
            sys.exit("without a fault: exit status %s: %s" % (status, wrong))
        with open(path, "rb") as f:
            return dict(zip(CALLS, struct.unpack("%dQ" % len(CALLS), f.read())))

    def places(self, n, call):
        """The first ones are what all runs have; of the rest some."""
        first = min(n, self.o.head)
        rest = range(first + 1 + self.o.first % self.o.every, n + 1, self.o.every)
        places = list(range(1, first + 1)) + list(rest)
        if len(places) > self.o.most:
            r = random.Random("%s %d" % (call, self.o.first))
            places = sorted(r.sample(places, self.o.most))
        return places

    def all(self):
        for call, n in self.counts().items():
            if n == 0 or (self.o.calls and call not in self.o.calls):
                continue
            for kind in [""] + ([":short"] if call in MOVES else []):
                self.kind(call, n, kind)
        print("1..%d" % self.number)
        return 1 if self.failed else 0

    def kind(self, call, n, kind):
        bad = []
        ends = {}
        places = self.places(n, call)
        for at in places:
            fault = "%s:%d%s" % (call, at, kind)
            status, wrong = self.once(self.environment(FAULT=fault))
            ends[status] = ends.get(status, 0) + 1
            if status not in (0, 100, 111):
                wrong = "it hangs" if status is None else "exit status %d" % status
            elif kind and status != 0:
                wrong = "a short %s is an error: %d" % (call, status)
            if wrong:
                bad.append("FAULT=%s: %s" % (fault, wrong))
        self.number += 1
        self.failed += bool(bad)
        print("%sok %d - %s%s: %d of %d (exit %s)" % (
            "not " if bad else "", self.number, call, kind.replace(":", ", "), len(places), n,
            ", ".join("%s: %d" % (s, c) for s, c in sorted(ends.items(), key=str))))
        for line in bad[:20]:
            print("# " + line)
        sys.stdout.flush()


class Map(Driver):
    def once(self, env):
        out = os.path.join(self.o.dir, "out")
        with open(self.o.given[0], "rb") as frames, open(out, "wb") as to, \
                open(os.path.join(self.o.dir, "err"), "wb") as err:
            status = self.run(["pgcdc-map", "-m", self.o.given[1]], env, stdin=frames,
                              stdout=to, stderr=err)
        with open(out, "rb") as f:
            output = f.read()
        if "FAULT" not in env:
            self.expected = output
        if not self.expected.startswith(output):
            return status, "another output"
        if status == 0 and output != self.expected:
            return status, "the output is cut short"
        return status, None


class Acks(threading.Thread):
    """The reader's end of the ack socket; .last is the last seq."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(path):
            os.unlink(path)
        self.listener.bind(path)
        self.listener.listen(1)
        self.last = 0
        self.start()

    def run(self):
        try:
            connection, _ = self.listener.accept()
            with connection, connection.makefile(encoding="utf-8") as lines:
                for line in lines:
                    match = re.match(r"ack (\d+) ", line)
                    if match:
                        self.last = int(match[1])
        except OSError:
            pass

    def end(self):
        """The writer is gone: what is to come has come."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join(10)
        return self.last


class Write(Driver):
    """The actions' units have seq n and documents n-1, n-2, ... in index i."""

    def ask(self, path, method="GET"):
        request = urllib.request.Request(self.o.given[1] + path, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.read().decode()

    def once(self, env):
        self.ask("/_standin/reset", "POST")
        path = os.path.join(self.o.dir, "ack")
        acks = Acks(path)
        with open(self.o.given[0], "rb") as actions, \
                open(os.path.join(self.o.dir, "err"), "wb") as err:
            status = self.run(
                ["esbulk-write", "-u", self.o.given[1], "-a", path, "--batch-docs", "7",
                 "--dead-letter", os.path.join(self.o.dir, "dead")],
                env, stdin=actions, stderr=err)
        acked = acks.end()
        units = {}
        for line in self.ask("/_standin/docs").splitlines():
            seq = int(json.loads(line)["_id"].split("-")[0])
            units[seq] = units.get(seq, 0) + 1
        if "FAULT" not in env:
            self.units = units
        for seq in self.units:
            if seq <= acked and units.get(seq, 0) != self.units[seq]:
                return status, "unit %d is acknowledged, and not stored" % seq
        if status == 0 and units != self.units:
            return status, "not all is stored"
        if status == 0 and acked != max(self.units):
            return status, "not all is acknowledged"
        return status, None


class Read(Driver):
    """The table is t, the slot to begin with base, the publication p."""

    def sql(self, text):
        return subprocess.run(["psql", "-XAtqc", text], check=True, stdout=subprocess.PIPE,
                              encoding="utf-8").stdout.strip()

    def command(self):
        return ["pgcdc-read", "-s", "faulty", "-p", "p", "-o", self.o.dir + "/frames",
                "--state", self.o.dir + "/state", "--spool-dir", self.o.dir] + self.o.given

    def rows(self):
        """Ids in whole units, and the LSN of the last."""
        done = subprocess.run(["pgcdc-cat", self.o.dir + "/frames"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, encoding="utf-8", check=False)
        rows, unit, last = set(), set(), "0/0"
        for line in done.stdout.splitlines():
            frame = json.loads(line)
            if frame[0] in "HB":
                unit = set()
            elif frame[0] in "IS":
                unit.add(frame[2][0])
            elif frame[0] == "C":
                rows |= unit
                last = frame[1]
        return rows, last

    def once(self, env):
        for name in ("frames", "state"):
            if os.path.exists(os.path.join(self.o.dir, name)):
                os.unlink(os.path.join(self.o.dir, name))
        # Who was killed by a fault may be seen for a moment still.
        self.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                 " WHERE slot_name = 'faulty' AND active")
        self.sql("DO $$ BEGIN LOOP BEGIN"
                 " PERFORM pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                 " WHERE slot_name = 'faulty'; EXIT;"
                 " EXCEPTION WHEN object_in_use THEN PERFORM pg_sleep(0.02); END; END LOOP; END $$")
        self.sql("SELECT pg_copy_logical_replication_slot('base', 'faulty')")
        with open(os.path.join(self.o.dir, "err"), "wb") as err:
            status = self.run(self.command(), env, stderr=err)
        rows, last = self.rows()
        if "FAULT" not in env:
            self.expected = rows
        ahead = self.sql("SELECT confirmed_flush_lsn > '%s' AND '%s' <> (SELECT"
                         " confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'base')"
                         " FROM pg_replication_slots WHERE slot_name = 'faulty'" % (last, last))
        if status == 0:
            return status, None if rows == self.expected else "rows are missing"
        # Confirmed is no more than what is there: then the rest is all to come.
        left = [f for f in os.listdir(self.o.dir) if f.startswith("pgcdc-spool")]
        if left and "mkostemp" not in env.get("FAULT", ""):
            return status, "a file is left: %s" % left
        with open(os.path.join(self.o.dir, "again"), "wb") as err:
            again = self.run(self.command(), dict(os.environ), stderr=err)
        rows, _ = self.rows()
        if again != 0:
            return status, "started again, it ends with %s" % again
        if rows != self.expected:
            return status, "rows are missing (confirmed ahead: %s)" % ahead
        return status, None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--head", type=int, default=0)
    parser.add_argument("--most", type=int, default=1 << 30)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--calls", type=lambda s: s.split(","))
    parser.add_argument("--dir", required=True)
    parser.add_argument("program", choices=("map", "write", "read"))
    parser.add_argument("preload")
    parser.add_argument("given", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    options.dir = os.path.abspath(options.dir)
    kind = {"map": Map, "write": Write, "read": Read}[options.program]
    return kind(options).all()


sys.exit(main())
