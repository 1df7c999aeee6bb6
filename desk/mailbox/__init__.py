"""The mailbox that customers write to: what arrives is read, told apart, and filed before it is marked as read."""
