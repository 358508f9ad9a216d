"""A writer's end of the ack socket, for tests.

    ack-client.py SOCKET INPUT

Connects, says "connected", sends what is appended to the file INPUT, byte by byte as it
is, and says "closed" and ends when the reader closes the connection.
"""
import select
import socket
import sys
import time

path, name = sys.argv[1:]
deadline = time.monotonic() + 20
while True:
    peer = socket.socket(socket.AF_UNIX)
    try:
        peer.connect(path)
        break
    except OSError as error:
        if time.monotonic() > deadline:
            sys.exit(str(error))
        time.sleep(0.01)
print("connected", flush=True)
with open(name, "rb") as lines:
    while True:
        try:
            peer.sendall(lines.read())
            closed = select.select([peer], [], [], 0.01)[0] and not peer.recv(4096)
        except OSError:
            closed = True
        if closed:
            print("closed", flush=True)
            break
