"""What tests ask of a program's port for metrics.

    metrics.py check                        standard input is a page in Prometheus' text
                                            format; says what is wrong with it
    metrics.py names                        of the families of such a page
    metrics.py get NAME [LABEL=VALUE...]    the sample with these labels, of such a page
    metrics.py crowd PORT N                 N clients that say nothing, at once; "there" when
                                            all are connected; until standard input ends
    metrics.py KIND PORT                    a client, until it is cut off: slow, garbage,
                                            endless, deaf; says how it ended
"""
import re
import resource
import socket
import sys
import time

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)\Z")
# Prometheus asks for base units, spelled out, and promtool complains of these.
UNITS = {"ms", "us", "s", "kb", "mb", "kilobytes", "megabytes", "milliseconds", "percent",
         "minutes", "hours", "bits", "b"}


def is_part(name, family, families):
    """A sample of a histogram?"""
    return families[family][0] == "histogram" and name in (
        f"{family}_bucket", f"{family}_sum", f"{family}_count")


def histogram(name, samples):
    """What is wrong with one: each has buckets in order, the last of which is its count."""
    of = {}
    for key, (_, value) in samples.items():
        labels = dict(key)
        part, end = labels.pop("__name__")[len(name):], labels.pop("le", None)
        of.setdefault(frozenset(labels.items()), {})[part, end and float(end)] = value
    for labels, parts in of.items():
        ends = sorted(end for part, end in parts if part == "_bucket")
        counts = [parts["_bucket", end] for end in ends]
        if counts != sorted(counts) or ends[-1:] != [float("inf")] or \
                parts.get(("_count", None)) != counts[-1] or ("_sum", None) not in parts:
            yield f"{name}: no histogram: {dict(labels)}"


def read(text):
    """Families, {name: (type, {labels: value})}, and what is wrong."""
    families, wrong, current, helped = {}, [], None, None
    if not text.endswith("\n"):
        wrong.append("the last line has no end")
    for line in text.split("\n")[:-1]:
        found = re.match(rf"# (HELP|TYPE) ({NAME}) (.+)\Z", line)
        if found and found[1] == "HELP":
            helped = found[2]
        elif found:
            current = found[2]
            if helped != current:
                wrong.append(f"no HELP just before: {line}")
            if current in families:
                wrong.append(f"twice: {line}")
            families[current] = (found[3], {})
        elif not (sample := SAMPLE.match(line)):
            wrong.append(f"no sample: {line}")
        elif sample[1] != current and not is_part(sample[1], current, families):
            wrong.append(f"not below its family: {line}")
        else:
            labels = re.findall(LABEL, sample[2] or "")
            if len({name for name, _ in labels}) < len(labels):
                wrong.append(f"a label twice: {line}")
            key = frozenset((name, re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value))
                            for name, value in labels if value)
            if sample[1] != current:
                key |= {("__name__", sample[1])}
            values = families[current][1]
            if key in values:
                wrong.append(f"a sample twice: {line}")
            try:
                values[key] = sample[7], float(sample[7])
            except ValueError:
                wrong.append(f"no number: {line}")
    return families, wrong


def check(text):
    families, wrong = read(text)
    for name, (kind, samples) in families.items():
        words = name.split("_")
        if kind == "histogram":
            wrong += histogram(name, samples)
        elif kind not in ("counter", "gauge"):
            wrong.append(f"{name}: an unknown type {kind}")
        if (kind == "counter") != (words[-1] == "total"):
            wrong.append(f"{name}: counters, and they alone, end in _total")
        if UNITS & set(words) or re.search("[A-Z:]", name):
            wrong.append(f"{name}: not a name that promtool likes")
        if not name.startswith(("pgcdc_", "process_")):
            wrong.append(f"{name}: whose is that?")
        for text_of, value in samples.values():
            if kind == "counter" and not value >= 0:
                wrong.append(f"{name}: {text_of}")
    return wrong


def connect(port):
    s = socket.socket()
    # So little that the kernel does not take a whole page for a client that never reads.
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.settimeout(60)
    s.connect(("127.0.0.1", port))
    return s


def crowd(port, n):
    resource.setrlimit(resource.RLIMIT_NOFILE, (n + 100, max(
        n + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    clients = []
    for _ in range(n):
        clients.append(connect(port))
    print("there", flush=True)
    sys.stdin.read()


def client(kind, port):
    s = connect(port)
    try:
        if kind == "slow":
            while True:
                s.sendall(b"G")
                time.sleep(0.2)
        if kind == "garbage":
            s.sendall(bytes(range(256)) * 64 + b"\r\n\r\n")
        if kind == "endless":
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
            while True:
                s.sendall(b"X: " + b"y" * 1000 + b"\r\n")
        if kind == "deaf":
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            # A connection that was given up is a reset, which shows without reading.
            while s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1:
                time.sleep(0.1)
            print("cut off")
            return
        answer = b""
        while piece := s.recv(4096):
            answer += piece
        print(answer.split(b"\r\n")[0].decode("latin-1") or "cut off")
    except OSError:
        print("cut off")


def main():
    what = sys.argv[1]
    if what == "crowd":
        crowd(int(sys.argv[2]), int(sys.argv[3]))
    elif what in ("check", "names", "get"):
        text = sys.stdin.buffer.read().decode("utf-8")
        if what == "check":
            print("\n".join(check(text) or ["fine"]))
        elif what == "names":
            print("\n".join(read(text)[0]))
        else:
            labels = frozenset(tuple(arg.split("=", 1)) for arg in sys.argv[3:])
            name = sys.argv[2]
            families = read(text)[0]
            if name not in families:
                labels |= {("__name__", name)}
                name = re.sub("_(bucket|sum|count)$", "", name)
            print(families.get(name, (None, {}))[1].get(labels, ("none", 0))[0])
    else:
        client(what, int(sys.argv[2]))


main()
