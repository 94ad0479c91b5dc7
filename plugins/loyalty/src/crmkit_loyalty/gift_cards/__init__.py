"""Gift cards: money that a code stands for."""
