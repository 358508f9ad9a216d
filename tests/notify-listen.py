"""notify-listen.py SOCKET FILE: a service manager's socket, @NAME an abstract one.  Each line of
a datagram is appended to FILE, with the pid that sent it in front; descriptors that come along
are closed, as the manager does."""
import array
import os
import socket
import struct
import sys

path, out = sys.argv[1:]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind("\0" + path[1:] if path.startswith("@") else path)
with open(out, "a", buffering=1) as f:
    while True:
        data, control, _, _ = s.recvmsg(65536, 1024)
        pid = 0
        for level, kind, value in control:
            if kind == socket.SCM_RIGHTS:
                fds = array.array("i", value)
                for fd in fds:
                    os.close(fd)
            elif kind == 2:
                pid = struct.unpack("iii", value[:12])[0]
        # Who it is of can be looked up: the sender waits.
        there = os.path.exists(f"/proc/{pid}/stat")
        for line in data.decode().splitlines():
            if line != "BARRIER=1":
                f.write(f"{'there' if there else 'gone'} {line}\n")
