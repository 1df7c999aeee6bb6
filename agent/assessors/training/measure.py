# mypy: ignore-errors  (trained apart, in an environment of its own)
"""What held-out scores say: calibration, thresholds, and the tables of results.json."""

from __future__ import annotations

import numpy as np
from data import ASKS, RISK, TRIGGERS, WIDTH, Example, targets
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

MEDIUM = [2 * i for i in RISK]
AIM = 0.10  # of the quiet messages, at most this share may fire
GRID = np.linspace(0.02, 0.9, 89)
SHIFTS = (float("inf"), 4.0, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0)
Thread = tuple[bool, np.ndarray, np.ndarray]  # whether risky, the best passage's logits, the best sentence's
Calibration = tuple[np.ndarray, np.ndarray, np.ndarray]  # slope, offset, offset for several sentences


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(z, -30, 30)))


def common_threshold(p: np.ndarray, risky: np.ndarray, quiet: np.ndarray, weight: np.ndarray) -> float:
    """The one bar for >= medium, the same for the five triggers, that makes 2 x miss + false alarm least.

    Among the bars, that is, which keep the false alarms within AIM. A bar for each trigger was tried
    (coordinate descent) and was no better on held-out families, while it moved recall from one trigger to
    another at random.
    """
    top = p[:, MEDIUM].max(1)
    floor = float(min((g for g in GRID if (top[quiet] >= g).mean() <= AIM), default=GRID[0]))
    return alone_threshold(top, risky, quiet, weight, floor)


def alone_threshold(p: np.ndarray, yes: np.ndarray, no: np.ndarray, weight: np.ndarray, least: float = 0.12) -> float:
    """The bar on one score that makes 2 x miss rate + false-alarm rate least.

    Never under `least`: for a rare level the rates alone would take a dozen false alarms or more for one miss.
    """

    def price(g: float) -> float:
        missed = np.average(p[yes] < g, weights=weight[yes])
        return float(2 * missed + np.average(p[no] >= g, weights=weight[no]))

    return float(min(GRID[least - 1e-9 <= GRID], key=price))


