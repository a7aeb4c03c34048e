"""Small handouts for tests of the page, in place of those of the course."""

from pathlib import Path

HOSTILE_HINT = "<b>not bold</b>"
PART0 = """# Part 0: Start

Welcome.

## 0.1 Begin

Your seed is {seed}.
"""
PART1 = """# Part 1: Events

An introduction.

## 1.1 Predict the wakes

How many? <script>document.title = "owned"</script> <img src=x onerror="document.title = 'owned'">

[no](javascript:document.title="owned") [docs](../../docs/lab.md) [gone](other.md)

### Live

```sh server
sleep 1000
```

```text
12 epoll_wait(3, [], 2, 100) = 0
```

## 1.2 Run the app

```sh
make streamlit
```

| a | long table |
|---|---|
| `strace -f -tt -T -o mylab/trace.log` | `--server.address=127.0.0.1 --server.headless=true` |

## 1.3 Bind and listen

Read the log.

## 1.4 The interest list

Read on.

## 1.9 Explain

Explain it.
"""


def put_handouts(root: Path) -> None:
    """Replace the handouts and hints of a copy of the lab."""
    for language in ("en", "zh-TW"):
        for path in (root / "labs" / language).glob("*"):
            if path.name != "ui.toml":
                path.unlink()
    (root / "labs" / "en" / "part0.md").write_text(PART0)
    (root / "labs" / "en" / "part1.md").write_text(PART1)
    (root / "labs" / "en" / "hints.toml").write_text(f'"1.3" = ["Search `bind`. {HOSTILE_HINT}", "And `listen`."]\n')
