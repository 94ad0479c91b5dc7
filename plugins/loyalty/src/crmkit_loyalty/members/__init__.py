"""Membership: since when somebody takes part, under which number, with which benefits."""
