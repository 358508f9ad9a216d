"""The cluster under torture: the stand-in, or a real node."""
import os
import signal
import subprocess
import threading

import documents as canonical
import liveload
from standin_control import Standin
from troubles import BELOW


class StandinNode:
    """Fails at will, keeps its documents when it goes away, and logs what it stored."""

    def __init__(self, url):
        self.url = url
        self.standin = Standin(url)

    def down(self, ms):
        self.standin.ask("POST", "down?ms=%d" % ms)

    def fault(self, spec):
        self.standin.must("POST", "fault?" + spec)

    def calm(self, kind=None):
        self.standin.must("DELETE", "fault?" + kind if kind else "fault")
        if kind is None:
            self.standin.must("POST", "release")

    def documents(self, index):
        return liveload.documents(self.url, index)


class RealNode:
    """Kept by search-node in a directory; killed, it has what its log on the disk has."""

    def __init__(self, url, directory, prefix):
        self.url, self.directory, self.prefix = url, directory, prefix
        self.starting = None
        self.found = None
        self.wrong = None

    def down(self, _):
        if self.starting is not None and self.starting.is_alive():
            return
        with open(self.directory + "/pid", encoding="ascii") as f:
            os.killpg(int(f.read()), signal.SIGKILL)
        self.starting = threading.Thread(target=self.start, daemon=True)
        self.starting.start()

    def start(self):
        done = subprocess.run([BELOW + "/search-node", "start", self.directory], check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8")
        if done.returncode != 0:
            self.wrong = "the node does not start again: " + done.stdout

    def up(self):
        if self.starting is not None:
            self.starting.join()

    def fault(self, spec):
        """It has none on demand."""

    def calm(self, kind=None):
        if kind is None:
            self.up()

    def look(self):
        """All documents: version and source, by index and id."""
        found = {}
        for hit in canonical.hits(self.url, self.prefix + "-*"):
            key = hit["_index"], hit["_id"].encode()
            # One id under two routings is two documents.
            found.setdefault(key, []).append((int(hit["_version"]), canonical.text(hit["_source"]).encode()))
        return found

    def documents(self, index):
        if self.found is None:
            self.found = self.look()
        for (name, key), all_of_it in self.found.items():
            for version, source in all_of_it if name == index else []:
                yield key, version, source
