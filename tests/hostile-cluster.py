#!/usr/bin/env python3
"""A cluster that answers nonsense: what esbulk-write makes of it.

    hostile-cluster.py SEED...

For each seed a server of its own answers the first few requests in ways that no cluster does, and from
then on as one does.  esbulk-write may have everything stored in the end (0), which is then looked at, or
end with 100 or 111 and a reason; within a minute and 64 MiB.  A line of TAP is printed for each.
"""
import concurrent.futures
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import zlib

import liars

LIMIT_S, LIMIT_KB = 60, 65536
UNITS = 6


def answer(body, status="200 OK", headers="", version="1.1"):
    return ("HTTP/%s %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
            % (version, status, headers, len(body))).encode() + body


def chunked(r, pieces):
    del r
    return (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces))


def endless(sock, head, piece, most):
    sock.sendall(head)
    for _ in range(most // len(piece)):
        sock.sendall(piece)


def changed(r, good, how):
    """A good answer's JSON, but for one thing."""
    items = good["items"]
    if how == "fewer":
        del items[r.randrange(len(items))]
    elif how == "more":
        items.append(items[0])
    elif how == "none":
        del good["items"]
    elif how == "ops":
        items[0] = {r.choice(["delete", "update", "", "x" * 5000]): next(iter(items[0].values()))}
    elif how == "status":
        next(iter(items[0].values()))["status"] = r.choice([-1, 10 ** 30, "200", None, [], 0, 99, 1e300])
    elif how == "types":
        good["items"] = r.choice([{}, 5, "x", [1, 2], [[]], [{}] * len(items), None])
    elif how == "reason":
        good["errors"] = True
        next(iter(items[0].values())).update(status=503, error={"type": "t" * 300000, "reason": "r" * 20000000})
    return json.dumps(good).encode()


# Each takes the socket, the random numbers and the good answer; nothing was stored.
def no_http(s, r, g): s.sendall(r.randbytes(100000))
def no_status(s, r, g): s.sendall(b"HTTP/1.1 abc def\r\n\r\n{}")
def version(s, r, g): s.sendall(answer(b"{}", version="9.9"))
def nothing(s, r, g): pass
def empty(s, r, g): s.sendall(answer(b""))
def no_content(s, r, g): s.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
def garbage(s, r, g): s.sendall(answer(r.randbytes(50000)))
def cut_header(s, r, g): s.sendall(b"HTTP/1.1 200 OK\r\nContent-Ty")
def cut_body(s, r, g): s.sendall(answer(g)[:-r.randrange(1, len(g))])
def many_headers(s, r, g): s.sendall(answer(g, headers="X-A: b\r\n" * 100000))
def large_header(s, r, g): s.sendall(answer(g, headers="X-A: %s\r\n" % ("b" * 10000000)))
def length(s, r, g): s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}")
def lengths(s, r, g): s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}")
def blanks(s, r, g): endless(s, b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", b" " * 65536, 1 << 28)
def strings(s, r, g): endless(s, b'HTTP/1.1 200 OK\r\n\r\n{"took":"', b"x" * 65536, 1 << 28)
def items(s, r, g): endless(s, b'HTTP/1.1 200 OK\r\n\r\n{"items":[', b'{"index":{"status":200}},' * 1000, 1 << 27)
def deep(s, r, g): endless(s, b'HTTP/1.1 200 OK\r\n\r\n', b"[" * 65536, 1 << 26)
def continues(s, r, g): endless(s, b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 1 << 24)
def redirect(s, r, g): s.sendall(answer(b"", "302 Found", "Location: /_bulk\r\n"))
def to_file(s, r, g): s.sendall(answer(b"", "307 Moved", "Location: file:///etc/passwd\r\n"))
def unasked(s, r, g): s.sendall(answer(g[:-1]) * 3)
def size(s, r, g): s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}")
def no_size(s, r, g): s.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")
def no_end(s, r, g): s.sendall(chunked(r, [g[:5], g[5:-1]]))
def no_gzip(s, r, g): s.sendall(answer(r.randbytes(999), headers="Content-Encoding: gzip\r\n"))
def cut_gzip(s, r, g): s.sendall(answer(gzip.compress(g)[:-12], headers="Content-Encoding: gzip\r\n"))


def bomb(s, r, g):
    c = zlib.compressobj(9, wbits=31)
    packed = c.compress(b'{"took":"') + b"".join(c.compress(b"x" * (1 << 20)) for _ in range(128))
    s.sendall(answer(packed + c.flush(), headers="Content-Encoding: gzip\r\n"))


def drip(s, r, g):
    for i in range(200):
        s.sendall(answer(g)[i:i + 1])
        time.sleep(0.05)


def hang(s, r, g): time.sleep(5)