class HeldOut:
    """Messages with the scores of a model that saw neither them nor their kin."""

    def __init__(
        self,
        rows: list[Example],
        many: np.ndarray,
        fold: np.ndarray,
        whole: np.ndarray,
        parts: list[np.ndarray],
        threads: list[Thread],
    ) -> None:
        self.rows, self.many, self.fold = rows, many.astype(np.float64), fold
        self.whole, self.parts, self.threads = whole, parts, threads
        self.y = targets(rows)
        self.risky = np.array([r.risky for r in rows])
        self.quiet = np.array([r.quiet for r in rows])
        self.weight = self._balance()

    def _balance(self) -> np.ndarray:
        """Weights under which messages of several sentences are as frequent among risky as among quiet ones.

        In the examples they are not (writers wrote longer when there was trouble); in real traffic both are.
        """
        group = np.where(self.risky, 0, np.where(self.quiet, 1, 2))
        weight = np.ones(len(self.rows))
        for g in range(3):
            for many in (0, 1):
                here = (group == g) & (self.many == many)
                if here.any():
                    weight[here] = (self.many == many).mean() / (self.many[group == g] == many).mean()
        return weight

    def calibrate(self, rows: np.ndarray | None = None) -> Calibration:
        """Platt scaling per column, with a further offset for messages of several sentences."""
        at = np.ones(len(self.rows), bool) if rows is None else rows
        slope, offset, longer = np.ones(WIDTH), np.zeros(WIDTH), np.zeros(WIDTH)
        for c in range(ASKS + 1):
            if self.y[at, c].sum() >= 10:
                x = np.c_[self.whole[at, c], self.many[at]]
                fit = LogisticRegression(C=1.0).fit(x, self.y[at, c], sample_weight=self.weight[at])
                slope[c], longer[c] = max(float(fit.coef_[0, 0]), 0.05), float(fit.coef_[0, 1])
                offset[c] = float(fit.intercept_[0])
        return slope, offset, longer

    def scores(self, calibration: Calibration, shift: float) -> np.ndarray:
        slope, offset, longer = calibration
        z = self.whole * slope + offset + self.many[:, None] * longer
        if np.isfinite(shift):
            for n, part in enumerate(self.parts):
                if len(part):
                    z[n] = np.maximum(z[n], (part.max(0) - shift) * slope + offset)
        return sigmoid(z)

    def threshold(self, p: np.ndarray, rows: np.ndarray | None = None) -> float:
        at = np.ones(len(self.rows), bool) if rows is None else rows
        return common_threshold(p[at], self.risky[at], self.quiet[at], self.weight[at])

    def crossed(self, shift: float) -> np.ndarray:
        """Which messages fire, with calibration and threshold fitted on the other folds only."""
        hit = np.zeros(len(self.rows), bool)
        for f in np.unique(self.fold):
            here = self.fold == f
            p = self.scores(self.calibrate(~here), shift)
            hit[here] = (p[here][:, MEDIUM] >= self.threshold(p, ~here)).any(1)
        return hit

    def thread_rates(self, shift: float) -> tuple[float, float]:
        """Miss and false-alarm rate on the made-up threads."""
        calibration = self.calibrate()
        t = self.threshold(self.scores(calibration, shift))
        slope, offset, longer = calibration
        z = np.stack([
            np.maximum(p * slope + offset + longer, (s - shift) * slope + offset) for _, p, s in self.threads
        ])  # fmt: skip
        hit = (sigmoid(z)[:, MEDIUM] >= t).any(1)
        wanted = np.array([w for w, _, _ in self.threads])
        return float(1 - hit[wanted].mean()), float(hit[~wanted].mean())

    def summary(self, shift: float) -> dict[str, float]:
        hit = self.crossed(shift)
        top = self.scores(self.calibrate(), shift)[:, MEDIUM].max(1)
        either = self.risky | self.quiet
        risky, quiet, several = self.risky, self.quiet, self.many == 1
        needs = self.whole[:, ASKS + 1 :].argmax(1) == self.y[:, ASKS + 1 :].argmax(1)
        table = {
            "messages": len(self.rows),
            "risky": int(risky.sum()),
            "quiet": int(quiet.sum()),
            "miss": 1 - hit[risky].mean(),
            "false_alarm": hit[quiet].mean(),
            "miss_one_sentence": 1 - hit[risky & ~several].mean(),
            "false_alarm_one_sentence": hit[quiet & ~several].mean(),
            "miss_several_sentences": 1 - hit[risky & several].mean(),
            "false_alarm_several_sentences": hit[quiet & several].mean(),
            "miss_length_balanced": np.average(~hit[risky], weights=self.weight[risky]),
            "false_alarm_length_balanced": np.average(hit[quiet], weights=self.weight[quiet]),
            "false_alarm_at_5pc_miss": (top[quiet] >= np.quantile(top[risky], 0.05)).mean(),
            "auc": roc_auc_score(risky[either], top[either]),
            "needs_accuracy": needs.mean(),
        }
        return {name: v if isinstance(v, int) else round(float(v), 4) for name, v in table.items()}

    def choose_shift(self) -> tuple[float, dict[str, dict[str, float]]]:
        """How much clearer a sentence alone has to be than a whole message, and the table behind the choice."""
        tables, price = {}, {}
        for shift in SHIFTS:
            row = self.summary(shift)
            row["threads_miss"], row["threads_false_alarm"] = self.thread_rates(shift)
            tables[str(shift)] = row
            # what mostly comes in is one message; eight unrelated ones in a row are the rare, hard case
            price[shift] = (
                2 * row["miss_length_balanced"]
                + row["false_alarm_length_balanced"]
                + 0.1 * (2 * row["threads_miss"] + row["threads_false_alarm"])
            )
        return min(SHIFTS, key=price.__getitem__), tables

    def choose(self, p: np.ndarray) -> dict[str, object]:
        """Every threshold. For `high`, false alarms count on risky messages: quiet ones are held by the medium bar."""
        y, chosen = self.y > 0, {}
        medium = self.threshold(p)
        for i, trigger in enumerate(TRIGGERS):
            high = y[:, 2 * i + 1]
            chosen[trigger] = {
                "medium": round(
                    medium if i in RISK else alone_threshold(p[:, 2 * i], y[:, 2 * i], self.quiet, self.weight),
                    4,
                ),
                "high": round(alone_threshold(p[:, 2 * i + 1], high, self.risky & ~high, self.weight), 4),
            }
        chosen["asks_human"] = round(alone_threshold(p[:, ASKS], y[:, ASKS], ~y[:, ASKS], self.weight), 4)
        return chosen

    def per_trigger(self, p: np.ndarray, limits: dict[str, object]) -> dict[str, object]:
        columns = [
            (f"{t} >= {level}", 2 * i + k, limits[t][level])
            for i, t in enumerate(TRIGGERS)
            for k, level in enumerate(("medium", "high"))
        ]
        table: dict[str, object] = {}
        for name, c, limit in [*columns, ("asks_human", ASKS, limits["asks_human"])]:
            truth, said = self.y[:, c] > 0, p[:, c] >= limit
            if name.endswith("high"):
                said = said & (p[:, c - 1] >= limits[name.split()[0]]["medium"])
            table[name] = {
                "positives": int(truth.sum()),
                "recall": round(float(said[truth].mean()), 3),
                "precision": round(float(truth[said].mean()) if said.any() else 0.0, 3),
                "false_on_quiet": round(float(said[self.quiet].mean()), 3),
                "average_precision": round(float(average_precision_score(truth, p[:, c])), 3),
            }
        return table

    def any_trigger(self, p: np.ndarray, limits: dict[str, object]) -> dict[str, float]:
        """As the lanes count: missing context fires too."""
        fired = np.stack([p[:, 2 * i] >= limits[t]["medium"] for i, t in enumerate(TRIGGERS)], 1).any(1)
        return {
            "miss": round(float(1 - fired[self.risky].mean()), 4),
            "false_alarm": round(float(fired[self.quiet].mean()), 4),
        }

    def by_group(self, hit: np.ndarray, groups: list[str]) -> dict[str, dict[str, float]]:
        out = {}
        for name in sorted(set(groups)):
            here = np.array([g == name for g in groups])
            r, q = here & self.risky, here & self.quiet
            if r.sum() >= 20 and q.sum() >= 20:
                out[name] = {
                    "risky": int(r.sum()), "miss": round(float(1 - hit[r].mean()), 3),
                    "quiet": int(q.sum()), "false_alarm": round(float(hit[q].mean()), 3),
                }  # fmt: skip
        return out
