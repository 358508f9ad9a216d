#!/usr/bin/env python3
"""The reader's end of the ack socket, for tests of the writer.

    ack-listen.py [--log FILE --units FILE] [--close-at SEQ] [--mute FILE] SOCKET OUTPUT

Listens on SOCKET, takes one connection, and copies its lines to OUTPUT, until the
other side closes it; then writes "end".  A line "wrong ..." follows one that breaks the
protocol: the first must be the greeting, then acks whose seq and LSN grow.

With --log and --units it also checks that an ack is not early: FILE is the log of the
stand-in, and lines of seq, id and LSN, as write.sh's load makes them.  --close-at closes the connection at an ack
of this unit, or one behind it.  --mute doesn't read before FILE exists.
"""
import argparse
import collections
import os
import re
import socket
import sys
import time


class Stored:
    """Which units the stand-in's log shows to be stored.  What a newer action on the
    document replaces counts as stored with that: it may have been left out for it."""

    def __init__(self, log, units):
        self.log = open(log, encoding="utf-8")
        self.rest = ""
        self.newest = {}
        self.units = {}
        place = collections.Counter()
        with open(units, encoding="utf-8") as lines:
            for line in lines:
                seq, key, lsn = line.split()
                version = int(lsn) * 16 + place[seq, key]
                place[seq, key] += 1
                self.units.setdefault(int(seq), []).append((key, version))
        self.upto = 0

    def missing(self, seq):
        """None, or what is not yet stored of the units up to seq."""
        # The stand-in may be writing the last line just now.
        *lines, self.rest = (self.rest + self.log.read()).split("\n")
        for line in lines:
            _, _, _, key, version, status = line.split()
            if status in ("200", "201", "404", "409"):
                self.newest[key] = max(int(version), self.newest.get(key, 0))
        while self.upto < seq:
            for key, version in self.units.get(self.upto + 1, []):
                if self.newest.get(key, 0) < version:
                    return f"unit {self.upto + 1}: document {key}"
            self.upto += 1
        return None


def problem(number, line, last, stored):
    """What is wrong with a line, or None; last is changed."""
    if number == 0:
        return None if re.fullmatch(r"pgcdc-ack 1 \S+", line) else "no greeting"
    match = re.fullmatch(r"ack (\d+) ([0-9A-F]+)/([0-9A-F]+)", line)
    if not match:
        return "no ack"
    position = (int(match[1]), (int(match[2], 16) << 32) + int(match[3], 16))
    if position[0] <= last[0] or position[1] < last[1]:
        return "it does not move forward"
    last[:] = position
    missing = stored and stored.missing(position[0])
    return f"early: not stored is {missing}" if missing else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--log")
    parser.add_argument("--units")
    parser.add_argument("--close-at", type=int, default=None)
    parser.add_argument("--mute")
    parser.add_argument("socket")
    parser.add_argument("output")
    options = parser.parse_args()
    stored = Stored(options.log, options.units) if options.log else None
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    os.umask(0o177)
    listener.bind(options.socket)
    listener.listen(1)
    last = [0, 0]
    with open(options.output, "w", encoding="utf-8") as output:
        connection, _ = listener.accept()
        while options.mute and not os.path.exists(options.mute):
            time.sleep(0.02)
        lines = connection.makefile(encoding="utf-8", newline="\n")
        for number, line in enumerate(lines):
            print(line, end="", file=output)
            wrong = problem(number, line.rstrip("\n"), last, stored)
            if wrong:
                print("wrong:", wrong, file=output)
            output.flush()
            if options.close_at is not None and last[0] >= options.close_at:
                break
        lines.close()
        connection.close()
        print("end", file=output)
    return 0


sys.exit(main())
