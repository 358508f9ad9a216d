"""The stand-in's control, for the tests in Python."""
import http.client
import json
import sys
import time
from urllib.parse import urlsplit


class Standin:
    """What it is told and asked: see its --help."""

    def __init__(self, url):
        self.host = urlsplit(url).netloc
        self.connection = None

    def ask(self, method, path):
        """None: it cannot be reached."""
        try:
            if not self.connection:
                self.connection = http.client.HTTPConnection(self.host, timeout=5)
            self.connection.request(method, "/_standin/" + path)
            return self.connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            self.connection = None
            return None

    def must(self, method, path):
        end = time.monotonic() + 20
        while (answer := self.ask(method, path)) is None:
            if time.monotonic() > end:
                sys.exit("the stand-in is gone")
            time.sleep(0.01)
        return answer

    def stats(self):
        return json.loads(self.must("GET", "stats"))
