"""The worker: the LangGraph machine that carries one ticket from its arrival to a sent reply or a packet."""
