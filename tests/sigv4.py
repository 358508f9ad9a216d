#!/usr/bin/env python3
"""Judges AWS signatures by botocore: makes those of a record of front.py anew.

    sigv4.py NAME RECORD KEY SECRET TOKEN REGION SERVICE

Exit: 0 all are the same, and there were some.
"""
import json
import re
import sys

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

name, record, key, secret, token, region, service = sys.argv[1:]
judged = 0
for line in open(record):
    r = json.loads(line)
    headers = {k.lower(): v for k, v in r["headers"]}
    names = re.search("SignedHeaders=([^,]*)", headers["authorization"]).group(1).split(";")
    for must in ("host", "x-amz-date", "x-amz-content-sha256") + (
            ("x-amz-security-token",) if token else ()):
        if must not in names:
            sys.exit(f"{r['target']}: {must} is not signed")
    if headers["x-amz-content-sha256"] != r["sha256"]:
        sys.exit(f"{r['target']}: the body's hash is {r['sha256']}")
    if headers.get("x-amz-security-token", "") != token:
        sys.exit(f"{r['target']}: another session token")
    request = AWSRequest(r["method"], f"http://{headers['host']}{r['target']}",
                         headers={k: headers[k] for k in names})
    request.context["timestamp"] = headers["x-amz-date"]
    auth = botocore.auth.SigV4Auth(Credentials(key, secret, token or None), service, region)
    text = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, text), request)
    want = (f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, "
            f"SignedHeaders={auth.signed_headers(auth.headers_to_sign(request))}, "
            f"Signature={signature}")
    if headers["authorization"] != want:
        sys.exit(f"{r['target']}:\n{headers['authorization']}\nis not\n{want}\nof\n{text}")
    judged += 1
print(f"{judged} signatures")
sys.exit(judged == 0)
