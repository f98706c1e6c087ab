"""The commands in the fenced blocks of the README files."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
READMES = sorted(
    str(path.relative_to(ROOT)) for path in ROOT.rglob("README.md") if not any(p.startswith(".") for p in path.parts)
)
_COMMAND = re.compile(r"(\$ |make |\.venv/|export |set -a|ray |docker |kubectl |ssh|install |\$EDITOR)")


def commands(readme: str) -> list[str]:
    """The commands of a README, without comments; lines that end in a backslash are joined."""
    text = (ROOT / readme).read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    found = []
    for block in blocks:
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            if _COMMAND.match(line):
                found.append(re.sub(r"\s{2,}#.*| # .*", "", line).removeprefix("$ ").strip())
    return found


def command(readme: str, part: str) -> str:
    """The first command of a README with this part."""
    return next(line for line in commands(readme) if part in line)
