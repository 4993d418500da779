"""One error tree; every error helps the person in front of the screen, in Chinese and English.

    WanggeError
    ├── Refused           what was given cannot be accepted; nothing changed        exit 2, HTTP 422
    │   ├── RefusedFile       the file itself                                       exit 2, HTTP 422
    │   │   ├── FileTooLarge      too many bytes, rows, vertices                    exit 2, HTTP 413
    │   │   └── FileTypeUnknown   not a format that this command reads              exit 2, HTTP 415
    │   └── RefusedArgument   a parameter or option                                 exit 2, HTTP 400
    ├── NotFound          no such thing, or not for you                             exit 2, HTTP 404
    ├── Conflict          somebody else was first; says who and when                exit 2, HTTP 409
    ├── Unauthenticated   no valid sign-in                                          exit 1, HTTP 401
    ├── Forbidden         signed in, but not allowed                                exit 1, HTTP 403
    ├── RateLimited       too many requests                                         exit 1, HTTP 429
    ├── Cancelled         whoever asked no longer wants it                      exit 1, HTTP 409
    └── Unavailable       the service cannot answer now (database, disk)            exit 1, HTTP 503

`code` is a stable kebab-case word, the same in the command line's JSON, the API's `type`
(`urn:wangge:problem:<code>`), the reject report and the documentation.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

Lang = Literal["zh", "en"]


class WanggeError(Exception):
    """Something went wrong."""

    default_code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(
        self,
        zh: str,
        en: str,
        *,
        code: str | None = None,
        field: str | None = None,
        do_zh: str = "",
        do_en: str = "",
        shell_zh: str = "",
        shell_en: str = "",
        **facts: Any,
    ) -> None:
        """`zh`/`en`: what happened and where; `do_*`: what to do; `facts`: measured, allowed, row, column …

        `shell_*` says instead what to type, to whoever sits at a command line.
        """
        self.zh, self.en, self.do_zh, self.do_en = zh, en, do_zh, do_en
        self.shell_zh, self.shell_en = shell_zh or do_zh, shell_en or do_en
        self.code = code or self.default_code
        self.field = field
        self.facts = facts
        super().__init__(f"{en} {self.shell_en}".strip())

    def text(self, lang: Lang = "zh") -> str:
        """The whole message in one language for a command line: what happened, then what to type.

        >>> NotFound("没有方案 9。", "There is no plan 9.", do_en="See the list.", shell_en="See `wangge plan list`.").text("en")
        'There is no plan 9. See `wangge plan list`.'
        """
        what, do = (self.zh, self.shell_zh) if lang == "zh" else (self.en, self.shell_en)
        return f"{what} {do}".strip() if lang == "en" else f"{what}{do}".strip()


class Refused(WanggeError):
    """What was given cannot be accepted; nothing was changed."""

    default_code, exit_code, http_status = "refused", 2, 422


class RefusedFile(Refused):
    """The file cannot be loaded; nothing was changed."""

    default_code = "file-refused"


class FileTooLarge(RefusedFile):
    """The file is larger than this server accepts."""

    default_code, http_status = "file-too-large", 413


class FileTypeUnknown(RefusedFile):
    """The file is not of a format that this command reads."""

    default_code, http_status = "file-type", 415


class RefusedArgument(Refused):
    """A parameter or option cannot be accepted."""

    default_code, http_status = "parameter-invalid", 400


class NotFound(WanggeError):
    """There is no such thing here."""

    default_code, exit_code, http_status = "not-found", 2, 404


class Conflict(WanggeError):
    """Somebody else changed this first."""

    default_code, exit_code, http_status = "conflict", 2, 409


class Unauthenticated(WanggeError):
    """Sign in first."""

    default_code, http_status = "unauthenticated", 401


class Forbidden(WanggeError):
    """You may not do this."""

    default_code, http_status = "forbidden", 403


class RateLimited(WanggeError):
    """Too many requests; try again later."""

    default_code, http_status = "rate-limited", 429


class Cancelled(WanggeError):
    """Whoever asked for this no longer wants it; nothing was changed."""

    default_code, http_status = "cancelled", 409


class Unavailable(WanggeError):
    """The service cannot answer right now."""

    default_code, http_status = "unavailable", 503
