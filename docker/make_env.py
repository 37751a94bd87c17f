"""Make `.env` from `.env.example` with a fresh secret in every open place, and `secrets/metrics-key`. Keeps what is there."""

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
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def main() -> int:
    target = HERE / ".env"
    if target.exists():
        sys.stderr.write(f"{target} is there already; nothing was changed.\n")
        return 1
    text = filled((HERE / ".env.example").read_text(encoding="utf-8"))
    write(target, text, 0o600)
    key = next(line.partition("=")[2] for line in text.splitlines() if line.startswith("RUSHES_METRICS_KEY="))
    # Prometheus reads it as another user, who gets to the file by its mount; nobody else gets through the directory.
    (HERE / "secrets").mkdir(mode=0o700, exist_ok=True)
    write(HERE / "secrets" / "metrics-key", key, 0o444)
    sys.stderr.write(f"Wrote {target}. Look through it, then: docker compose up -d --build\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
