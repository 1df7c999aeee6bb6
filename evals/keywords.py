"""A baseline to be held against and no part of the product: triggers read off a short list of words.

    python -m evals.keywords ROWS.jsonl JUDGED.jsonl

The list is what a team writes in an afternoon: the words that the article's own definitions of the triggers use, and
their everyday forms. It was written at once and is not to be bettered by the rows that measure.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.packaged import packaged_release
from evals.assess import AssessRow, BadRow, read_rows
from guards.assign import lane_by_risk
from guards.policy import Release
from guards.triggers import Level, Matrix, Signal, Trigger, Witness

WORDS: Mapping[Trigger, Mapping[Level, tuple[str, ...]]] = {
    Trigger.POLICY_SENSITIVITY: {
        Level.HIGH: (
            *(
                "refund",
                "refunded",
                "money back",
                "credit",
                "credits",
                "waive",
                "discount",
                "exception",
                "compensation",
            ),
            *("reimburse", "goodwill", "dispute", "contract says", "negotiated"),
        ),
        Level.MEDIUM: (
            "charged",
            "overcharged",
            "fee",
            "fees",
            "downgrade",
            "upgrade",
            "billing issue",
            "invoice wrong",
        ),
    },
    Trigger.SECURITY_IDENTITY: {
        Level.HIGH: (
            *("locked out", "hacked", "stolen", "fraud", "suspicious", "unauthorized", "unauthorised", "phishing"),
            *("2fa", "mfa", "reset password", "forgot my password", "password reset", "admin access", "lost my card"),
            *("lost my phone", "verify my identity", "ownership", "breach"),
        ),
        Level.MEDIUM: ("password", "pin", "login", "log in", "change my email", "change my phone", "personal data"),
    },
    Trigger.MISSING_CONTEXT: {
        Level.HIGH: ("was told", "was promised", "amendment"),
        Level.MEDIUM: ("my account", "our account", "my order", "my balance", "our usage", "not working", "status of"),
    },
    Trigger.ACTION_IRREVERSIBILITY: {
        Level.HIGH: ("cancel", "delete", "close my account", "close our account", "terminate", "erase", "stop payment"),
        Level.MEDIUM: ("remove", "transfer", "pay my bill", "merge"),
    },
    Trigger.CUSTOMER_PRESSURE: {
        Level.HIGH: ("lawyer", "legal", "sue", "court", "regulator", "ceo", "press", "chargeback", "complaint"),
        Level.MEDIUM: (
            "angry",
            "furious",
            "frustrated",
            "disappointed",
            "unacceptable",
            "ridiculous",
            "urgent",
            "asap",
        ),
    },
    Trigger.MULTI_DOMAIN_COMPLEXITY: {Level.HIGH: ("outage", "incident"), Level.MEDIUM: ()},
}


def judge(row: AssessRow, release: Release) -> dict[str, Any]:
    """The row's triggers and its lane by the same law as the product's: only the reading is another."""
    words = " ".join(row.messages).lower()
    found = tuple(
        Signal(f"word_{trigger.value}", trigger, level, Witness.TEXT, f"“{word}”", "a word of the list", word)
        for trigger, levels in WORDS.items()
        for level, listed in levels.items()
        for word in listed
        if re.search(rf"\b{re.escape(word)}\b", words)
    )
    matrix = Matrix(found)
    return {"id": row.id, "triggers": matrix.to_json(), "lane_by_risk": int(lane_by_risk(matrix, release)[0])}


def main(rows: str, out: str) -> int:
    """Writes one line of JSON a row; 1 where a row cannot be read."""
    read = list(read_rows(Path(rows).read_text(encoding="utf-8").splitlines()))
    judged = [judge(row, packaged_release()) for row in read if isinstance(row, AssessRow)]
    Path(out).write_text("".join(json.dumps(j, ensure_ascii=False) + "\n" for j in judged), encoding="utf-8")
    return 1 if any(isinstance(row, BadRow) for row in read) else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m evals.keywords ROWS.jsonl JUDGED.jsonl")
    raise SystemExit(main(sys.argv[1], sys.argv[2]))
