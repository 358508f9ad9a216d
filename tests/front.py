#!/usr/bin/env python3
"""What stands before a cluster, for tests: a server or proxy that passes requests on.

    front.py PORTFILE [OPTION...]

Listens on a free port of 127.0.0.1, writes its number to PORTFILE, and passes requests to
the port of --to.  It is a forward proxy as well: for whole URLs, and for CONNECT.

    --to PORT           of 127.0.0.1
    --ipv6              listens on ::1
    --tls CERT KEY      speaks TLS; CERT may hold a chain
    --client-ca FILE    wants a client certificate that this one signed
    --tls12             TLS 1.2 at most
    --prefix /PATH      is before each path, and taken off
    --record FILE       a JSON line for each request: conn (the connection's number),
                        method, target, headers, sha256 of the body, and its start, unpacked
    --redirect URL      answers all requests by 307 to there
    --nodes FILE        the answer to GET /_nodes/http
    --login FILE        401, with all headers in the answer, where Authorization is not its
                        first line
    --gzip              packs answers for who says that it takes them
    --no-root           403 to GET /
"""
import argparse
import gzip
import hashlib
import http.client
import http.server
import itertools
import json
import os
import select
import socket
import socketserver
import ssl
import threading
from urllib.parse import urlsplit

parser = argparse.ArgumentParser()
parser.add_argument("port_file")
parser.add_argument("--to", type=int)
parser.add_argument("--ipv6", action="store_true")
parser.add_argument("--tls", nargs=2)
parser.add_argument("--client-ca")
parser.add_argument("--tls12", action="store_true")
parser.add_argument("--prefix", default="")
parser.add_argument("--record")
parser.add_argument("--redirect")
parser.add_argument("--nodes")
parser.add_argument("--login")
parser.add_argument("--gzip", action="store_true")
parser.add_argument("--no-root", action="store_true")
option = parser.parse_args()
numbers = itertools.count(1)
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def setup(self):
        self.number = next(numbers)
        if context:
            self.request.settimeout(30)
            self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()

    def log_message(self, *args):
        pass

    def record(self, body):
        if not option.record:
            return
        plain = body
        if self.headers["Content-Encoding"] == "gzip":
            plain = gzip.decompress(body)
        line = json.dumps({
            "conn": self.number, "method": self.command, "target": self.path,
            "headers": self.headers.items(), "sha256": hashlib.sha256(body).hexdigest(),
            "body": plain[:4000].decode("utf-8", "replace"),
        })
        with lock, open(option.record, "a") as f:
            f.write(line + "\n")

    def answer(self, status, body, headers=()):
        if option.gzip and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
            headers = [*headers, ("Content-Encoding", "gzip")]
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def tunnel(self):
        self.record(b"")
        host, _, port = self.path.rpartition(":")
        try:
            there = socket.create_connection((host.strip("[]"), int(port)))
        except OSError:
            self.answer(502, b"")
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        ends = {self.connection: there, there: self.connection}
        while True:
            for s in select.select(list(ends), [], [])[0]:
                data = s.recv(65536)
                if not data:
                    self.close_connection = True
                    there.close()
                    return
                ends[s].sendall(data)

    def serve(self):
        if self.command == "CONNECT":
            self.tunnel()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.record(body)
        target, port = self.path, option.to
        if target.startswith("http://"):
            url = urlsplit(target)
            target, port = url.path + (f"?{url.query}" if url.query else ""), url.port
        if option.login:
            with open(option.login) as f:
                want = f.readline().rstrip("\n")
            if self.headers.get("Authorization") != want:
                self.answer(401, str(self.headers).encode())
                return
        if option.redirect:
            self.answer(307, b"", [("Location", option.redirect + target)])
        elif option.no_root and target == "/":
            self.answer(403, b"no")
        elif option.nodes and target.startswith("/_nodes/http"):
            with open(option.nodes, "rb") as f:
                self.answer(200, f.read())
        elif not target.startswith(option.prefix):
            self.answer(404, b"not here")
        else:
            self.forward(port, target[len(option.prefix):], body)

    def forward(self, port, target, body):
        there = http.client.HTTPConnection("127.0.0.1", port)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in
                   ("connection", "host", "content-length", "accept-encoding", "transfer-encoding")}
        try:
            there.request(self.command, target, body, headers)
            answer = there.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        self.answer(answer.status, text, [
            (k, v) for k, v in answer.getheaders()
            if k.lower() not in ("content-length", "connection", "transfer-encoding")])

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_CONNECT = serve


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 50
    address_family = socket.AF_INET6 if option.ipv6 else socket.AF_INET

    def handle_error(self, request, address):
        pass


context = None
if option.tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*option.tls)
    if option.client_ca:
        context.load_verify_locations(option.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    if option.tls12:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
server = Server(("::1" if option.ipv6 else "127.0.0.1", 0), Handler)
with open(option.port_file + ".new", "w") as out:
    out.write(f"{server.server_address[1]}\n")
os.rename(option.port_file + ".new", option.port_file)
server.serve_forever()
