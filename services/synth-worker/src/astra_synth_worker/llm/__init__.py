"""One way to a language model, whichever it is: an OpenAI-compatible endpoint, a recording of one, or the offline teacher."""
