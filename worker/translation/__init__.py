"""Explanations in other languages: who is asked, how, and what of the answer is believed. Knows neither the queue nor the store."""
