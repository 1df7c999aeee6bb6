"""The hands: everything that reaches the world outside, each beside the effect it declares and the right it needs.

    ticket.py, ticket_files.py, mail.py    what a customer wrote, from JSON, CSV, JSONL, mbox and e-mail
    ticket_text.py, html_text.py           its words: encodings, quotes, and HTML as a reader sees it
    account_context.py                     what a helpdesk hands over about the account, as facts
    systems.py                             the records and the protocols of the systems of record
    directory.py, directory_*.py           a team's own folder of files behind those protocols
    sandbox.py, company/                   the made-up company behind the same protocols, with faults on demand
    lookups/                               one lookup a file: records become facts with standing, source and age
    knowledge.py                           approved articles: found by words, and which of them may ground an answer
    toolbox.py, actions/                   the one executor, and what it can be asked to do

Nothing here decides a lane, and nothing here holds a channel that reaches a customer.
"""
