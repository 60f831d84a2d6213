"""One way to a language model: an OpenAI-compatible endpoint, a recording of one, or the offline teacher."""
