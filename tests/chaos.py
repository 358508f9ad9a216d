#!/usr/bin/env python3
"""A chaos run of esbulk-write, whose reader this is.

    chaos.py --seed N --seconds N --standin URL --unix SOCKET --log FILE --dir DIR
        --hits FILE [--plain] WRITER...

Streams a seeded workload to WRITER (a command, to which options are added) over time,
takes its acks, and meanwhile makes the stand-in at URL (and on the Unix SOCKET) fail,
stops, kills and restarts the writer, and ends the stream in mid-unit.  A new writer
gets a new run, from the last unit that was acked on, or some before it, as pgcdc-read
does it.  At the end all faults are taken away, and everything must drain.

Prints what was wrong, a line each: early, order, protocol, exit, differs; and "count NAME N"
of what was done.  The first thing that is wrong ends the run, with status 1 if that is before
all was drained and looked at.  Files go to DIR: the writer's log, the dead letters.  FILE counts how
often each fault and event happened, over several calls, so that each comes to its turn.
--plain has actions without versions, too; as their
order is only that of the requests, a new writer then starts when the stand-in has
done with what the one before left.
"""
import argparse
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # nothing is left beside the tests
from chaosmodel import BAD_ID, Letters, Stored, Workload, frame
from standin_control import Standin

PIPE_FULL = 64 * 1024
DRAIN = 120

FAULTS = {f"status {status} {when}": f"kind=status&status={status}&when={when}"
          for status in (429, 500, 502, 503, 504) for when in ("before", "half", "after")}
FAULTS |= {f"item {status}": f"kind=item&status={status}" for status in (429, 403, 500, 503)}
FAULTS |= {f"cut {when}": f"kind=cut&when={when}"
           for when in ("headers", "body", "before", "after", "answer")}
FAULTS |= {f"hang {when}": f"kind=hang&when={when}" for when in ("headers", "before", "after")}
FAULTS |= {f"garble {how}": f"kind=garble&how={how}"
           for how in ("truncated", "garbage", "html", "empty")}
FAULTS |= {
    "cut reset": "kind=cut&when=after&reset=true",
    "delay": "kind=delay&item_us=200",
    "delay after": "kind=delay&when=after",
    "short": "kind=short",
    "item of what has no version": "kind=item&index=u",
    "drip": "kind=drip&bytes=40&ms=1",
    "read status": "kind=status&status=503&path=*/_mget",
    "read cut": "kind=cut&path=*/_mget",
    "read garbled": "kind=garble&how=other-id&path=*/_mget",
}
# How often, at most: what comes back too often is a permanent error, and should be.
COUNTS = {"status 500": 3, "item 500": 4, "garble": 2, "read garbled": 2, "hang": 2, "short": 3}
# In each round of events.
EVENTS = ["fault"] * 16 + ["calm"] * 6 + ["kill"] * 3 + ["stop", "down"] * 2 + ["eof", "gone"]


def shuffled(rng, names, hits):
    """To be taken from the end: what never happened yet comes first."""
    deck = rng.sample(list(names), len(names))
    return sorted(deck, key=lambda name: hits[name] == 0)


class Faults:
    """Those that the stand-in has now, and how often each happened."""

    def __init__(self, standin, rng, hits):
        self.standin, self.rng, self.hits = standin, rng, hits
        self.deck = []
        self.active = {}  # number: (name, until when)

    def add(self, now):
        if not self.deck:
            self.deck = shuffled(self.rng, FAULTS, self.hits)
        name = self.deck.pop()
        until = now + self.rng.uniform(0.2, 0.8)
        self.put(name, until)
        # Who takes such an answer for a good one must lose something by it.
        if name.startswith(("garble", "short", "cut answer")):
            self.put("item 429", until)

    def put(self, name, until):
        count = next((n for k, n in COUNTS.items() if name.startswith(k)), 12)
        spec = FAULTS[name]
        if self.hits[name] > 0:
            spec += f"&p={self.rng.uniform(0.15, 0.7):.2f}"
        else:
            until += 0.5  # time to happen once
        spec += f"&count={self.rng.randint(1, count)}"
        if "kind=delay" in spec:
            spec += f"&ms={self.rng.randrange(5, 300)}"
        answer = self.standin.ask("POST", "fault?" + spec)
        if answer and b"number" not in answer:
            sys.exit(f"{spec}: {answer}")
        if answer:
            number = json.loads(answer)["number"]
            self.active[number] = (name, until)

    def end(self, now):
        self.active = {n: (name, now) for n, (name, _) in self.active.items()}

    def remove(self, now):
        """Those whose time is over; a fault that never happened has its turn again soon."""
        due = [n for n, (_, until) in self.active.items() if until <= now]
        if not due:
            return
        for f in json.loads(self.standin.must("GET", "fault")):
            if f["number"] in due:
                name, _ = self.active.pop(f["number"])
                self.standin.must("DELETE", f"fault?number={f['number']}")
                self.hits[name] += f["hits"]
                if f["hits"] == 0 and self.hits[name] == 0:
                    self.deck.append(name)
        self.standin.ask("POST", "release?keep")


