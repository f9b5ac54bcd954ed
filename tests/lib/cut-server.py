# SPDX-License-Identifier: GPL-2.0-only
#
# usage: cut-server.py DIRECTORY BYTES ranges|whole
#
# Serve the files of a directory on the loopback device, and cut each answer off after BYTES.  With "ranges" answer a
# request for a range (RFC 9110, section 14); with "whole" send the file from its start.  Print the port that the
# kernel chose, then each request's range.

import http.server
import os
import re
import sys

directory, most, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:most])
            self.close_connection = len(body) > most

    def do_GET(self):
        path = directory + self.path
        if not os.path.isfile(path):
            self.answer(200 if self.path == "/" else 404)
            return
        with open(path, "rb") as file:
            body = file.read()
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and mode == "ranges" else 0
        # one write, as the answers to several clients are threads
        print(f"{os.path.basename(path)} {wanted[1] if wanted else 'all'}\n", end="", flush=True)
        if start >= len(body):
            self.answer(416, headers=[("Content-Range", f"bytes */{len(body)}")])
        elif start:
            self.answer(206, body[start:], [("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")])
        else:
            self.answer(200, body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print("port", server.server_port, flush=True)
server.serve_forever()
