# SPDX-License-Identifier: GPL-2.0-only
"""usage: silent.py PORT DIRECTORY [NAME]

Serves DIRECTORY over HTTP, but for files whose path ends in NAME: of these it sends the headers and
then nothing more.  Without NAME it takes every connection and never says a word.
"""

import functools
import http.server
import socket
import sys
import time


class Handler(http.server.SimpleHTTPRequestHandler):
    def copyfile(self, source, outputfile):
        if self.path.endswith(sys.argv[3]):
            time.sleep(3600)
        super().copyfile(source, outputfile)


if len(sys.argv) == 3:
    with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
        taken = []
        while True:
            taken.append(server.accept())
handler = functools.partial(Handler, directory=sys.argv[2])
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler).serve_forever()
