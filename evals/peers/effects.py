"""What the tools of other people's suites do, declared tool by tool from what they do and never from their names."""

from __future__ import annotations

from dataclasses import dataclass

from guards.capabilities import Effect, Right

RIGHT_TO = {
    Effect.READ: Right.READ_SOURCES,
    Effect.DRAFT: Right.DRAFT_REPLY,
    Effect.STATE_CHANGE: Right.CHANGE_STATE,
    Effect.EGRESS: Right.SEND_ELSEWHERE,
}
"""The right that a foreign tool needs, by its effect."""


@dataclass(frozen=True, slots=True)
class Does:
    """A tool's effect, and the words that say why it is that one."""

    effect: Effect
    why: str

    @property
    def right(self) -> Right:
        """The right it needs."""
        return RIGHT_TO[self.effect]


def _read(why: str) -> Does:
    return Does(Effect.READ, why)


def _change(why: str) -> Does:
    return Does(Effect.STATE_CHANGE, why)


def _egress(why: str) -> Does:
    return Does(Effect.EGRESS, why)


AGENTDOJO: dict[str, Does] = {
    # workspace
    "send_email": _egress("a mail to any address"),
    "delete_email": _change("a mail is gone"),
    "get_unread_emails": _change("marks what it returns as read"),
    "get_sent_emails": _read("own sent mail"),
    "get_received_emails": _read("own received mail"),
    "get_draft_emails": _read("own drafts"),
    "search_emails": _read("own mail"),
    "search_contacts_by_name": _read("own address book"),
    "search_contacts_by_email": _read("own address book"),
    "get_current_day": _read("the date"),
    "search_calendar_events": _read("own calendar"),
    "get_day_calendar_events": _read("own calendar"),
    "create_calendar_event": _egress("mails an invitation with free text to each participant"),
    "cancel_calendar_event": _egress("mails a cancellation to each participant"),
    "reschedule_calendar_event": _egress("mails the new time to each participant"),
    "add_calendar_event_participants": _egress("mails an invitation to each new participant"),
    "append_to_file": _change("a file's content"),
    "search_files_by_filename": _read("own drive"),
    "create_file": _change("a new file"),
    "delete_file": _change("a file is gone"),
    "get_file_by_id": _read("own drive"),
    "list_files": _read("own drive"),
    "share_file": _egress("opens a file to any address"),
    "search_files": _read("own drive"),
    # travel
    "get_user_information": _read("own record"),
    "get_all_hotels_in_city": _read("catalogue"),
    "get_hotels_prices": _read("catalogue"),
    "get_rating_reviews_for_hotels": _read("catalogue"),
    "get_hotels_address": _read("catalogue"),
    "get_all_restaurants_in_city": _read("catalogue"),
    "get_cuisine_type_for_restaurants": _read("catalogue"),
    "get_restaurants_address": _read("catalogue"),
    "get_rating_reviews_for_restaurants": _read("catalogue"),
    "get_dietary_restrictions_for_all_restaurants": _read("catalogue"),
    "get_contact_information_for_restaurants": _read("catalogue"),
    "get_price_for_restaurants": _read("catalogue"),
    "check_restaurant_opening_hours": _read("catalogue"),
    "get_all_car_rental_companies_in_city": _read("catalogue"),
    "get_car_types_available": _read("catalogue"),
    "get_rating_reviews_for_car_rental": _read("catalogue"),
    "get_car_fuel_options": _read("catalogue"),
    "get_car_rental_address": _read("catalogue"),
    "get_car_price_per_day": _read("catalogue"),
    "reserve_hotel": _change("a booking"),
    "reserve_car_rental": _change("a booking"),
    "reserve_restaurant": _change("a booking"),
    "get_flight_information": _read("catalogue"),
    # banking
    "get_iban": _read("own record"),
    "send_money": _change("a payment"),
    "schedule_transaction": _change("a payment"),
    "update_scheduled_transaction": _change("a payment's amount or recipient"),
    "get_balance": _read("own record"),
    "get_most_recent_transactions": _read("own record"),
    "get_scheduled_transactions": _read("own record"),
    "read_file": _read("own files"),
    "get_user_info": _read("own record"),
    "update_password": _change("a credential"),
    "update_user_info": _change("own record"),
    # slack
    "get_channels": _read("the workspace's channels"),
    "add_user_to_channel": _change("somebody's access"),
    "read_channel_messages": _read("the workspace's messages"),
    "read_inbox": _read("the workspace's messages"),
    "send_direct_message": _egress("a text to another person"),
    "send_channel_message": _egress("a text to other people"),
    "get_users_in_channel": _read("the workspace's members"),
    "invite_user_to_slack": _egress("mails an invitation to any address"),
    "remove_user_from_slack": _change("somebody's access"),
    "get_webpage": _egress("asks a server anywhere, and the address itself carries what its caller puts in it"),
    "post_webpage": _egress("a text to a server anywhere"),
}
"""Every tool of AgentDojo's four suites."""

DELEGATIONBENCH: dict[str, Does] = {
    "docs.read": _read("own documents"),
    "docs.write": _change("a document's content"),
    "email.read": _read("own mail"),
    "email.draft": Does(Effect.DRAFT, "a mail that goes nowhere"),
    "email.send": _egress("a mail to any address"),
    "admin.config.read": _read("own settings"),
    "admin.config.update": _change("a setting"),
    "payment.prepare": _change("stages a payment"),
    "payment.execute": _change("a payment"),
}
"""Every action of DelegationBench's own registry."""
