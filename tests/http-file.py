"""http-file.py SOCKET PATH=FILE...: answers GET of these paths on a Unix socket with what the
files hold at that time."""
import os
import socketserver
import sys
from http.server import BaseHTTPRequestHandler

pages = dict(a.split("=", 1) for a in sys.argv[2:])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        file = pages.get(self.path)
        body = open(file, "rb").read() if file and os.path.exists(file) else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "-"

    def log_message(self, *args):
        pass


socketserver.UnixStreamServer(sys.argv[1], Handler).serve_forever()
