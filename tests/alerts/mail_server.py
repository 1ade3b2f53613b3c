"""A mail server on loopback, which keeps what it accepts."""

from __future__ import annotations

import email
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler

from tests.fakes.server import LoopbackServer


@dataclass
class MailServer:
    """Accepted mails with their recipients; answers to RCPT, the last one for all that follow."""

    port: int = 0
    accepted: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    answers: list[str] = field(default_factory=lambda: ["250 OK"])

    @property
    def subjects(self) -> list[str]:
        """Return the subject lines, in the order of arrival."""
        return [str(mail["Subject"]) for _, mail in self.accepted]

    def next_answer(self) -> str:
        """Return the answer to the next recipient."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class _Handler(StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        with suppress(OSError):
            self._converse(self.server.mails)

    def _converse(self, mails: MailServer) -> None:
        recipients: list[str] = []
        self._say("220 loopback")
        while line := self.rfile.readline().decode().strip():
            verb = line.split(":")[0].split()[0].upper()
            if verb == "RCPT":
                answer = mails.next_answer()
                if answer.startswith("250"):
                    recipients.append(line.partition(":")[2].strip("<> "))
                self._say(answer)
            elif verb == "DATA":
                self._say("354 go on")
                mails.accepted.append((recipients, self._mail()))
                self._say("250 accepted")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 OK")

    def _mail(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        mail = email.message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        return mail

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Server(LoopbackServer):
    mails: MailServer


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Run a mail server."""
    server = _Server(_Handler)
    server.mails = MailServer(port=server.port)
    with server:
        yield server.mails
