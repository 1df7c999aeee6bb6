"""What an agent works with: queue, conversation and packet, every act, and what would follow from it."""