LIES = [no_http, no_status, version, nothing, empty, no_content, garbage, cut_header, cut_body, many_headers,
        large_header, length, lengths, blanks, strings, items, deep, continues, redirect, to_file, unasked, size,
        no_size, no_end, no_gzip, cut_gzip, bomb, drip, hang]
CHANGES = ["fewer", "more", "none", "ops", "status", "types", "reason"]


class Cluster(liars.Liar):
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lies = self.random.randrange(1, 4)
        self.told, self.stored, self.lock = [], set(), threading.Lock()
        super().__init__()

    def serve(self, client):
        client.settimeout(20)
        try:
            with client, client.makefile("rb") as lines:
                while self.request(client, lines):
                    pass
        except (OSError, ValueError):
            pass

    def request(self, client, lines):
        first = lines.readline().split()
        if len(first) < 2:
            return False
        n = 0
        while (line := lines.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                n = int(value)
            elif name.lower() == b"expect":
                client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = lines.read(n)
        if not first[1].startswith(b"/_bulk"):
            client.sendall(answer(b'{"version":{"number":"2.11.0","distribution":"opensearch"}}'))
            return True
        ids = [json.loads(line)["index"]["_id"] for line in body.splitlines()[::2]]
        good = {"took": 1, "errors": False, "items": [
            {"index": {"_index": "i", "_id": i, "_version": 1, "result": "created", "status": 201}}
            for i in ids]}
        with self.lock:
            lie = self.random.choice(LIES + CHANGES * 2) if self.lies > 0 else None
            self.lies -= 1
            if lie is None:
                self.stored.update(ids)
            else:
                self.told.append(lie if isinstance(lie, str) else lie.__name__)
        if lie is None:
            client.sendall(answer(json.dumps(good).encode()))
            return True
        if isinstance(lie, str):
            client.sendall(answer(changed(self.random, good, lie)))
            return True
        lie(client, self.random, json.dumps(good).encode())
        return False


def once(seed, directory):
    """What is wrong, or None; and what happened."""
    cluster = Cluster(seed)
    letters = os.path.join(directory, "dead-%d" % seed)
    with open(os.path.join(directory, "frames"), "rb") as frames, \
            open(os.path.join(directory, "err-%d" % seed), "w+", encoding="utf-8", errors="replace") as err:
        writer = subprocess.Popen(
            ["esbulk-write", "-u", "http://127.0.0.1:%d" % cluster.port, "--timeout", "2", "--give-up", "1",
             "--batch-docs", "4", "--lanes", "1", "--dead-letter", letters], stdin=frames, stderr=err)
        status, hangs, most = liars.watch(writer, LIMIT_S)
        err.seek(0)
        said = err.read()
    cluster.listener.close()
    dead = b""
    if os.path.exists(letters):
        with open(letters, "rb") as f:
            dead = f.read()
    what = "%s: exit %d, %d kB" % (" ".join(cluster.told), status, most)
    if hangs:
        return "it hangs", what
    if status not in (0, 100, 111):
        return "it crashed: %s" % said[-2000:], what
    if status != 0 and " error " not in said:
        return "it says nothing", what
    if max(map(len, said.splitlines()), default=0) > 20000:
        return "it says too much", what
    lost = [i for u in range(UNITS) for i in ("a%d" % u, "b%d" % u)
            if i not in cluster.stored and b"\xa2" + i.encode() not in dead]
    if status == 0 and lost:
        return "it takes for stored what is not: %s" % lost, what
    if most > LIMIT_KB and "PGCDC_TEST_SANITIZED" not in os.environ:
        return "it took %d kB" % most, what
    return None, what


def main():
    seeds = [int(seed) for seed in sys.argv[1:]]
    failed = 0
    with tempfile.TemporaryDirectory() as directory, concurrent.futures.ThreadPoolExecutor(4) as pool:
        lines = []
        for u in range(UNITS):
            lsn = "0/%X" % ((u + 1) * 4096)
            lines.append(["B", lsn, 0, 7])
            lines += [["X", "index", 1, "i", "%s%d" % (c, u), None, None, '{"n":%d}' % u] for c in "ab"]
            lines.append(["C", lsn, u + 1])
        lines.append(["E", "0/FFFFFF", "done"])
        with open(os.path.join(directory, "frames"), "wb") as f:
            subprocess.run(["pgcdc-cat", "--pack"], input="\n".join(map(json.dumps, lines)).encode() + b"\n",
                           stdout=f, check=True)
        for number, (wrong, what) in enumerate(pool.map(lambda s: once(s, directory), seeds), 1):
            failed += wrong is not None
            print("%sok %d - seed %d: %s" % ("not " if wrong else "", number, seeds[number - 1], what))
            if wrong:
                print("# " + wrong.replace("\n", "\n# "))
            sys.stdout.flush()
    print("1..%d" % len(seeds))
    return 1 if failed else 0


sys.exit(main())
