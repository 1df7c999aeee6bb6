"""Hands over the strings of the corpora that install from the registry, one JSON object a line; runs in their environment."""

from __future__ import annotations

import importlib.metadata
import json
import sys

import aib.cli  # type: ignore[import-not-found]
import aib.dataset  # type: ignore[import-not-found]
import bastioncorpus  # type: ignore[import-not-found]


def main() -> int:
    """A first line of versions, then each string with its corpus, id, kind and whether it is an attack."""
    names = ("bastioncorpus", "agent-injection-bench")
    told: list[dict[str, object]] = [{"versions": {name: importlib.metadata.version(name) for name in names}}]
    for row in bastioncorpus.load_corpus():
        text = row.render("CANARY-2041")
        told.append({"corpus": names[0], "id": row.id, "kind": row.category, "attack": row.is_malicious, "text": text})
    for attack in aib.dataset.load(aib.cli.DEFAULT_CORPUS):
        harmless = attack.success.kind == "refusal"
        told.append(
            {
                "corpus": names[1],
                "id": attack.id,
                "kind": attack.family,
                "attack": not harmless,
                "text": attack.injected,
            }
        )
    sys.stdout.writelines(json.dumps(row, ensure_ascii=True) + "\n" for row in told)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
