#!/usr/bin/env python3
"""A server that lies: what pgcdc-read makes of it.

    hostile.py PORT SEED...

Between a real server at PORT and `pgcdc-read -s hostile -p p -o FILE`, one message of the replication
connection is changed for each seed: a byte of it, its length, its letter, its place, or all that
follows is noise; a second later the connection is cut.  The connections after it are as they should
be.  The reader may have what it needs in the end (0), or end with 100 or 111; within half a minute and
64 MiB.  A line of TAP is printed for each.
"""
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import liars

KINDS = ("byte", "byte", "longer", "shorter", "huge", "negative", "letter", "inner", "cut", "noise",
         "twice", "swap", "empty")


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


class Server(liars.Liar):
    """Listens; lies once, on the first replication connection."""

    def __init__(self, port, seed):
        self.real = port
        self.random = random.Random(seed)
        self.kind = self.random.choice(KINDS)
        self.at = self.random.randrange(1, 60)
        self.done = False
        self.what = "nothing"
        super().__init__()

    def serve(self, client):
        server = socket.create_connection(("127.0.0.1", self.real))
        try:
            # SSLRequest and its like come before the startup packet; they are refused.
            while True:
                n, = struct.unpack("!i", read_exactly(client, 4))
                body = read_exactly(client, n - 4)
                if n != 8:
                    break
                client.sendall(b"N")
            server.sendall(struct.pack("!i", n) + body)
            replicates = b"replication\0" in body
            threading.Thread(target=self.copy, args=(client, server), daemon=True).start()
            self.answer(client, server, replicates)
        except (OSError, EOFError):
            pass
        for s in (client, server):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def copy(self, client, server):
        try:
            while data := client.recv(65536):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def answer(self, client, server, replicates):
        n = 0
        while True:
            head = read_exactly(server, 5)
            body = read_exactly(server, struct.unpack("!i", head[1:])[0] - 4)
            if replicates and not self.done:
                n += head[:1] == b"d"
                if n == self.at:
                    self.done = True
                    client.sendall(self.lie(head, body, server))
                    time.sleep(1)
                    return
            client.sendall(head + body)

    def lie(self, head, body, server):
        r = self.random
        letter, length = head[:1], len(body) + 4
        self.what = "%s in message %d (%r, %d bytes)" % (self.kind, self.at, letter + body[:1], length)
        if self.kind == "byte":
            i = r.randrange(len(body))
            body = body[:i] + bytes([body[i] ^ (1 << r.randrange(8))]) + body[i + 1:]
        elif self.kind == "longer":
            length += r.randrange(1, 100)
        elif self.kind == "shorter":
            length -= r.randrange(1, len(body) + 1)
        elif self.kind == "huge":
            length = 0x7fffffff
        elif self.kind == "negative":
            length = -r.randrange(1, 1 << 31)
        elif self.kind == "letter":
            letter = bytes([r.randrange(256)])
        elif self.kind == "inner":
            i = min(25, len(body) - 1)
            body = body[:i] + bytes([r.randrange(256)]) + body[i + 1:]
        elif self.kind == "cut":
            body = body[:r.randrange(len(body))]
        elif self.kind == "empty":
            body, length = b"", 4
        message = letter + struct.pack("!i", length) + body
        if self.kind == "noise":
            return r.randbytes(100000)
        if self.kind == "twice":
            return message * 2
        if self.kind == "swap":
            other = read_exactly(server, 5)
            other += read_exactly(server, struct.unpack("!i", other[1:])[0] - 4)
            return other + message
        return message


def once(port, seed, directory):
    """What is wrong, or None; and what happened."""
    liar = Server(port, seed)
    frames = os.path.join(directory, "frames")
    subprocess.run(["psql", "-XAtqc", "SELECT pg_copy_logical_replication_slot('base', 'hostile')"],
                   check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(directory, "err"), "w+", encoding="utf-8", errors="replace") as err:
        reader = subprocess.Popen(
            ["pgcdc-read", "-d", "host=127.0.0.1 port=%d sslmode=disable gssencmode=disable"
             % liar.port, "-s", "hostile", "-p", "p", "-o", frames, "--until-caught-up"],
            stderr=err)
        status, hangs, most = liars.watch(reader, 30)
        err.seek(0)
        said = [line for line in err.read().splitlines() if " error " in line or " warn " in line]
    liar.listener.close()
    if os.path.exists(frames):
        os.unlink(frames)
    # The walsender sees the end of its connection in its own time.
    subprocess.run(["psql", "-XAtqc", "DO $$ BEGIN LOOP BEGIN"
                    " PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots"
                    " WHERE slot_name = 'hostile' AND active;"
                    " PERFORM pg_drop_replication_slot('hostile'); EXIT;"
                    " EXCEPTION WHEN object_in_use THEN PERFORM pg_sleep(0.02); END; END LOOP; END $$"],
                   check=True, stdout=subprocess.DEVNULL)
    what = "%s: exit %d" % (liar.what, status)
    if hangs:
        return "it hangs", what
    if status not in (0, 100, 111):
        return "it crashed: %s" % said[-3:], what
    if status != 0 and not said:
        return "it says nothing", what
    if most > 65536:
        return "it took %d kB" % most, what
    return None, what


def main():
    port, seeds = int(sys.argv[1]), sys.argv[2:]
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        for number, seed in enumerate(seeds, 1):
            wrong, what = once(port, int(seed), directory)
            failed += wrong is not None
            print("%sok %d - seed %s: %s" % ("not " if wrong else "", number, seed, what))
            if wrong:
                print("# " + wrong)
            sys.stdout.flush()
    print("1..%d" % len(seeds))
    return 1 if failed else 0


sys.exit(main())
