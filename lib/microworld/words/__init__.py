"""The words of the town in English and in Chinese, and which of them go together."""
