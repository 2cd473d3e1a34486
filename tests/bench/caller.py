"""caller.py URL ROOTS COUNT: CPU time, in ms, of a call as the planner makes it, with Python's
http.client on one kept connection: a body of the same size, the answer parsed."""

import http.client
import json
import ssl
import sys
import time
import urllib.parse

url, roots, count = urllib.parse.urlsplit(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if url.scheme == "https":
    connection = http.client.HTTPSConnection(url.hostname, url.port,
                                             context=ssl.create_default_context(cafile=roots))
else:
    connection = http.client.HTTPConnection(url.hostname, url.port)
question = {"model": "m", "stream": False, "messages": [
    {"role": "system", "content": "s" * 3000}, {"role": "user", "content": "u" * 500}]}


def call():
    connection.request("POST", "/api/chat", json.dumps(question),
                       {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    return json.loads(answer["message"]["content"])["action"]


call()
begun = time.process_time()
for _ in range(count):
    call()
print(1000 * (time.process_time() - begun) / count)
