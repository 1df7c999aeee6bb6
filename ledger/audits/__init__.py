"""Audits of tickets that no person ever saw: a weighted sample a week, blind verdicts, and what they say of all the others.

``frame`` finds the tickets, ``sample`` chooses among them, ``drawing`` keeps what was drawn, ``verdicts`` takes what
auditors say, ``figures`` weighs it. All of it is written as events; there is no table to fall out of step with them.
"""
