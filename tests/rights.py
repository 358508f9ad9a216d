"""As much of Elasticsearch as the check of rights asks for: a login lacks them until the role
"pgcdc" is put.  rights.py PORT_FILE"""
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

granted = False


class Handler(BaseHTTPRequestHandler):
    def answer(self, what, status=200):
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        global granted
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/":
            self.answer({"version": {"number": "9.2.4"}})
        elif self.path == "/_security/user/_has_privileges":
            wanted = json.loads(body)["index"][0]
            self.answer({"has_all_requested": granted and "index" in wanted["privileges"]})
        elif self.path == "/_security/role/pgcdc" and self.command == "PUT":
            granted = "write" in json.loads(body)["indices"][0]["privileges"]
            self.answer({"role": {"created": True}})
        else:
            self.answer({}, 403)

    do_GET = do_POST = do_PUT = handle_any

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
