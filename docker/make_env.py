"""Make `.env` from `.env.example` with a fresh secret in every open place, and the files in `secrets`. Keeps what is there: run
again after an update it adds the secrets that are new."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MARK = "# ---- secrets"


def filled(example: str) -> str:
    """Each line below the mark that ends in `=` or `:` gets 48 hexadecimal digits, which no URL has to escape."""
    plain, mark, secret = example.partition(MARK)
    lines = [
        line + secrets.token_hex(24) if line.endswith(("=", ":")) and not line.startswith("#") else line
        for line in secret.splitlines()
    ]
    return plain + mark + "\n".join(lines) + "\n"


def write(path: Path, text: str, mode: int) -> None:
    path.unlink(missing_ok=True)  # one that nobody may write is made anew
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def values(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def with_new_secrets(there: str, example: str) -> str:
    """The text that is there, and below it the secrets that it lacks. Other settings have defaults."""
    fresh = values(filled(example).partition(MARK)[2].partition("\n")[2])
    lacking = [f"{name}={value}\n" for name, value in fresh.items() if name not in values(there)]
    return there.rstrip("\n") + "\n" + "".join(lacking)


def main() -> int:
    target, example = HERE / ".env", (HERE / ".env.example").read_text(encoding="utf-8")
    there = target.read_text(encoding="utf-8") if target.exists() else ""
    text = with_new_secrets(there, example) if there else filled(example)
    write(target, text, 0o600)
    known = values(text)
    # Prometheus and the edge read theirs as other users, who get to the file by its mount; nobody else gets through the directory.
    (HERE / "secrets").mkdir(mode=0o700, exist_ok=True)
    write(HERE / "secrets" / "metrics-key", known["RUSHES_METRICS_KEY"], 0o444)
    write(HERE / "secrets" / "purge-key.map", f'"{known["RUSHES_PURGE_SECRET"]}" 1;\n', 0o444)
    sys.stderr.write(f"Wrote {target}. Look through it, then: docker compose up -d --build\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
