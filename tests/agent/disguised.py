"""Ways to hide words from whoever reads by rule: what the screen's test and the proof of texts share."""

from __future__ import annotations

import base64
import codecs
import html
import quopri
from collections.abc import Callable
from urllib.parse import quote

DISGUISES: dict[str, Callable[[str], str]] = {
    "Cyrillic letters": lambda t: t.translate(str.maketrans("aeopcx", "аеорсх")),
    "Greek letters": lambda t: t.translate(str.maketrans("oav", "οαν")),
    "full width": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "small capitals": lambda t: t.lower().translate(str.maketrans("refund", "ʀᴇꜰᴜɴᴅ")),
    "mathematical letters": lambda t: "".join(chr(0x1D41A + ord(c) - 97) if "a" <= c <= "z" else c for c in t.lower()),
    "hidden characters": lambda t: "\u200b".join(t),
    "combining marks": lambda t: "".join(c + "\u0336" if c.isalpha() else c for c in t),
    "dots under letters": lambda t: t.replace("e", "ẹ").replace("d", "ḍ"),
    "digits for letters": lambda t: t.replace("e", "3").replace("o", "0"),
    "letters spaced out": lambda t: "  ".join(" ".join(word) if len(word) > 3 else word for word in t.split()),
    "letters dotted out": lambda t: " ".join(".".join(word) if len(word) > 3 else word for word in t.split()),
    "bold within words": lambda t: t.replace("fu", "f**u**").replace("pro", "p_ro_"),
    "tags within words": lambda t: t.replace("fu", "f<b>u</b>").replace("pro", "pr<!-- x -->o"),
    "links within words": lambda t: t.replace("refund", "[re](https://x.example)fund"),
    "hyphenated lines": lambda t: t.replace("refund", "re-\nfund").replace("approved", "appro-\nved"),
    "HTML entities": lambda t: "".join(f"&#{ord(c)};" for c in t),
    "named entities": lambda t: html.escape(t).replace("e", "&#x65;"),
    "percent": lambda t: "".join(f"%{byte:02X}" for byte in t.encode()),
    "percent of spaces": quote,
    "quoted-printable": lambda t: quopri.encodestring(t.replace("e", "é").encode()).decode(),
    "base64": lambda t: "Here you are: " + base64.b64encode(t.encode()).decode(),
    "base64 twice": lambda t: base64.b64encode(base64.b64encode(t.encode())).decode(),
    "hex": lambda t: t.encode().hex(),
    "backslashes": lambda t: "".join(f"\\u{ord(c):04x}" for c in t),
    "rot13": lambda t: codecs.encode(t, "rot13"),
    "backwards": lambda t: t[::-1],
    "right to left": lambda t: "\u202e" + t[::-1],
    "an entity in base64": lambda t: base64.b64encode("".join(f"&#{ord(c)};" for c in t).encode()).decode(),
}