class Run:
    """One run of the writer: its input, its process, and its acks."""

    def __init__(self, chaos, number, start):
        self.chaos = chaos
        self.name = f"run{number}-{chaos.options.seed}"
        self.start = self.next = start  # units
        self.acked = 0  # seq
        self.plain = []  # of each unit, for Stored.lacks
        path = os.path.join(chaos.options.dir, "ack")
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(1)
        self.listener.setblocking(False)
        self.connection, self.lines = None, b""
        end, self.pipe = os.pipe()
        os.set_blocking(self.pipe, False)
        self.process = subprocess.Popen(
            chaos.command() + ["-a", path], stdin=end, stderr=chaos.writer_log)
        os.close(end)
        self.out = bytearray(
            frame("H", {"v": 1, "run": self.name})
            + frame("R", 16401, "shop", "users", "d", [["id", "int4", 23, -1, True]], [0]))
        self.blocked = None
        self.greeted = False
        self.expected = set()  # exit statuses
        self.ended = False

    def send_unit(self):
        rng, unit = self.chaos.rng, self.chaos.unit(self.next)
        self.next += 1
        # As a reader that lost its connection to the server: the unit begins again.
        if rng.random() < 0.02:
            self.send_frames(unit, rng.randrange(len(unit.frames) + 1))
        self.plain.append(self.send_frames(unit, len(unit.frames)))
        self.out += unit.commit(self.next - self.start)

    def send_frames(self, unit, n):
        self.out += unit.begin
        self.out += b"".join(unit.frames[:n])
        return [self.chaos.stored.sends(*p) for p in unit.plain[:n] if p]

    def end(self):
        self.out += frame("E", self.chaos.unit(self.next - 1).lsn + 48 if self.next else 0, "end")
        self.ended = True
        self.expected.add(0)

    def write(self, now):
        """True: all is written."""
        try:
            while self.out and self.pipe is not None:
                n = os.write(self.pipe, self.out[:PIPE_FULL])
                del self.out[:n]
                if self.blocked and now - self.blocked > 0.05:
                    self.chaos.count["full"] += 1
                self.blocked = None
        except BlockingIOError:
            self.blocked = self.blocked or now
        except BrokenPipeError:
            self.close_pipe()
        if self.ended and not self.out:
            self.close_pipe()
        return not self.out

    def close_pipe(self):
        if self.pipe is not None:
            os.close(self.pipe)
        self.pipe = None

    def close_acks(self):
        self.listener.close()
        if self.connection:
            self.connection.close()
        self.connection = None

    def take_acks(self):
        try:
            if not self.connection and self.listener.fileno() >= 0:
                self.connection = self.listener.accept()[0]
                self.connection.setblocking(False)
            while self.connection:
                data = self.connection.recv(65536)
                if not data:
                    self.connection.close()
                    self.connection = None
                    self.listener.close()
                *lines, self.lines = (self.lines + data).split(b"\n")
                for line in lines:
                    self.ack(line.decode())
        except (BlockingIOError, ConnectionResetError):
            pass

    def ack(self, line):
        if not self.greeted:
            self.greeted = True
            if line != f"pgcdc-ack 1 {self.name}":
                self.chaos.wrong(f"protocol: {line} at the beginning of {self.name}")
            return
        word, seq, lsn = line.split()
        seq, (high, low) = int(seq), lsn.split("/")
        if word != "ack" or not self.acked < seq <= self.next - self.start:
            self.chaos.wrong(f"protocol: {line} after {self.acked} of {self.next - self.start}")
            return
        if (int(high, 16) << 32) + int(low, 16) != self.chaos.unit(self.start + seq - 1).lsn + 48:
            self.chaos.wrong(f"protocol: {line} has not the LSN of that unit")
        self.chaos.stored.take()
        for n in range(self.acked, seq):
            unit = self.chaos.unit(self.start + n)
            missing = self.chaos.stored.lacks(unit, self.plain[n])
            if missing:
                self.chaos.wrong(f"early: {line} in {self.name}: unit {unit.number} lacks {missing}")
        self.acked = seq
        self.chaos.count["acks"] += 1
        self.chaos.count["empty"] += seq == self.next - self.start and not self.ended


