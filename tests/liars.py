"""What peers that lie have in common, for tests: they listen, and watch what it does to a program."""
import re
import socket
import threading
import time


class Liar:
    """Listens on a free port of 127.0.0.1, self.port; each connection is served, in a thread of its own."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=20)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        raise NotImplementedError


def peak(pid):
    """kB, 0 if it is over."""
    try:
        with open("/proc/%d/status" % pid, encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s*(\d+)", status.read())[1])
    except (OSError, TypeError):
        return 0


def watch(process, seconds):
    """Until it is over: its exit status, whether it had to be killed for it, and its peak of memory in kB."""
    until, most = time.monotonic() + seconds, 0
    while process.poll() is None and time.monotonic() < until:
        most = max(most, peak(process.pid))
        time.sleep(0.01)
    hangs = process.poll() is None
    if hangs:
        process.kill()
    return process.wait(), hangs, most
