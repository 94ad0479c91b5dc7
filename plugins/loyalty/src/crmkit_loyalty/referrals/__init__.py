"""Referrals: a member brings a friend, and both are rewarded once the friend has paid and kept what it bought."""
