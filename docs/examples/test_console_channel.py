from console_channel import ConsoleChannel

from crmkit.testing import ChannelSuite


class TestConsoleChannel(ChannelSuite):
    def make_channel(self):
        return ConsoleChannel(self.folder / "sent.jsonl")

    def received(self):
        file = self.folder / "sent.jsonl"
        return file.read_text().splitlines() if file.exists() else []