class Chaos:
    def __init__(self, options):
        self.options = options
        self.rng = random.Random(options.seed)
        self.standin = Standin(options.standin)
        self.workload = Workload(random.Random(options.seed * 7919), options.plain)
        self.letters = Letters(os.path.join(options.dir, "dead"))
        self.stored = Stored(options.log, self.workload, self.letters)
        self.hits = dict.fromkeys([*FAULTS, *EVENTS], 0)
        if os.path.exists(options.hits):
            with open(options.hits, encoding="utf-8") as f:
                self.hits |= {name: int(n) for n, name in (s.strip().split(maxsplit=1) for s in f)}
        self.faults = Faults(self.standin, random.Random(options.seed * 104729), self.hits)
        self.writer_log = open(os.path.join(options.dir, "writer.log"), "ab")
        self.count = dict.fromkeys(("runs", "acks", "full", "empty", "again"), 0)
        self.deck = []
        self.problems = 0
        self.drained = False
        self.run = None
        self.stopped_until = self.down_until = 0
        self.pace = (0, 0)  # until, seconds between units
        self.next_unit = 0

    def wrong(self, what):
        self.problems += 1
        if self.problems <= 50:
            print(what, flush=True)

    def unit(self, n):
        while n >= len(self.workload.units):
            self.workload.make()
        return self.workload.units[n]

    def command(self):
        pick = self.rng.choice
        two = pick(([self.options.standin], [self.options.standin, "unix:" + self.options.unix]))
        options = [w for url in two for w in ("-u", url)]
        options += ["--lanes", pick("1 2 3 4 8 32".split()), "--timeout", pick("123"),
                    "--batch-docs", pick("1 7 50 500 10000".split()),
                    "--batch-bytes", pick("2000 20000 300000 5242880".split()),
                    "--queue-bytes", pick("1048576 1048576 4194304".split()),
                    "--linger", pick("0 0 3 20".split()),
                    "--dead-letter", self.letters.path, "--dead-letter-limit", "0"]
        if self.rng.random() < 0.3:
            options.append("--gzip")
        return self.options.writer + options

    def start(self):
        start = 0
        if self.run:
            start = self.run.start + self.run.acked
            if self.rng.random() < 0.3:
                start = max(0, start - self.rng.randrange(1, 30))
            self.count["again"] += self.run.next - start
        if self.options.plain:
            while self.standin.stats()["in_flight"] > 0:
                time.sleep(0.005)
        self.stored.new_run()
        self.count["runs"] += 1
        self.run = Run(self, self.count["runs"], start)

    def signal(self, number):
        if self.run.process.poll() is None:
            self.run.process.send_signal(number)

    def event(self, now):
        if not self.deck:
            self.deck = shuffled(self.rng, EVENTS, self.hits)
        event, run = self.deck.pop(), self.run
        self.hits[event] += 1
        if event == "fault":
            for _ in range(self.rng.randint(1, 4)):
                self.faults.add(now)
        elif event == "calm":
            self.faults.end(now)
            if self.rng.random() < 0.3:
                self.pace, self.next_unit = (now + 0.4, 0), now + 0.4
        elif event == "kill":
            run.expected.add(-signal.SIGKILL)
            self.signal(signal.SIGKILL)
        elif event == "stop":
            self.signal(signal.SIGSTOP)
            self.stopped_until = now + self.rng.choice((0.05, 0.3, 1.5))
        elif event == "down":
            ms = self.rng.choice((20, 100, 400, 1200))
            self.standin.ask("POST", f"down?ms={ms}")
            self.down_until = now + ms / 1000
        elif event in ("eof", "gone"):
            # Maybe in the middle of a frame.
            run.expected.add(111)
            run.close_pipe()
            if event == "gone":
                run.close_acks()
        return now + self.rng.uniform(0.02, 0.3)

    def emit(self, now):
        """Units, in floods and trickles, with pauses."""
        if now >= self.pace[0]:
            self.pace = (now + self.rng.uniform(0.05, 0.5),
                         self.rng.choice((0, 0, 0, 0.002, 0.01, 0.05, 1)))
            self.next_unit = now
        if self.run.pipe is None or now < self.next_unit:
            return
        for _ in range(20):
            if not self.run.write(now) or len(self.run.out) > PIPE_FULL:
                return
            self.run.send_unit()
            self.next_unit += self.pace[1]
            if self.next_unit > now:
                break

    def writer_ended(self):
        """Look after the writer.  True: it is gone."""
        run = self.run
        if run.process.poll() is None:
            return False
        run.take_acks()
        run.close_acks()
        run.close_pipe()
        if run.process.returncode not in run.expected:
            self.wrong(f"exit: {run.name} ended with {run.process.returncode}")
        return True

    def wait(self, now, until):
        with selectors.DefaultSelector() as s:
            run = self.run
            if run.pipe is not None and run.out:
                s.register(run.pipe, selectors.EVENT_WRITE)
            if run.connection:
                s.register(run.connection, selectors.EVENT_READ)
            elif run.listener.fileno() >= 0:
                s.register(run.listener, selectors.EVENT_READ)
            s.select(max(0, min(until - now, 0.02)))

    def main(self):
        self.standin.must("POST", f"fault?kind=item&status=400&id={BAD_ID}")
        self.start()
        begin = now = time.monotonic()
        end, next_event = begin + self.options.seconds, begin + 0.3
        while now < end and self.problems == 0:
            if self.writer_ended():
                self.start()
            self.run.take_acks()
            self.emit(now)
            self.run.write(now)
            if now >= self.down_until:
                self.faults.remove(now)
            if 0 < self.stopped_until <= now:
                self.signal(signal.SIGCONT)
                self.stopped_until = 0
            if now >= next_event and now >= self.down_until:
                next_event = self.event(now)
            if not self.run.out:
                self.wait(now, min(next_event, self.next_unit))
            else:
                self.wait(now, next_event)
            now = time.monotonic()
        if self.problems == 0:
            self.drain()
        self.report()
        return 0 if self.drained else 1

    def drain(self):
        self.signal(signal.SIGCONT)
        now = time.monotonic()
        self.faults.end(now)
        self.faults.remove(now)
        self.standin.must("POST", "release")
        end = now + DRAIN
        while True:
            if self.writer_ended():
                if self.run.ended or self.problems:
                    break
                self.start()
            if not self.run.ended and not self.run.expected:
                while self.run.next < len(self.workload.units):
                    self.run.send_unit()
                self.run.end()
            self.run.take_acks()
            self.run.write(now)
            self.wait(now, end)
            now = time.monotonic()
            if now > end:
                self.wrong(f"exit: not all is stored {DRAIN} s after the last fault")
                return
        self.drained = True
        run = self.run
        if run.acked != run.next - run.start:
            self.wrong(f"protocol: acked are {run.acked} of {run.next - run.start}")
        self.stored.take()
        for what in self.stored.undone():
            self.wrong(what)
        for what in self.workload.difference(self.standin.must("GET", "docs").splitlines()):
            self.wrong("differs: " + what)

    def report(self):
        for what in self.stored.wrong:
            self.wrong(what)
        stats = self.standin.stats()
        if stats["order_violations"] != 0:
            self.wrong(f"order: {stats['order_violations']} items overlap in time")
        if self.problems and self.run.process.poll() is None:
            self.run.process.kill()
        with open(self.options.hits, "w", encoding="utf-8") as f:
            f.writelines(f"{n} {name}\n" for name, n in self.hits.items())
        self.count |= self.workload.counts
        self.count |= {n: stats[n] for n in ("bulk_requests", "items", "conflicts")}
        for name, n in self.count.items():
            print(f"count {name} {n}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    for name in ("standin", "unix", "log", "dir", "hits"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("writer", nargs="+")
    return Chaos(parser.parse_args()).main()


sys.exit(main())
