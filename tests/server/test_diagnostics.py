"""The language server, spoken to as an editor does: over its standard input and output."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from xpiler_server.diagnostics import diagnostics_of

TEXT = '// 😋\n__global__ void k(float *x) { /* é */ asm("bar.sync 0;"); x[0] = 1; }\n'


def test_a_refused_kernel_is_underlined_at_its_statement_in_utf16_units() -> None:
    (found,) = diagnostics_of(TEXT, "k.cu")
    assert found.range.start.line == 1
    assert TEXT.split("\n")[1][found.range.start.character :].startswith("asm")
    assert "inline assembly" in found.message


def test_a_good_file_has_none() -> None:
    assert diagnostics_of("__global__ void k(float *x) { x[threadIdx.x] = 1; }\n", "k.cu") == []


def test_the_server_publishes_them_when_a_document_is_opened() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "xpiler_server.main"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )

    def send(message: dict[str, Any]) -> None:
        assert process.stdin
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        process.stdin.flush()

    def receive() -> dict[str, Any]:
        assert process.stdout
        length = 0
        while (line := process.stdout.readline().strip()) != b"":
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        message = json.loads(process.stdout.read(length))
        assert isinstance(message, dict)
        return message

    send(
        {"id": 1, "method": "initialize", "params": {"processId": None, "rootUri": None, "capabilities": {}}}
    )
    assert receive()["result"]["serverInfo"]["name"] == "xpiler"
    send({"method": "initialized", "params": {}})
    document = {"uri": "file:///k.cu", "languageId": "cuda-cpp", "version": 1, "text": TEXT}
    send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
    published = receive()
    assert published["method"] == "textDocument/publishDiagnostics"
    assert [d["source"] for d in published["params"]["diagnostics"]] == ["xpiler"]
    send({"id": 2, "method": "shutdown"})
    assert receive()["id"] == 2
    send({"method": "exit"})
    assert process.wait(10) == 0
