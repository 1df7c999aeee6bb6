"""The memory: all that happened to a ticket, kept so that nobody can do another's work on it.

One store, and one object for each actor. What an actor may not do has no method on its object:

    open_store(url) -> Store          tables, migrations, ``read()`` and ``write(durable=)``
    Intake(store)                     what comes in: receive, close, tick, next_unhandled, tickets_with_work,
                                      take, handled, mark_handled, mark_failed, give_up, lease
    WorkerLedger(store)               what the graph may do: now, snapshot, thread, ticket, address, register,
                                      standing, halts, is_halted, recorded, refusals, deliveries, events,
                                      review; record, record_many, record_outcome, refuse; assign,
                                      open_answer, open_action, raise_answer, raise_floor,
                                      close_answer; propose; open_review, revise_review. It cannot lower,
                                      approve, claim, hand back or halt.
    PeopleLedger(store)               what a named person decides: claim, release, approve, edit_and_approve,
                                      reject, answer_myself, change_lane, correct_triggers, route,
                                      approve_change, decide_action, hand_back, resolve, rate_packet, halt, resume, erase.
                                      The only place where a lane falls.
    PostLedger(store)                 what the post room does: waiting, begin, sent, failed, unknown, recover,
                                      delivery, unknowns, in_hand
    ChangeLedger(store)               what the room that carries changes out does: the same, for what a person
                                      ordered: waiting, begin, done, failed, unknown, recover
    Reviews(store)                    reads for the operators' desk: open, of_ticket, all_of_ticket, get, due,
                                      drafts, counts
    History(store)                    reads for everybody: timeline, house_timeline, thread, ticket, register,
                                      refusals, deliveries, tickets, halts
    audits                            a weekly sample of tickets that no person had: draw_week, judge, audit_misses
    review_calendar                   what people look at again and again: due, open_review, close_review
    verification.verify(store)        whether the record is whole; takeover.take_over(store, sign) answers for it

Every event is sealed into a keyed chain (``chain``, ``sealing``); key and anchor stand outside the database
(``keyring``). Reading needs neither.

Events carry the key their writer gave them. A customer's keys stand as they are; all others begin with ``~``
(``~worker/…``, ``~person/…``), so that a message id chosen by a stranger can never pass for one of ours.
A head is small JSON that outlives erasure and holds no customer text; words go into the body, which can be erased.

Whoever lets a text leave says what the policy release allows by a ``ReleaseView``; everything else is
re-read here, in the transaction that lets it leave.
"""
