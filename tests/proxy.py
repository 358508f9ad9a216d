"""A TCP proxy on 127.0.0.1 whose network fails at will, for tests.

    proxy.py PORTFILE COMMANDS PORT

Listens on a free port, writes its number to PORTFILE, and forwards to PORT.  Lines that are
appended to the file COMMANDS are done one after the other, each then said on standard
output:

    freeze      the connections that there are stay open, but nothing gets through any more
    stall       the same for those to come, each said as "stalled one"
    go          those to come work again
    cut         all connections are reset
    refuse      those to come are reset, too, until go
    to PORT     those to come are forwarded there
    delay MS    what comes rests so long before it is forwarded; 0: no more
"""
import os
import selectors
import socket
import struct
import sys
import time

port_file, commands, port = sys.argv[1:]
target = int(port)
mode = "go"
delay = 0
CHUNK = 65536
peers = {}  # socket: the one it is forwarded to
pending = {}  # socket: what is still to be sent to it
selector = selectors.DefaultSelector()


def watch(sock):
    """A socket is read from while its peer takes what came."""
    events = selectors.EVENT_WRITE if pending[sock] else 0
    if not pending[peers[sock]]:
        events |= selectors.EVENT_READ
    if sock in selector.get_map():
        selector.unregister(sock)
    if events:
        selector.register(sock, events)


def close(sock, reset=False):
    for s in (sock, peers.get(sock)):
        if s is None or s.fileno() < 0:
            continue
        if s in selector.get_map():
            selector.unregister(s)
        if reset:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
        peers.pop(s, None)
        pending.pop(s, None)


def accept():
    client, _ = listener.accept()
    if mode == "refuse":
        peers[client], pending[client] = None, b""
        close(client, True)
        return
    if mode == "stall":
        peers[client], pending[client] = None, b""
        print("stalled one", flush=True)
        return
    try:
        server = socket.create_connection(("127.0.0.1", target))
    except OSError:
        client.close()
        return
    peers[client], peers[server] = server, client
    for s in (client, server):
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pending[s] = b""
    watch(client)
    watch(server)


def forward(sock, events):
    peer = peers[sock]
    try:
        if events & selectors.EVENT_READ and not pending[peer]:
            time.sleep(delay)
            pending[peer] = sock.recv(CHUNK)
            if not pending[peer]:
                close(sock)
                return
        for s in (sock, peer):
            if pending[s]:
                try:
                    pending[s] = pending[s][s.send(pending[s]):]
                except BlockingIOError:
                    pass
    except OSError:
        close(sock)
        return
    watch(sock)
    watch(peer)


def command(line):
    global mode, target, delay
    word = line.split()
    if word[0] == "to":
        target = int(word[1])
    elif word[0] == "delay":
        delay = int(word[1]) / 1000
    elif word[0] in ("cut", "refuse"):
        for sock in list(peers):
            close(sock, True)
    elif word[0] in ("freeze", "stall"):
        for sock in peers:
            if sock in selector.get_map():
                selector.unregister(sock)
    if word[0] in ("stall", "refuse", "go"):
        mode = word[0]
    print(line, flush=True)


listener = socket.create_server(("127.0.0.1", 0), backlog=50)
selector.register(listener, selectors.EVENT_READ)
with open(port_file + ".new", "w") as f:
    f.write(f"{listener.getsockname()[1]}\n")
os.rename(port_file + ".new", port_file)
with open(commands) as lines:
    rest = ""
    while True:
        for key, events in selector.select(0.05):
            if key.fileobj is listener:
                accept()
            elif key.fileobj in peers:
                forward(key.fileobj, events)
        rest += lines.read()
        while "\n" in rest:
            line, rest = rest.split("\n", 1)
            command(line)
