"""The leaderboard page, part by part, and all that it shows as files."""
