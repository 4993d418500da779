"""HTTP/1.1 as uvicorn speaks it, but what cannot be read as a request is refused as problem+json like all else."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api import answers, problems

UNREADABLE = problems.RequestProblem(
    400,
    "request-malformed",
    f"无法读取该请求；网址不得超过 {problems.URL_BYTES} 字节。",
    f"This is not a request that can be read; an address may have {problems.URL_BYTES} bytes.",
)


class Protocol(HttpToolsProtocol):
    """Pass it to uvicorn as `http=Protocol`."""

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser refused (too long, two lengths, no HTTP at all) and hangs up."""
        zh, en = (problems.body(UNREADABLE, lang, "") for lang in ("zh", "en"))
        content = answers.to_json({**zh, "detail": f"{zh['detail']} {en['detail']}"})
        head = f"HTTP/1.1 400 Bad Request\r\ncontent-type: {problems.MEDIA_TYPE}\r\ncontent-length: {len(content)}\r\n"
        self.transport.write(head.encode() + b"connection: close\r\n\r\n" + content)
        self.transport.close()
